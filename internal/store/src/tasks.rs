//! Tasks, and what every change of one does to the counters of its job and to the queue heads.

use chrono::{DateTime, Utc};
use flamenco_domain::event::Event;
use flamenco_domain::ids::{JobId, TaskId, WorkerId};
use flamenco_domain::job::{JobStatus, JobSummary, MassChange};
use flamenco_domain::task::{Task, TaskStatus, TaskSummary, TaskWorker};
use uuid::Uuid;

use crate::batch::{flush_queues, flush_tasks};
use crate::db::{
    Db, Row, execute, execute_returning, is_postgres, micros, optional_micros, query_all, query_one, storable,
};
use crate::error::Error;
use crate::writer::Tx;

/// The columns of a task with its job's id and its worker, for queries whose task is `t`.
macro_rules! select_task {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT t.id, t.uuid, t.job_id, j.uuid AS job_uuid, t.index_in_job, t.name, t.task_type, t.priority, ",
            "t.status, t.activity, t.steps_completed, t.steps_total, t.unmet_deps, t.created_at, t.updated_at, ",
            "t.last_touched_at, t.started_at, t.ended_at, t.worker_id, w.uuid AS worker_uuid, w.name AS worker_name, ",
            "w.address AS worker_address, w.deleted_at AS worker_deleted",
            $columns,
            " FROM tasks t JOIN jobs j ON j.id = t.job_id LEFT JOIN workers w ON w.id = t.worker_id ",
            $rest
        )
    };
}
pub(crate) use select_task;

pub(crate) fn summary(row: &Row) -> Result<TaskSummary, Error> {
    let deleted = row.get::<Option<i64>>("worker_deleted")?.is_some();
    let worker = match row.get::<Option<Uuid>>("worker_uuid")? {
        None => None,
        Some(id) => Some(TaskWorker {
            seq: row.get("worker_id")?,
            id: WorkerId(id),
            name: if deleted { String::new() } else { row.get("worker_name")? },
            address: if deleted { String::new() } else { row.get("worker_address")? },
        }),
    };
    Ok(TaskSummary {
        seq: row.get("id")?,
        id: TaskId(row.get("uuid")?),
        job_seq: row.get("job_id")?,
        job_id: JobId(row.get("job_uuid")?),
        index_in_job: row.get("index_in_job")?,
        name: row.get("name")?,
        task_type: row.get("task_type")?,
        priority: row.get("priority")?,
        status: row.parse("status")?,
        activity: row.get("activity")?,
        worker,
        steps_completed: row.get("steps_completed")?,
        steps_total: row.get("steps_total")?,
        unmet_dependencies: row.get("unmet_deps")?,
        created: row.time("created_at")?,
        updated: row.time("updated_at")?,
        last_touched: row.optional_time("last_touched_at")?,
        started: row.optional_time("started_at")?,
        ended: row.optional_time("ended_at")?,
    })
}

pub(crate) fn whole(row: &Row) -> Result<Task, Error> {
    Ok(Task { summary: summary(row)?, commands: row.json("commands")? })
}

/// A task by its id.
///
/// # Errors
/// When the database cannot be read.
pub async fn find(db: &impl Db, id: TaskId) -> Result<Option<Task>, Error> {
    let sql = select_task!(", t.commands", "WHERE t.uuid = $1 AND j.status <> 'under-construction'");
    query_one(db, sql, vec![id.0.into()]).await?.map(|row| whole(&row)).transpose()
}

/// A task by its id, locked against other managers until the transaction ends.
///
/// # Errors
/// When the database cannot be read.
pub async fn lock(tx: &Tx, id: TaskId) -> Result<Option<TaskSummary>, Error> {
    if tx.is_hot()
        && let Some(task) = tx.batch(|batch| batch.task(id))
    {
        return Ok(Some(task));
    }
    let sql = if is_postgres(tx) {
        select_task!("", "WHERE t.uuid = $1 AND j.status <> 'under-construction' FOR UPDATE OF j, t")
    } else {
        select_task!("", "WHERE t.uuid = $1 AND j.status <> 'under-construction'")
    };
    query_one(tx, sql, vec![id.0.into()]).await?.map(|row| summary(&row)).transpose()
}

