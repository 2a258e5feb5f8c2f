//! Which jobs use which checkouts of the file store.
//!
//! Several jobs may use one checkout. It is erased with the last of them, and a job that comes when it is about to be
//! erased is refused: whichever of the two is stored first is seen by the other.

use std::collections::HashSet;

use flamenco_domain::ids::JobId;

use crate::db::{Db, query_all, query_one};
use crate::error::Error;

/// The checkouts of all jobs, also of those that are being stored or erased.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_all_jobs(db: &impl Db) -> Result<HashSet<String>, Error> {
    let sql = "SELECT DISTINCT shaman_checkout_id FROM jobs WHERE shaman_checkout_id <> ''";
    query_all(db, sql, vec![]).await?.iter().map(|row| row.get("shaman_checkout_id")).collect()
}

/// The checkout of a job that is marked for deletion, if it should be erased with it: `None` when the job has none, or
/// when another job still uses it. Of several marked jobs the one that was stored last counts.
///
/// # Errors
/// When the database cannot be read.
pub async fn to_erase_with(db: &impl Db, job: JobId) -> Result<Option<String>, Error> {
    let sql = "SELECT j.shaman_checkout_id FROM jobs j WHERE j.uuid = $1 AND j.shaman_checkout_id <> '' AND NOT EXISTS \
               (SELECT 1 FROM jobs o WHERE o.shaman_checkout_id = j.shaman_checkout_id AND o.shaman_checkout_id <> '' \
               AND (o.delete_requested_at IS NULL OR o.id > j.id) AND o.id <> j.id)";
    query_one(db, sql, vec![job.0.into()]).await?.map(|row| row.get("shaman_checkout_id")).transpose()
}

/// Whether every job that uses this checkout is marked for deletion, so that it may be erased at any moment. One that is
/// not marked keeps it: whoever marks that one afterwards sees the jobs that were stored meanwhile.
///
/// # Errors
/// When the database cannot be read.
pub async fn is_being_erased(db: &impl Db, checkout: &str) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM jobs WHERE shaman_checkout_id = $1 AND shaman_checkout_id <> '' AND delete_requested_at IS \
               NOT NULL AND NOT EXISTS (SELECT 1 FROM jobs o WHERE o.shaman_checkout_id = $1 AND o.shaman_checkout_id <> '' \
               AND o.delete_requested_at IS NULL) LIMIT 1";
    Ok(query_one(db, sql, vec![checkout.into()]).await?.is_some())
}
