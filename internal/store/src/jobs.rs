//! Jobs.

use chrono::{DateTime, Utc};
use flamenco_domain::event::Event;
use flamenco_domain::ids::{JobId, TagId};
use flamenco_domain::job::{Job, JobStatus, JobSummary, TaskCounts};
use uuid::Uuid;

use crate::db::{Db, Row, execute, is_postgres, micros, optional_micros, query_all, query_one};
use crate::error::Error;
use crate::writer::Tx;

macro_rules! select_job {
    ($rest:literal) => {
        concat!(
            "SELECT j.id, j.uuid, j.name, j.job_type, j.priority, j.status, j.activity, j.shaman_checkout_id, ",
            "j.delete_requested_at, j.steps_completed, j.steps_total, j.tasks_queued, j.tasks_soft_failed, ",
            "j.tasks_active, j.tasks_completed, j.tasks_failed, j.tasks_canceled, j.tasks_paused, j.tasks_runnable, ",
            "j.created_at, j.updated_at, j.settings, j.metadata, g.uuid AS tag_uuid ",
            "FROM jobs j LEFT JOIN worker_tags g ON g.id = j.worker_tag_id ",
            $rest
        )
    };
}
pub(crate) use select_job;

fn summary(row: &Row) -> Result<JobSummary, Error> {
    Ok(JobSummary {
        seq: row.get("id")?,
        id: JobId(row.get("uuid")?),
        name: row.get("name")?,
        job_type: row.get("job_type")?,
        priority: row.get("priority")?,
        status: row.parse("status")?,
        activity: row.get("activity")?,
        created: row.time("created_at")?,
        updated: row.time("updated_at")?,
        delete_requested: row.optional_time("delete_requested_at")?,
        worker_tag: row.get::<Option<Uuid>>("tag_uuid")?.map(TagId),
        shaman_checkout_id: row.get("shaman_checkout_id")?,
        steps_completed: row.get("steps_completed")?,
        steps_total: row.get("steps_total")?,
        counts: TaskCounts {
            queued: row.get("tasks_queued")?,
            soft_failed: row.get("tasks_soft_failed")?,
            active: row.get("tasks_active")?,
            completed: row.get("tasks_completed")?,
            failed: row.get("tasks_failed")?,
            canceled: row.get("tasks_canceled")?,
            paused: row.get("tasks_paused")?,
        },
        runnable: row.get("tasks_runnable")?,
    })
}

pub(crate) fn whole(row: &Row) -> Result<Job, Error> {
    Ok(Job { summary: summary(row)?, settings: row.json("settings")?, metadata: row.json("metadata")? })
}

/// A job by its id. Jobs that are still being stored are not found: nobody was told that they exist.
///
/// # Errors
/// When the database cannot be read.
pub async fn find(db: &impl Db, id: JobId) -> Result<Option<Job>, Error> {
    let sql = select_job!("WHERE j.uuid = $1 AND j.status <> 'under-construction'");
    query_one(db, sql, vec![id.0.into()]).await?.map(|row| whole(&row)).transpose()
}

/// A job by its id, without its documents, locked against other managers until the transaction ends.
///
/// # Errors
/// When the database cannot be read.
pub async fn lock(tx: &Tx, id: JobId) -> Result<Option<JobSummary>, Error> {
    if tx.is_hot()
        && let Some(job) = tx.batch(|batch| batch.job(id))
    {
        return Ok(Some(job));
    }
    let sql = if is_postgres(tx) {
        select_job!("WHERE j.uuid = $1 AND j.status <> 'under-construction' FOR UPDATE OF j")
    } else {
        select_job!("WHERE j.uuid = $1 AND j.status <> 'under-construction'")
    };
    let job = query_one(tx, sql, vec![id.0.into()]).await?.map(|row| summary(&row)).transpose()?;
    if tx.is_hot()
        && let Some(job) = &job
    {
        tx.batch(|batch| batch.hold(job.clone()));
    }
    Ok(job)
}