/// As [`lock`], many of them on PostgreSQL, in the same order in every manager.
pub(crate) async fn lock_all(tx: &Tx, ids: &[TaskId]) -> Result<Vec<TaskSummary>, Error> {
    let sql = select_task!(
        "",
        "WHERE t.uuid = ANY(CAST($1 AS UUID[])) \
         AND j.status <> 'under-construction' ORDER BY t.id FOR UPDATE OF j, t"
    );
    query_all(tx, sql, vec![array(ids).into()]).await?.iter().map(summary).collect()
}

/// Ids as PostgreSQL writes an array. Of an array it expects few, and looks for them by their index.
fn array(ids: &[TaskId]) -> String {
    format!("{{{}}}", ids.iter().map(TaskId::to_string).collect::<Vec<_>>().join(","))
}

/// Makes the database know what became of tasks so far, for a hot operation that looks at them by statements other than
/// [`lock`] and [`claim::next`](crate::claim::next).
///
/// # Errors
/// When the database cannot be written.
pub async fn settle(tx: &Tx) -> Result<(), Error> {
    flush_tasks(tx).await
}

/// A task by its id, without its commands, and the status of its job.
///
/// # Errors
/// When the database cannot be read.
pub async fn look(db: &impl Db, id: TaskId) -> Result<Option<(TaskSummary, JobStatus)>, Error> {
    let sql =
        select_task!(", j.status AS job_status", "WHERE t.uuid = $1 AND j.status <> 'under-construction'");
    let row = query_one(db, sql, vec![id.0.into()]).await?;
    row.map(|row| Ok((summary(&row)?, row.parse("job_status")?))).transpose()
}

/// As [`look`], many of them on PostgreSQL; those that do not exist are left out.
pub(crate) async fn look_at(db: &impl Db, ids: &[TaskId]) -> Result<Vec<(TaskSummary, JobStatus)>, Error> {
    let sql = select_task!(
        ", j.status AS job_status",
        "WHERE t.uuid = ANY(CAST($1 AS UUID[])) \
         AND j.status <> 'under-construction'"
    );
    let rows = query_all(db, sql, vec![array(ids).into()]).await?;
    rows.iter().map(|row| Ok((summary(row)?, row.parse("job_status")?))).collect()
}

/// The tasks of a job in the order in which its script added them.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_job(db: &impl Db, job: JobId) -> Result<Vec<TaskSummary>, Error> {
    let sql =
        select_task!("", "WHERE j.uuid = $1 AND j.status <> 'under-construction' ORDER BY t.index_in_job");
    query_all(db, sql, vec![job.0.into()]).await?.iter().map(summary).collect()
}

/// The active tasks of a worker, over all jobs.
///
/// # Errors
/// When the database cannot be read.
pub async fn active_of_worker(db: &impl Db, worker: i64) -> Result<Vec<TaskSummary>, Error> {
    let sql = select_task!("", "WHERE t.worker_id = $1 AND t.status = 'active' ORDER BY t.id");
    query_all(db, sql, vec![worker.into()]).await?.iter().map(summary).collect()
}

/// Whether any task is active.
///
/// # Errors
/// When the database cannot be read.
pub async fn any_active(db: &impl Db) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM tasks WHERE status = 'active' LIMIT 1";
    Ok(query_one(db, sql, vec![]).await?.is_some())
}

/// The tasks of one type that a worker failed for good in a job.
///
/// # Errors
/// When the database cannot be read.
pub async fn failed_of_worker(
    db: &impl Db,
    job: i64,
    worker: i64,
    task_type: &str,
) -> Result<Vec<TaskSummary>, Error> {
    let sql = select_task!(
        "",
        "WHERE t.job_id = $1 AND t.status = 'failed' AND t.worker_id = $2 AND t.task_type = $3 ORDER BY t.id"
    );
    query_all(db, sql, vec![job.into(), worker.into(), task_type.into()]).await?.iter().map(summary).collect()
}

/// Active tasks of which nothing was heard since `before`.
///
/// # Errors
/// When the database cannot be read.
pub async fn untouched_since(db: &impl Db, before: DateTime<Utc>) -> Result<Vec<TaskSummary>, Error> {
    let sql = select_task!("", "WHERE t.status = 'active' AND t.last_touched_at <= $1 ORDER BY t.id");
    query_all(db, sql, vec![micros(before)]).await?.iter().map(summary).collect()
}

/// Notes that a task's worker gave a sign of life for it.
///
/// # Errors
/// When the database cannot be written.
pub async fn touch(tx: &Tx, task: i64, now: DateTime<Utc>) -> Result<(), Error> {
    tx.note_write();
    tx.batch(|batch| batch.touch(task, now));
    if tx.is_hot() { Ok(()) } else { crate::batch::flush(tx).await }
}

