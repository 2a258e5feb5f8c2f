//! Erasing jobs that were marked for deletion.
//!
//! A job disappears in one small transaction; what is left of it goes in slices of low priority, so that erasing a
//! hundred thousand tasks does not hold up anybody. What a crash leaves is removed at the next start.

use flamenco_domain::event::{Event, JobEvent};
use flamenco_domain::ids::JobId;

use crate::db::{execute, query_all, query_one};
use crate::error::Error;
use crate::{Db, Store, Tx, jobs};

/// Jobs that are taken up in one go.
const BATCH: i64 = 100;

/// A job that was marked for deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marked {
    /// The job.
    pub id: JobId,
    /// Its database key.
    pub seq: i64,
    /// When its deletion was requested, in microseconds since 1970.
    pub requested: i64,
}

/// Jobs that are marked, the oldest request first, at most a hundred, after the one of this request and key.
///
/// # Errors
/// When the database cannot be read.
pub async fn marked(db: &impl Db, after: Option<(i64, i64)>) -> Result<Vec<Marked>, Error> {
    // Also those whose rows are half gone already, when something was in the way of the rest.
    let sql = "SELECT uuid, id, delete_requested_at FROM jobs WHERE delete_requested_at IS NOT NULL \
               AND (delete_requested_at, id) > ($2, $3) ORDER BY delete_requested_at, id LIMIT $1";
    let (requested, seq) = after.unwrap_or((i64::MIN, i64::MIN));
    let rows = query_all(db, sql, vec![BATCH.into(), requested.into(), seq.into()]).await?;
    let marked = |row: &crate::db::Row| {
        Ok(Marked {
            id: JobId(row.get("uuid")?),
            seq: row.get("id")?,
            requested: row.get("delete_requested_at")?,
        })
    };
    rows.iter().map(marked).collect()
}

/// Erases a job and everything that belongs to it from the database, and announces that it is gone. False when it was
/// gone already.
///
/// # Errors
/// When the database cannot be written.
pub async fn erase(store: &Store, id: JobId) -> Result<bool, Error> {
    let seq = store.write_low::<_, _, Error>(move |tx| Box::pin(async move { hide(tx, id).await })).await?;
    let Some(seq) = seq else { return Ok(false) };
    remove_rows(store, seq).await?;
    Ok(true)
}

/// Removes a job that nobody sees, with everything that belongs to it, in slices.
pub(crate) async fn remove_rows(store: &Store, seq: i64) -> Result<(), Error> {
    // Frames first: there may be thousands for each task, and a slice must stay small.
    for sql in [
        "DELETE FROM frames WHERE id IN (SELECT id FROM frames WHERE job_id = $1 LIMIT 2000)",
        "DELETE FROM tasks WHERE id IN (SELECT id FROM tasks WHERE job_id = $1 ORDER BY id LIMIT 500)",
    ] {
        loop {
            let removed = store
                .write_low::<_, _, Error>(move |tx| {
                    Box::pin(async move { execute(tx, sql, vec![seq.into()]).await })
                })
                .await?;
            if removed == 0 {
                break;
            }
        }
    }
    store
        .write_low::<_, _, Error>(move |tx| {
            Box::pin(async move { execute(tx, "DELETE FROM jobs WHERE id = $1", vec![seq.into()]).await })
        })
        .await
        .map(drop)
}

/// Makes a job invisible: its rows are on their way out, as those of a job under construction are on their way in.
async fn hide(tx: &Tx, id: JobId) -> Result<Option<i64>, Error> {
    let Some(job) = jobs::lock(tx, id).await? else {
        let sql = "SELECT id FROM jobs WHERE uuid = $1 AND status = 'under-construction' AND delete_requested_at IS NOT NULL";
        let half_gone = query_one(tx, sql, vec![id.0.into()]).await?;
        return half_gone.map(|row| row.get("id")).transpose();
    };
    execute(tx, "UPDATE jobs SET status = 'under-construction' WHERE id = $1", vec![job.seq.into()]).await?;
    execute(tx, "DELETE FROM queues WHERE job_id = $1", vec![job.seq.into()]).await?;
    let seq = job.seq;
    tx.announce(Event::Job(Box::new(JobEvent { job, previous: None, refresh_tasks: false, deleted: true })));
    Ok(Some(seq))
}
