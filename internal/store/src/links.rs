//! The tasks that a task waits for, and those that wait for it.

use std::collections::HashSet;

use flamenco_domain::job::TaskCounts;
use flamenco_domain::task::{TaskStatus, TaskSummary};

use crate::db::{Db, query_all, query_one};
use crate::error::Error;
use crate::tasks::{select_task, summary};

/// Which way to look from a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The tasks that it waits for.
    WaitsFor,
    /// The tasks that wait for it.
    NeededBy,
}

/// How many there are, by status.
///
/// # Errors
/// When the database cannot be read.
pub async fn counts(db: &impl Db, task: i64, direction: Direction) -> Result<TaskCounts, Error> {
    let sql = match direction {
        Direction::WaitsFor => {
            "SELECT t.status, COUNT(*) AS n FROM task_dependencies d JOIN tasks t ON t.id = d.dependency_id WHERE \
             d.task_id = $1 GROUP BY t.status"
        }
        Direction::NeededBy => {
            "SELECT t.status, COUNT(*) AS n FROM task_dependencies d JOIN tasks t ON t.id = d.task_id WHERE \
             d.dependency_id = $1 GROUP BY t.status"
        }
    };
    let mut counts = TaskCounts::default();
    for row in query_all(db, sql, vec![task.into()]).await? {
        *counts.of_mut(row.parse("status")?) = row.get("n")?;
    }
    Ok(counts)
}

/// Those in one of some statuses (in whichever, when there are none), in the order of their place in the job, at most
/// `limit` after a place.
///
/// # Errors
/// When the database cannot be read.
pub async fn page(
    db: &impl Db,
    task: i64,
    direction: Direction,
    statuses: &[TaskStatus],
    after: i64,
    limit: i64,
) -> Result<Vec<TaskSummary>, Error> {
    let select = match direction {
        Direction::WaitsFor => select_task!(
            "",
            "WHERE t.id IN (SELECT d.dependency_id FROM task_dependencies d WHERE d.task_id = $1) AND t.index_in_job > $2"
        ),
        Direction::NeededBy => select_task!(
            "",
            "WHERE t.id IN (SELECT d.task_id FROM task_dependencies d WHERE d.dependency_id = $1) AND t.index_in_job > $2"
        ),
    };
    // The statuses are our own words, not anybody's input.
    let words: Vec<_> = statuses.iter().map(|status| format!("'{status}'")).collect();
    let among =
        if words.is_empty() { String::new() } else { format!(" AND t.status IN ({})", words.join(", ")) };
    let sql = format!("{select}{among} ORDER BY t.index_in_job LIMIT $3");
    query_all(db, &sql, vec![task.into(), after.into(), limit.into()]).await?.iter().map(summary).collect()
}

/// What of a job decides who may have one of its tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gate {
    /// Whether the job is being deleted.
    pub job_deleted: bool,
    /// Database key of its tag.
    pub tag: Option<i64>,
    /// Database keys of the workers on its blocklist for the type of the task.
    pub blocked: HashSet<i64>,
    /// Database keys of the workers that failed the task.
    pub failed: HashSet<i64>,
}

/// Who may have a task.
///
/// # Errors
/// When the database cannot be read.
pub async fn gate(db: &impl Db, task: &TaskSummary) -> Result<Gate, Error> {
    let sql = "SELECT worker_tag_id, delete_requested_at FROM jobs WHERE id = $1";
    let Some(row) = query_one(db, sql, vec![task.job_seq.into()]).await? else { return Ok(Gate::default()) };
    let sql = "SELECT worker_id FROM job_blocks WHERE job_id = $1 AND task_type = $2";
    let blocked = query_all(db, sql, vec![task.job_seq.into(), task.task_type.as_str().into()]).await?;
    let sql = "SELECT worker_id FROM task_failures WHERE task_id = $1";
    let failed = query_all(db, sql, vec![task.seq.into()]).await?;
    Ok(Gate {
        job_deleted: row.get::<Option<i64>>("delete_requested_at")?.is_some(),
        tag: row.get("worker_tag_id")?,
        blocked: blocked.iter().map(|row| row.get("worker_id")).collect::<Result<_, _>>()?,
        failed: failed.iter().map(|row| row.get("worker_id")).collect::<Result<_, _>>()?,
    })
}
