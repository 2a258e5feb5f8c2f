//! Which job was rendered last: one row, replaced.

use chrono::{DateTime, Utc};
use flamenco_domain::ids::JobId;

use crate::db::{Db, execute, micros, query_one};
use crate::error::Error;

/// Makes a job the one that was rendered last.
///
/// # Errors
/// When the database cannot be written.
pub async fn set(db: &impl Db, job: i64, now: DateTime<Utc>) -> Result<(), Error> {
    let sql = "INSERT INTO last_rendereds (id, job_id, created_at, updated_at) VALUES (1, $1, $2, $2) ON CONFLICT (id) \
               DO UPDATE SET job_id = excluded.job_id, updated_at = excluded.updated_at";
    execute(db, sql, vec![job.into(), micros(now)]).await?;
    Ok(())
}

/// The job that was rendered last, if it still exists.
///
/// # Errors
/// When the database cannot be read.
pub async fn job(db: &impl Db) -> Result<Option<JobId>, Error> {
    let sql = "SELECT j.uuid FROM last_rendereds l JOIN jobs j ON j.id = l.job_id WHERE j.status <> 'under-construction'";
    query_one(db, sql, vec![]).await?.map(|row| row.get("uuid").map(JobId)).transpose()
}
