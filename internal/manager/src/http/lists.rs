//! Parameters of lists: which entries, in which order, and which page of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flamenco_api::operations::{FetchJobTasksQuery, FetchJobsQuery, FetchTasksQuery, FetchWorkersQuery};
use flamenco_api::{Problem, types};
use flamenco_store::list::{
    JobFilter, JobSort, Key, LastChange, Paging, Position, SortColumn, Span, TaskFilter, TaskSort,
    WorkerFilter, WorkerSort,
};
use serde::{Deserialize, Serialize};

use super::convert;

/// The text of a cursor, before it is wrapped up: the order it belongs to, and a place in it.
#[derive(Serialize, Deserialize)]
struct Cursor(String, types::SortOrder, Value, i64);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Number(i64),
    Text(String),
}

/// The order of a list, as it was asked for, and its page.
pub(super) struct Order<S> {
    pub(super) paging: Paging<S>,
    /// The word for what is sorted by.
    word: String,
}

impl<S: SortColumn> Order<S> {
    /// Reads what was asked for. `sort` is the column with its word; `order` is `None` for ascending.
    fn read(
        (sort, word): (S, String),
        order: Option<types::SortOrder>,
        cursor: Option<String>,
        limit: Option<i64>,
    ) -> Result<Self, Problem> {
        let order = order.unwrap_or(types::SortOrder::Asc);
        let after = cursor.map(|text| place(&text, sort, &word, order)).transpose()?;
        let limit = limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
        let descending = order == types::SortOrder::Desc;
        Ok(Self { paging: Paging { sort, descending, after, limit }, word })
    }

    /// The cursor of the page that starts after a place.
    pub(super) fn cursor(&self, place: Position) -> Result<types::NextCursor, Problem> {
        let order = if self.paging.descending { types::SortOrder::Desc } else { types::SortOrder::Asc };
        let value = match place.key {
            Key::Number(number) => Value::Number(number),
            Key::Text(text) => Value::Text(text),
        };
        let json = serde_json::to_vec(&Cursor(self.word.clone(), order, value, place.seq))
            .map_err(|error| crate::error::Error::Internal(error.to_string()))?;
        Ok(types::NextCursor(URL_SAFE_NO_PAD.encode(json)))
    }
}

/// The place that a cursor stands for.
fn place<S: SortColumn>(
    text: &str,
    sort: S,
    word: &str,
    order: types::SortOrder,
) -> Result<Position, Problem> {
    let wrong = || {
        Problem::bad_request(format!(
            "query parameter cursor must be the next_cursor of the page before, not {text:?}; leave it out to start at \
             the beginning"
        ))
    };
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
    let Cursor(its_word, its_order, value, seq) = serde_json::from_slice(&json).map_err(|_| wrong())?;
    if (its_word.as_str(), its_order) != (word, order) {
        return Err(Problem::bad_request(format!(
            "query parameter cursor belongs to a list with sort={its_word} and order={its_order}, and this one has \
             sort={word} and order={order}; send the same parameters with every page"
        )));
    }
    let key = match value {
        Value::Number(number) if !sort.is_text() => Key::Number(number),
        Value::Text(text) if sort.is_text() && !text.contains('\0') => Key::Text(text),
        _ => return Err(wrong()),
    };
    Ok(Position { key, seq })
}

/// A text to compare with; one that can never be stored is a mistake.
pub(super) fn text(parameter: &str, text: String) -> Result<String, Problem> {
    if text.contains('\0') {
        let wrong =
            format!("query parameter {parameter} contains the character U+0000, which no text here has");
        return Err(Problem::bad_request(wrong));
    }
    Ok(text)
}

fn texts(parameter: &str, texts: Option<Vec<String>>) -> Result<Vec<String>, Problem> {
    texts.unwrap_or_default().into_iter().map(|given| text(parameter, given)).collect()
}

fn ids<I: From<uuid::Uuid>>(ids: Option<Vec<uuid::Uuid>>) -> Vec<I> {
    ids.unwrap_or_default().into_iter().map(I::from).collect()
}