/// Stores what can change of a task, as it stands in `task`.
///
/// # Errors
/// When the database cannot be written.
pub async fn save(tx: &Tx, task: &TaskSummary) -> Result<(), Error> {
    if tx.is_hot() && is_postgres(tx) {
        storable(&task.activity)?;
        tx.note_write();
        tx.batch(|batch| batch.change_task(task.clone()));
        return Ok(());
    }
    let sql = "UPDATE tasks SET status = $1, activity = $2, worker_id = $3, steps_completed = $4, runnable = $5, \
               last_touched_at = $6, updated_at = $7, started_at = $8, ended_at = $9 WHERE id = $10";
    let values = vec![
        task.status.as_str().into(),
        task.activity.as_str().into(),
        task.worker.as_ref().map(|worker| worker.seq).into(),
        task.steps_completed.into(),
        i64::from(task.is_runnable()).into(),
        optional_micros(task.last_touched),
        micros(task.updated),
        optional_micros(task.started),
        optional_micros(task.ended),
        task.seq.into(),
    ];
    execute(tx, sql, values).await?;
    Ok(())
}

/// Moves one task to another status in memory and in the rows that depend on it: the counters and steps of `job`
/// (which the caller saves), the tasks that wait for it, and the queue heads. The caller saves the task as well.
///
/// # Errors
/// When the database cannot be written.
pub async fn change_status(
    tx: &Tx,
    job: &mut JobSummary,
    task: &mut TaskSummary,
    to: TaskStatus,
) -> Result<(), Error> {
    let from = task.status;
    if from == to {
        return Ok(());
    }
    let was_runnable = task.is_runnable();
    let steps_before = task.steps_completed;
    task.status = to;
    match to {
        TaskStatus::Completed => task.steps_completed = task.steps_total,
        TaskStatus::Queued => task.steps_completed = 0,
        _ => {}
    }
    job.steps_completed += task.steps_completed - steps_before;
    job.counts = job.counts.moved(from, to);
    let delta = i64::from(task.is_runnable()) - i64::from(was_runnable);
    if delta != 0 {
        add_runnable(tx, job, &task.task_type, task.priority, delta).await?;
    }
    if to == TaskStatus::Completed {
        release_dependants(tx, job, task.seq).await?;
    } else if from == TaskStatus::Completed {
        hold_dependants(tx, job, task.seq).await?;
    }
    Ok(())
}

async fn add_runnable(
    tx: &Tx,
    job: &mut JobSummary,
    task_type: &str,
    priority: i64,
    delta: i64,
) -> Result<(), Error> {
    tx.note_write();
    tx.batch(|batch| batch.add_runnable(job.seq, task_type, priority, delta));
    // What became runnable must be found by the next operation of the batch; what is gone is not found by itself.
    if delta > 0 || !tx.is_hot() {
        flush_queues(tx).await?;
    }
    job.runnable += delta;
    if delta > 0 {
        tx.announce(Event::WorkAvailable);
    }
    Ok(())
}

/// Tasks that waited for `task` wait for one task less; those that wait for none become runnable.
async fn release_dependants(tx: &Tx, job: &mut JobSummary, task: i64) -> Result<(), Error> {
    if tx.batch(|batch| batch.has_waiting_task()) {
        flush_tasks(tx).await?;
    }
    let sql = "UPDATE tasks SET unmet_deps = unmet_deps - 1, runnable = CASE WHEN unmet_deps = 1 AND status IN \
               ('queued', 'soft-failed') THEN 1 ELSE 0 END WHERE id IN (SELECT task_id FROM task_dependencies WHERE \
               dependency_id = $1) RETURNING task_type, priority, runnable";
    let rows = execute_returning(tx, sql, vec![task.into()]).await?;
    for ((task_type, priority), number) in grouped(&rows)? {
        add_runnable(tx, job, &task_type, priority, number).await?;
    }
    Ok(())
}

