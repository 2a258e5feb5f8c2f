//! Failures of workers, and the jobs that block them.

use chrono::{DateTime, Utc};
use flamenco_domain::ids::{JobId, TaskId, WorkerId};
use flamenco_domain::job::JobSummary;
use flamenco_domain::task::{TaskSummary, TaskWorker};

use crate::db::{Db, execute, is_postgres, micros, query_all, query_one};
use crate::error::Error;
use uuid::Uuid;

/// A worker that gets no more tasks of one type in a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The worker.
    pub worker: WorkerId,
    /// Its name.
    pub worker_name: String,
    /// The task type.
    pub task_type: String,
}

/// Notes that a worker failed a task; noting it twice is once.
///
/// # Errors
/// When the database cannot be written.
pub async fn add_failure(db: &impl Db, task: i64, worker: i64, now: DateTime<Utc>) -> Result<(), Error> {
    let sql = "INSERT INTO task_failures (task_id, worker_id, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    execute(db, sql, vec![task.into(), worker.into(), micros(now)]).await?;
    Ok(())
}

/// How many workers failed a task.
///
/// # Errors
/// When the database cannot be read.
pub async fn workers_failed(db: &impl Db, task: i64) -> Result<i64, Error> {
    count(db, "SELECT COUNT(*) AS n FROM task_failures WHERE task_id = $1", vec![task.into()]).await
}

/// The workers that failed a task, by name.
///
/// # Errors
/// When the database cannot be read.
pub async fn failed_by(db: &impl Db, task: i64) -> Result<Vec<TaskWorker>, Error> {
    let sql = "SELECT w.id, w.uuid, w.name, w.address FROM task_failures f JOIN workers w ON w.id = f.worker_id WHERE \
               f.task_id = $1 ORDER BY w.name, w.id";
    let rows = query_all(db, sql, vec![task.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(TaskWorker {
                seq: row.get("id")?,
                id: WorkerId(row.get("uuid")?),
                name: row.get("name")?,
                address: row.get("address")?,
            })
        })
        .collect()
}

/// How many tasks of one type in one job a worker failed.
///
/// # Errors
/// When the database cannot be read.
pub async fn failures_of_worker(db: &impl Db, job: i64, worker: i64, task_type: &str) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM task_failures f JOIN tasks t ON t.id = f.task_id WHERE f.worker_id = $1 AND \
               t.job_id = $2 AND t.task_type = $3";
    count(db, sql, vec![worker.into(), job.into(), task_type.into()]).await
}

/// Workers that could still run a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OthersLeft {
    /// How many.
    pub workers: i64,
    /// How many of these are disabled.
    pub disabled: i64,
}

/// How many workers besides `failed` could still run `task`: they exist, support its type, have the job's tag, are not
/// blocked for it and have not failed it. Sleeping, absent and disabled workers count, since they may come back.
///
/// # Errors
/// When the database cannot be read.
pub async fn others_left(
    db: &impl Db,
    job: &JobSummary,
    task: &TaskSummary,
    failed: i64,
) -> Result<OthersLeft, Error> {
    let sql = "SELECT COUNT(*) AS n, COUNT(w.disabled_at) AS disabled FROM workers w WHERE w.deleted_at IS NULL AND w.id <> $1 AND \
               REPLACE(',' || w.task_types || ',', ',' || $2 || ',', '') <> ',' || w.task_types || ',' \
               AND NOT EXISTS (SELECT 1 FROM job_blocks b WHERE b.job_id = $3 AND b.worker_id = w.id AND b.task_type = $2) \
               AND NOT EXISTS (SELECT 1 FROM task_failures f WHERE f.task_id = $4 AND f.worker_id = w.id) \
               AND (NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = $3 AND j.worker_tag_id IS NOT NULL) \
               OR EXISTS (SELECT 1 FROM jobs j JOIN worker_tag_membership m ON m.worker_tag_id = j.worker_tag_id \
               WHERE j.id = $3 AND m.worker_id = w.id))";
    let values = vec![failed.into(), task.task_type.as_str().into(), job.seq.into(), task.seq.into()];
    let row = query_one(db, sql, values).await?;
    let row = row.ok_or_else(|| Error::Corrupt("a count gave no row".to_owned()))?;
    Ok(OthersLeft { workers: row.get("n")?, disabled: row.get("disabled")? })
}

// Whether a worker supports a type is told by what is left of its types without it: names are compared as they are, and
// both databases know how. With LIKE, `my_type` would be supported by whoever has `my-type`.

/// A condition that no worker is left for tasks of a type in a job `j`: they do not exist, do not support the type
/// (`$type`), lack the job's tag, are blocked, or meet what `$unless` adds about worker `w`.
macro_rules! nobody_left {
    ($type:literal, $unless:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM workers w WHERE w.deleted_at IS NULL AND ",
            "REPLACE(',' || w.task_types || ',', ',' || ",
            $type,
            " || ',', '') <> ',' || w.task_types || ',' AND NOT EXISTS (SELECT 1 FROM job_blocks x WHERE x.job_id = j.id AND x.worker_id = w.id AND ",
            "x.task_type = ",
            $type,
            ") AND (j.worker_tag_id IS NULL OR EXISTS (SELECT 1 FROM worker_tag_membership m WHERE m.worker_tag_id ",
            "= j.worker_tag_id AND m.worker_id = w.id))",
            $unless,
            ")"
        )
    };
}

/// Work that failed on some workers and that none of the others can do any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranded {
    /// The job.
    pub job: JobId,
    /// A task that nobody is left for; `None` when it is all tasks of the type.
    pub task: Option<TaskId>,
    /// The task type.
    pub task_type: String,
}