/// Which jobs, in which order.
pub(super) fn jobs(query: FetchJobsQuery) -> Result<(JobFilter, Order<JobSort>), Problem> {
    let filter = JobFilter {
        statuses: query.status.unwrap_or_default().into_iter().map(convert::from_job_status).collect(),
        types: texts("type", query.type_)?,
        name: text("name", query.name.unwrap_or_default())?,
        tags: ids(query.tag),
        workers: ids(query.worker),
        created: Span { since: query.created_since, before: query.created_before },
        updated: Span { since: query.updated_since, before: query.updated_before },
    };
    // Without either, the newest job comes first.
    let usual = query.sort.is_none().then_some(types::SortOrder::Desc);
    let word = query.sort.unwrap_or(types::JobSort::Created);
    let sort = match word {
        types::JobSort::Created => JobSort::Created,
        types::JobSort::Updated => JobSort::Updated,
        types::JobSort::Name => JobSort::Name,
        types::JobSort::Type => JobSort::Type,
        types::JobSort::Status => JobSort::Status,
        types::JobSort::Priority => JobSort::Priority,
    };
    let order = query.order.or(usual);
    Ok((filter, Order::read((sort, word.to_string()), order, query.cursor, query.limit)?))
}

/// Which tasks, by the parameters that all lists of tasks have.
fn task_filter(
    statuses: Option<Vec<types::TaskStatus>>,
    task_types: Option<Vec<String>>,
    name: Option<String>,
    workers: Option<Vec<uuid::Uuid>>,
    updated: Span,
) -> Result<TaskFilter, Problem> {
    Ok(TaskFilter {
        statuses: statuses.unwrap_or_default().into_iter().map(convert::from_task_status).collect(),
        types: texts("task_type", task_types)?,
        name: text("name", name.unwrap_or_default())?,
        workers: ids(workers),
        tags: Vec::new(),
        updated,
    })
}

/// Which tasks of a job, in which order.
pub(super) fn tasks(query: FetchJobTasksQuery) -> Result<(TaskFilter, Order<TaskSort>), Problem> {
    let updated = Span { since: query.updated_since, before: query.updated_before };
    let filter = task_filter(query.status, query.task_type, query.name, query.worker, updated)?;
    let word = query.sort.unwrap_or(types::TaskSort::IndexInJob);
    let sort = match word {
        types::TaskSort::IndexInJob => TaskSort::Index,
        types::TaskSort::Updated => TaskSort::Updated,
        types::TaskSort::Name => TaskSort::Name,
        types::TaskSort::TaskType => TaskSort::Type,
        types::TaskSort::Status => TaskSort::Status,
        types::TaskSort::Priority => TaskSort::Priority,
        types::TaskSort::Worker => TaskSort::Worker,
    };
    Ok((filter, Order::read((sort, word.to_string()), query.order, query.cursor, query.limit)?))
}

/// Tasks of the farm when the caller sets no limit.
const FARM_TASKS: i64 = 100;

/// Which tasks of all jobs; what changed last comes first.
pub(super) fn farm_tasks(query: FetchTasksQuery) -> Result<(TaskFilter, Order<LastChange>), Problem> {
    let updated = Span { since: query.updated_since, before: query.updated_before };
    let filter = task_filter(query.status, query.task_type, query.name, query.worker, updated)?;
    let filter = TaskFilter { tags: ids(query.tag), ..filter };
    let (order, limit) = (Some(types::SortOrder::Desc), query.limit.or(Some(FARM_TASKS)));
    Ok((filter, Order::read((LastChange, "updated".to_owned()), order, query.cursor, limit)?))
}

/// Which workers, in which order.
pub(super) fn workers(query: FetchWorkersQuery) -> Result<(WorkerFilter, Order<WorkerSort>), Problem> {
    let filter = WorkerFilter {
        statuses: query.status.unwrap_or_default().into_iter().map(convert::from_worker_status).collect(),
        types: texts("task_type", query.task_type)?,
        name: text("name", query.name.unwrap_or_default())?,
        tags: ids(query.tag),
        seen: Span { since: query.seen_since, before: query.seen_before },
    };
    let word = query.sort.unwrap_or(types::WorkerSort::Name);
    let sort = match word {
        types::WorkerSort::Name => WorkerSort::Name,
        types::WorkerSort::Status => WorkerSort::Status,
        types::WorkerSort::Version => WorkerSort::Version,
        types::WorkerSort::LastSeen => WorkerSort::LastSeen,
    };
    Ok((filter, Order::read((sort, word.to_string()), query.order, query.cursor, query.limit)?))
}