/// All jobs, the newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn all(db: &impl Db) -> Result<Vec<Job>, Error> {
    let sql = select_job!("WHERE j.status <> 'under-construction' ORDER BY j.id DESC");
    query_all(db, sql, vec![]).await?.iter().map(whole).collect()
}

/// The ids of the jobs in one status, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn ids_in_status(db: &impl Db, status: JobStatus) -> Result<Vec<JobId>, Error> {
    let sql = "SELECT uuid FROM jobs WHERE status = $1 ORDER BY id";
    let rows = query_all(db, sql, vec![status.as_str().into()]).await?;
    rows.iter().map(|row| row.get("uuid").map(JobId)).collect()
}

/// How many jobs there are in each status; statuses without jobs are absent.
///
/// # Errors
/// When the database cannot be read.
pub async fn count_by_status(db: &impl Db) -> Result<Vec<(JobStatus, i64)>, Error> {
    let rows = query_all(db, "SELECT status, COUNT(*) AS n FROM jobs GROUP BY status", vec![]).await?;
    rows.iter().map(|row| Ok((row.parse("status")?, row.get("n")?))).collect()
}

/// Stores status, activity, counters and steps of a job as they stand in `job`, and whether its queue heads count.
///
/// # Errors
/// When the database cannot be written.
pub async fn save(tx: &Tx, job: &JobSummary, status_changed: bool) -> Result<(), Error> {
    if tx.is_hot() && !status_changed {
        tx.note_write();
        tx.batch(|batch| batch.change(job.clone()));
        return Ok(());
    }
    tx.batch(|batch| batch.forget(job.id));
    write(tx, job).await?;
    if status_changed {
        let active = i64::from(job.status.is_schedulable() && job.delete_requested.is_none());
        let sql = "UPDATE queues SET job_active = $1, job_priority = $2 WHERE job_id = $3";
        execute(tx, sql, vec![active.into(), job.priority.into(), job.seq.into()]).await?;
        if active == 1 && job.runnable > 0 {
            tx.announce(Event::WorkAvailable);
        }
    }
    Ok(())
}

/// Writes what can change of a job.
pub(crate) async fn write(tx: &Tx, job: &JobSummary) -> Result<(), Error> {
    let sql = "UPDATE jobs SET status = $1, activity = $2, steps_completed = $3, steps_total = $4, tasks_queued = $5, \
               tasks_soft_failed = $6, tasks_active = $7, tasks_completed = $8, tasks_failed = $9, \
               tasks_canceled = $10, tasks_paused = $11, tasks_runnable = $12, updated_at = $13, priority = $14, \
               delete_requested_at = $15 WHERE id = $16";
    let counts = job.counts;
    let values = vec![
        job.status.as_str().into(),
        job.activity.as_str().into(),
        job.steps_completed.into(),
        job.steps_total.into(),
        counts.queued.into(),
        counts.soft_failed.into(),
        counts.active.into(),
        counts.completed.into(),
        counts.failed.into(),
        counts.canceled.into(),
        counts.paused.into(),
        job.runnable.into(),
        micros(job.updated),
        job.priority.into(),
        optional_micros(job.delete_requested),
        job.seq.into(),
    ];
    execute(tx, sql, values).await?;
    Ok(())
}

/// Removes jobs that were left while being stored; nobody was told that they exist.
///
/// # Errors
/// When the database cannot be written.
pub async fn remove_unfinished(db: &impl Db) -> Result<u64, Error> {
    execute(db, "DELETE FROM jobs WHERE status = 'under-construction'", vec![]).await
}

/// Whether a time is later than what is stored: `updated` never runs backwards, even when the clock does.
#[must_use]
pub fn later(job: &JobSummary, now: DateTime<Utc>) -> DateTime<Utc> {
    now.max(job.updated)
}