/// What is stranded, in jobs that could otherwise go on. Work that never failed anywhere is not: it waits for workers
/// to come. Its cost follows the number of failures, not of tasks.
///
/// # Errors
/// When the database cannot be read.
pub async fn stranded(db: &impl Db) -> Result<Vec<Stranded>, Error> {
    let tasks = concat!(
        "SELECT DISTINCT j.uuid AS job, t.uuid AS task, t.task_type FROM task_failures f JOIN tasks t ON t.id = f.task_id ",
        "JOIN jobs j ON j.id = t.job_id WHERE t.status = 'soft-failed' AND j.status IN ('active', 'queued') AND ",
        nobody_left!(
            "t.task_type",
            " AND NOT EXISTS (SELECT 1 FROM task_failures g WHERE g.task_id = t.id AND g.worker_id = w.id)"
        )
    );
    let types = concat!(
        "SELECT DISTINCT j.uuid AS job, CAST(NULL AS {uuid}) AS task, b.task_type FROM job_blocks b JOIN jobs j ON ",
        "j.id = b.job_id JOIN queues q ON q.job_id = b.job_id AND q.task_type = b.task_type WHERE q.runnable > 0 AND ",
        "j.status IN ('active', 'queued') AND ",
        nobody_left!("b.task_type", "")
    );
    let types = types.replace("{uuid}", if is_postgres(db) { "UUID" } else { "BLOB" });
    let mut rows = query_all(db, tasks, vec![]).await?;
    rows.extend(query_all(db, &types, vec![]).await?);
    rows.iter()
        .map(|row| {
            Ok(Stranded {
                job: JobId(row.get("job")?),
                task: row.get::<Option<Uuid>>("task")?.map(TaskId),
                task_type: row.get("task_type")?,
            })
        })
        .collect()
}

/// Puts a worker on a job's blocklist; twice is once.
///
/// # Errors
/// When the database cannot be written.
pub async fn block(
    db: &impl Db,
    job: i64,
    worker: i64,
    task_type: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = "INSERT INTO job_blocks (job_id, worker_id, task_type, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT \
               DO NOTHING";
    execute(db, sql, vec![job.into(), worker.into(), task_type.into(), micros(now)]).await?;
    Ok(())
}

/// A job's blocklist, by name of the worker.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_job(db: &impl Db, job: i64) -> Result<Vec<Block>, Error> {
    let sql = "SELECT w.uuid, w.name, b.task_type FROM job_blocks b JOIN workers w ON w.id = b.worker_id WHERE \
               b.job_id = $1 ORDER BY w.name, b.task_type";
    let rows = query_all(db, sql, vec![job.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Block {
                worker: WorkerId(row.get("uuid")?),
                worker_name: row.get("name")?,
                task_type: row.get("task_type")?,
            })
        })
        .collect()
}

/// Takes a worker off a job's blocklist for one task type, and forgets its failures there, so that one more failure
/// does not block it at once. An entry that does not exist is fine.
///
/// # Errors
/// When the database cannot be written.
pub async fn unblock(db: &impl Db, job: i64, worker: WorkerId, task_type: &str) -> Result<(), Error> {
    let sql = "DELETE FROM job_blocks WHERE job_id = $1 AND task_type = $2 AND worker_id = (SELECT id FROM workers \
               WHERE uuid = $3)";
    execute(db, sql, vec![job.into(), task_type.into(), worker.0.into()]).await?;
    let sql = "DELETE FROM task_failures WHERE worker_id = (SELECT id FROM workers WHERE uuid = $3) AND task_id IN \
               (SELECT id FROM tasks WHERE job_id = $1 AND task_type = $2)";
    execute(db, sql, vec![job.into(), task_type.into(), worker.0.into()]).await?;
    Ok(())
}

/// Forgets every failure and the whole blocklist of a job.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget_job(db: &impl Db, job: i64) -> Result<(), Error> {
    execute(db, "DELETE FROM job_blocks WHERE job_id = $1", vec![job.into()]).await?;
    let sql = "DELETE FROM task_failures WHERE task_id IN (SELECT id FROM tasks WHERE job_id = $1)";
    execute(db, sql, vec![job.into()]).await?;
    Ok(())
}

/// Forgets who failed one task.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget_task(db: &impl Db, task: i64) -> Result<(), Error> {
    execute(db, "DELETE FROM task_failures WHERE task_id = $1", vec![task.into()]).await?;
    Ok(())
}

async fn count(db: &impl Db, sql: &str, values: Vec<sea_orm::Value>) -> Result<i64, Error> {
    query_one(db, sql, values).await?.map_or(Ok(0), |row| row.get("n"))
}

/// How many tasks each worker has failed since a moment that nobody has cured yet, with the worker's name.
///
/// # Errors
/// When the database cannot be read.
pub async fn failures_since(
    db: &impl Db,
    since: DateTime<Utc>,
) -> Result<Vec<((WorkerId, String), i64)>, Error> {
    let sql = "SELECT w.uuid, w.name, COUNT(*) AS failures FROM task_failures f JOIN workers w ON w.id = f.worker_id WHERE \
               f.created_at >= $1 AND w.deleted_at IS NULL GROUP BY w.uuid, w.name";
    query_all(db, sql, vec![micros(since)])
        .await?
        .iter()
        .map(|row| Ok(((WorkerId(row.get("uuid")?), row.get("name")?), row.get("failures")?)))
        .collect()
}
