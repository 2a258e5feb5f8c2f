//! The tasks of one job, and those of all jobs.

use flamenco_domain::ids::JobId;
use flamenco_domain::task::TaskSummary;

use super::select::{Column, Select, folded};
use super::{Key, LastChange, Page, Paging, Position, TaskFilter, TaskSort};
use crate::db::{Reader, query_one};
use crate::error::Error;
use crate::tasks::{select_task, summary};

/// The tasks of a job that are wanted, each turned into what is kept of it as it is read; none for a job that does not
/// exist.
///
/// # Errors
/// When the database cannot be read.
pub async fn tasks<T: Send>(
    db: &Reader,
    job: JobId,
    filter: &TaskFilter,
    paging: &Paging<TaskSort>,
    mut keep: impl FnMut(TaskSummary) -> T + Send,
) -> Result<Page<T>, Error> {
    // On its own, since PostgreSQL sees only with a constant key that the index on the tasks gives them in order.
    let row = query_one(db, "SELECT id FROM jobs WHERE uuid = $1", vec![job.0.into()]).await?;
    let Some(row) = row else { return Ok(Page { entries: Vec::new(), next: None }) };
    let select = select(db, row.get("id")?, filter);
    let (sort, column) = (paging.sort, column(&select, paging.sort));
    select
        .read(db, paging, &column, |row| {
            let task = summary(row)?;
            let position = Position { key: key(sort, &task), seq: task.seq };
            Ok((keep(task), position))
        })
        .await
}

/// The tasks of all jobs that are wanted, what changed last first, each turned with the name of its job into what is kept
/// of it as it is read.
///
/// # Errors
/// When the database cannot be read.
pub async fn farm_tasks<T: Send>(
    db: &Reader,
    filter: &TaskFilter,
    paging: &Paging<LastChange>,
    mut keep: impl FnMut(TaskSummary, String) -> T + Send,
) -> Result<Page<T>, Error> {
    select_of_farm(db, filter)
        .read(db, paging, &last_change(), |row| {
            let task = summary(row)?;
            let position = Position { key: Key::Number(task.updated.timestamp_micros()), seq: task.seq };
            Ok((keep(task, row.get("job_name")?), position))
        })
        .await
}

fn select_of_farm(db: &Reader, filter: &TaskFilter) -> Select {
    let columns = select_task!(", j.name AS job_name", "WHERE j.status <> 'under-construction'");
    restricted(Select::new(db, columns), filter)
}

fn last_change() -> Column {
    Column { sql: "t.updated_at".to_owned(), tie: Some("t.id") }
}

fn select(db: &Reader, job: i64, filter: &TaskFilter) -> Select {
    let mut select = Select::new(db, select_task!("", "WHERE j.status <> 'under-construction'"));
    let place = select.bind(job);
    select.and(&format!("t.job_id = {place}"));
    restricted(select, filter)
}

fn restricted(mut select: Select, filter: &TaskFilter) -> Select {
    select.one_of_words("t.status", filter.statuses.iter().map(|status| status.as_str()));
    select.one_of("t.task_type", filter.types.iter().map(String::as_str));
    select.contains("t.name", &filter.name);
    select.one_of("w.uuid", filter.workers.iter().map(|worker| worker.0));
    select.one_of_those(
        "j.worker_tag_id",
        "SELECT g.id FROM worker_tags g WHERE g.uuid",
        filter.tags.iter().map(|tag| tag.0),
    );
    select.within("t.updated_at", filter.updated);
    select
}

fn column(select: &Select, sort: TaskSort) -> Column {
    let sql = match sort {
        TaskSort::Index => return Column { sql: "t.index_in_job".to_owned(), tie: None },
        TaskSort::Updated => "t.updated_at".to_owned(),
        TaskSort::Name => select.folded("t.name"),
        TaskSort::Type => select.text("t.task_type"),
        TaskSort::Status => select.text("t.status"),
        TaskSort::Priority => "t.priority".to_owned(),
        // The name of a worker that was deleted is not shown, so it does not count.
        TaskSort::Worker => {
            format!(
                "CASE WHEN w.deleted_at IS NULL THEN COALESCE({}, '') ELSE '' END",
                select.folded("w.name")
            )
        }
    };
    Column { sql, tie: Some("t.id") }
}

fn key(sort: TaskSort, task: &TaskSummary) -> Key {
    match sort {
        TaskSort::Index => Key::Number(task.index_in_job),
        TaskSort::Updated => Key::Number(task.updated.timestamp_micros()),
        TaskSort::Name => folded(&task.name),
        TaskSort::Type => Key::Text(task.task_type.clone()),
        TaskSort::Status => Key::Text(task.status.as_str().to_owned()),
        TaskSort::Priority => Key::Number(task.priority),
        TaskSort::Worker => folded(task.worker.as_ref().map_or("", |worker| &worker.name)),
    }
}

#[cfg(test)]
mod tests {
    use flamenco_domain::task::TaskStatus;
    use uuid::Uuid;

    use super::*;
    use crate::testing::TestDatabase;

    #[tokio::test]
    async fn the_usual_order_comes_from_an_index() {
        let database = TestDatabase::sqlite();
        let store = database.open_quietly().await;
        for descending in [false, true] {
            let after = Some(Position { key: Key::Number(7), seq: 7 });
            let paging = Paging { sort: TaskSort::Index, descending, after, limit: Some(100) };
            let select = select(store.read(), 1, &TaskFilter::default());
            let column = column(&select, TaskSort::Index);
            let plan = select.plan(store.read(), &paging, &column).await;
            assert!(plan.contains("(job_id=? AND index_in_job"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
        store.close().await;
    }

    #[tokio::test]
    async fn the_tasks_of_a_worker_and_what_renders_now_are_found_without_reading_the_farm() {
        let database = TestDatabase::sqlite();
        let store = database.open_quietly().await;
        let of_worker = TaskFilter { workers: vec![Uuid::nil().into()], ..TaskFilter::default() };
        let active = TaskFilter { statuses: vec![TaskStatus::Active], ..TaskFilter::default() };
        for (filter, index) in [(of_worker, "ix_tasks_worker (worker_id=?)"), (active, "ix_tasks_active")] {
            let paging = Paging { sort: LastChange, descending: true, after: None, limit: Some(100) };
            let plan =
                select_of_farm(store.read(), &filter).plan(store.read(), &paging, &last_change()).await;
            assert!(plan.contains(index), "{plan}");
        }
        store.close().await;
    }
}