/// The reverse: `task` is to be done again, so what depends on it has to wait.
async fn hold_dependants(tx: &Tx, job: &mut JobSummary, task: i64) -> Result<(), Error> {
    flush_tasks(tx).await?;
    let sql = "SELECT task_type, priority, runnable FROM tasks WHERE runnable = 1 AND id IN (SELECT task_id FROM \
               task_dependencies WHERE dependency_id = $1)";
    let rows = query_all(tx, sql, vec![task.into()]).await?;
    for ((task_type, priority), number) in grouped(&rows)? {
        add_runnable(tx, job, &task_type, priority, -number).await?;
    }
    let sql = "UPDATE tasks SET unmet_deps = unmet_deps + 1, runnable = 0 WHERE id IN (SELECT task_id FROM \
               task_dependencies WHERE dependency_id = $1)";
    execute(tx, sql, vec![task.into()]).await?;
    Ok(())
}

/// Runnable rows by task type and priority.
fn grouped(rows: &[Row]) -> Result<std::collections::BTreeMap<(String, i64), i64>, Error> {
    let mut groups = std::collections::BTreeMap::new();
    for row in rows {
        let runnable: i64 = row.get("runnable")?;
        if runnable == 1 {
            *groups.entry((row.get("task_type")?, row.get("priority")?)).or_default() += 1;
        }
    }
    Ok(groups)
}

/// Moves every task of a job that `change` speaks of, and brings counters, steps, waiting tasks and queue heads in
/// line. The caller saves the job.
///
/// # Errors
/// When the database cannot be written.
pub async fn mass_change(
    tx: &Tx,
    job: &mut JobSummary,
    change: MassChange,
    activity: &str,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let after = job.counts.after(change);
    if after == job.counts {
        return Ok(());
    }
    flush_tasks(tx).await?;
    flush_queues(tx).await?;
    let from = change.from.iter().map(|status| format!("'{status}'")).collect::<Vec<_>>().join(", ");
    let (steps, touched, only) = if change.to == TaskStatus::Queued {
        // A paused task goes on with what it was at; the others start anew. One that is done does all of it again.
        (
            "0",
            "CASE WHEN status = 'paused' THEN last_touched_at ELSE NULL END",
            "CASE WHEN status = 'completed' THEN '' ELSE only_frames END",
        )
    } else {
        ("steps_completed", "last_touched_at", "only_frames")
    };
    // The statuses are our own words, not anybody's input; a status in the condition must be a literal.
    let sql = format!(
        "UPDATE tasks SET status = '{}', activity = $1, updated_at = $2, steps_completed = {steps}, \
         last_touched_at = {touched}, only_frames = {only}, ended_at = CASE WHEN status = 'active' THEN $2 ELSE ended_at \
         END WHERE job_id = $3 AND status IN ({from})",
        change.to
    );
    execute(tx, &sql, vec![activity.into(), micros(now), job.seq.into()]).await?;
    job.counts = after;
    recompute(tx, job, change.from.contains(&TaskStatus::Completed)).await
}

/// Recomputes what follows from the statuses of a job's tasks.
async fn recompute(tx: &Tx, job: &mut JobSummary, dependencies_changed: bool) -> Result<(), Error> {
    if dependencies_changed {
        let sql = "UPDATE tasks SET unmet_deps = (SELECT COUNT(*) FROM task_dependencies d JOIN tasks p ON p.id = \
                   d.dependency_id WHERE d.task_id = tasks.id AND p.status <> 'completed') WHERE job_id = $1";
        execute(tx, sql, vec![job.seq.into()]).await?;
    }
    let sql = "UPDATE tasks SET runnable = CASE WHEN unmet_deps = 0 AND status IN ('queued', 'soft-failed') THEN 1 \
               ELSE 0 END WHERE job_id = $1";
    execute(tx, sql, vec![job.seq.into()]).await?;
    let sql = "UPDATE queues SET runnable = (SELECT COUNT(*) FROM tasks t WHERE t.job_id = queues.job_id AND \
               t.task_type = queues.task_type AND t.priority = queues.priority AND t.runnable = 1) WHERE job_id = $1";
    execute(tx, sql, vec![job.seq.into()]).await?;
    let sql = "SELECT CAST(COALESCE(SUM(runnable), 0) AS BIGINT) AS runnable, CAST(COALESCE(SUM(steps_completed), 0) \
               AS BIGINT) AS steps FROM tasks WHERE job_id = $1";
    if let Some(row) = query_one(tx, sql, vec![job.seq.into()]).await? {
        job.runnable = row.get("runnable")?;
        job.steps_completed = row.get("steps")?;
    }
    if job.runnable > 0 {
        tx.announce(Event::WorkAvailable);
    }
    Ok(())
}
