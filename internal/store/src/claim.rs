//! Which task a worker gets next: the query that the whole farm waits for.
//!
//! The rule is `flamenco_domain::eligibility`. Looking for the first task that fits in order of priority is quick only
//! when it is near the front; with a hundred thousand tasks for others before it, or none at all, it would look at
//! every one. So each (job, task type, task priority) has a row in `queues`, its *queue head*, with the number of
//! runnable tasks behind it. For every pair of a tag of the worker (0 stands for none) and a task type that it
//! supports, one index seek finds the first head that it may take from; the best of those few gives the task. The cost
//! does not depend on how many tasks are queued (`reference/store.md`).

use flamenco_domain::task::Task;
use flamenco_domain::worker::Worker;

use crate::db::{Db, is_postgres, query_one};
use crate::error::Error;
use crate::tasks::{select_task, whole};

/// The task that a worker already has, if any: a worker that lost an answer, or was restarted, gets it again.
///
/// # Errors
/// When the database cannot be read.
pub async fn unfinished(db: &impl Db, worker: i64) -> Result<Option<Task>, Error> {
    let sql = select_task!(
        ", t.commands",
        "WHERE t.worker_id = $1 AND t.status = 'active' AND j.status IN ('active', 'queued', 'pause-requested') \
         ORDER BY t.id LIMIT 1"
    );
    query_one(db, sql, vec![worker.into()]).await?.map(|row| whole(&row)).transpose()
}

/// The best task for a worker, or nothing. Only finds it; the caller assigns it in the same transaction.
///
/// # Errors
/// When the database cannot be read.
pub async fn next(db: &impl Db, worker: &Worker, tags: &[i64]) -> Result<Option<Task>, Error> {
    if worker.task_types.is_empty() {
        return Ok(None);
    }
    let sql = statement(worker.task_types.len(), tags.len(), is_postgres(db));
    let mut values = vec![worker.seq.into()];
    values.extend(worker.task_types.iter().map(|name| name.as_str().into()));
    values.extend(tags.iter().map(|tag| (*tag).into()));
    query_one(db, &sql, values).await?.map(|row| whole(&row)).transpose()
}

/// The database keys of the tags of a worker.
///
/// # Errors
/// When the database cannot be read.
pub async fn tag_keys(db: &impl Db, worker: i64) -> Result<Vec<i64>, Error> {
    let sql = "SELECT worker_tag_id FROM worker_tag_membership WHERE worker_id = $1 ORDER BY worker_tag_id";
    let rows = crate::db::query_all(db, sql, vec![worker.into()]).await?;
    rows.iter().map(|row| row.get("worker_tag_id")).collect()
}

/// The text depends only on how many types and tags there are, so few texts exist, and the database knows them.
fn statement(types: usize, tags: usize, postgres: bool) -> String {
    let mut scopes = Vec::with_capacity(types * (tags + 1));
    for task_type in 0..types {
        let name = if postgres {
            format!("CAST(${} AS TEXT)", task_type + 2)
        } else {
            format!("${}", task_type + 2)
        };
        scopes.push(format!("SELECT {name} AS task_type, 0 AS tag_id"));
        for tag in 0..tags {
            let place = types + tag + 2;
            let key = if postgres { format!("CAST(${place} AS BIGINT)") } else { format!("${place}") };
            scopes.push(format!("SELECT {name}, {key}"));
        }
    }
    let lock = if postgres { " FOR UPDATE OF t SKIP LOCKED" } else { "" };
    format!("{}{}{}{lock}", CLAIM_START, scopes.join(" UNION ALL "), CLAIM_END)
}

const CLAIM_START: &str = "WITH scopes AS (";
const CLAIM_END: &str = concat!(
    "), heads AS MATERIALIZED (SELECT (",
    "SELECT q.id FROM queues q WHERE q.tag_id = s.tag_id AND q.task_type = s.task_type ",
    "AND q.runnable > 0 AND q.job_active = 1 ",
    "AND NOT EXISTS (SELECT 1 FROM job_blocks b WHERE b.worker_id = $1 AND b.job_id = q.job_id ",
    "AND b.task_type = q.task_type) ",
    "AND EXISTS (SELECT 1 FROM tasks k WHERE k.job_id = q.job_id AND k.task_type = q.task_type ",
    "AND k.priority = q.priority AND k.runnable = 1 ",
    "AND NOT EXISTS (SELECT 1 FROM task_failures f WHERE f.task_id = k.id AND f.worker_id = $1)) ",
    "ORDER BY q.job_priority DESC, q.priority DESC, q.job_id LIMIT 1) AS queue_id FROM scopes s), ",
    // Heads of different types may tie in both priorities and the job; then the earlier task decides.
    "firsts AS MATERIALIZED (SELECT q.job_priority, q.priority, q.job_id, (",
    "SELECT k.id FROM tasks k WHERE k.job_id = q.job_id AND k.task_type = q.task_type ",
    "AND k.priority = q.priority AND k.runnable = 1 ",
    "AND NOT EXISTS (SELECT 1 FROM task_failures f WHERE f.task_id = k.id AND f.worker_id = $1) ",
    "ORDER BY k.index_in_job LIMIT 1) AS task_id FROM heads h JOIN queues q ON q.id = h.queue_id) ",
    select_task!(
        ", t.commands",
        "WHERE t.id = (SELECT f.task_id FROM firsts f JOIN tasks k ON k.id = f.task_id \
         ORDER BY f.job_priority DESC, f.priority DESC, f.job_id, k.index_in_job LIMIT 1) AND t.runnable = 1"
    )
);
