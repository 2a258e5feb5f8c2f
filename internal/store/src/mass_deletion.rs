//! Many jobs that are deleted together, because nobody has touched them for long: which ones, and what that would do.

use chrono::{DateTime, Utc};
use flamenco_domain::ids::JobId;
use flamenco_domain::job::JobStatus;

use crate::db::{Db, micros, query_all};
use crate::error::Error;

/// Which jobs are to be deleted. Those that are marked already are not among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Last changed at this moment or before.
    pub moment: DateTime<Utc>,
    /// In one of these statuses; in whichever when empty.
    pub statuses: Vec<JobStatus>,
}

impl Selection {
    /// The condition for `jobs`, in which `$1` stands for the moment. The statuses are our own words, not anybody's input.
    fn condition(&self) -> String {
        let statuses = if self.statuses.is_empty() { JobStatus::ALL } else { &self.statuses };
        let visible = statuses.iter().filter(|status| **status != JobStatus::UnderConstruction);
        let words = visible.map(|status| format!("'{status}'")).collect::<Vec<_>>().join(", ");
        let words = if words.is_empty() { "''".to_owned() } else { words };
        format!("updated_at <= $1 AND delete_requested_at IS NULL AND status IN ({words})")
    }
}

/// A job that would be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The job.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: JobStatus,
    /// When it changed last.
    pub updated: DateTime<Utc>,
}

/// What a mass deletion would do. Every job that people see is counted once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// Jobs that would go, by status.
    pub going: Vec<(JobStatus, i64)>,
    /// Jobs that are old enough and in another status.
    pub kept_statuses: Vec<(JobStatus, i64)>,
    /// Jobs that changed later.
    pub kept_newer: i64,
    /// Jobs that are marked already.
    pub already_marked: i64,
    /// Checkouts that no other job uses.
    pub checkouts: i64,
    /// Checkouts that jobs use that stay.
    pub shared_checkouts: i64,
    /// The first ones that would go, what changed the longest ago first.
    pub first: Vec<Candidate>,
}

/// The jobs that are wanted, in the order of their database keys, which come with them: at most `limit` of those after
/// a key.
///
/// # Errors
/// When the database cannot be read.
pub async fn selected(
    db: &impl Db,
    selection: &Selection,
    after: Option<i64>,
    limit: i64,
) -> Result<Vec<(i64, JobId)>, Error> {
    let sql =
        format!("SELECT id, uuid FROM jobs WHERE {} AND id > $2 ORDER BY id LIMIT $3", selection.condition());
    let values = vec![micros(selection.moment), after.unwrap_or(i64::MIN).into(), limit.into()];
    let rows = query_all(db, &sql, values).await?;
    rows.iter().map(|row| Ok((row.get("id")?, JobId(row.get("uuid")?)))).collect()
}

/// How many jobs are wanted.
///
/// # Errors
/// When the database cannot be read.
pub async fn count(db: &impl Db, selection: &Selection) -> Result<i64, Error> {
    let sql = format!("SELECT COUNT(*) AS n FROM jobs WHERE {}", selection.condition());
    let rows = query_all(db, &sql, vec![micros(selection.moment)]).await?;
    rows.first().map_or(Ok(0), |row| row.get("n"))
}

/// What deleting the wanted jobs would do, and the first `limit` of them. Reads every job of the farm once.
///
/// # Errors
/// When the database cannot be read.
pub async fn preview(db: &impl Db, selection: &Selection, limit: i64) -> Result<Preview, Error> {
    let mut preview = Preview::default();
    count_by_fate(db, selection, &mut preview).await?;
    count_checkouts(db, selection, &mut preview).await?;
    let sql = format!(
        "SELECT uuid, name, status, updated_at FROM jobs WHERE {} ORDER BY updated_at, id LIMIT $2",
        selection.condition()
    );
    for row in query_all(db, &sql, vec![micros(selection.moment), limit.into()]).await? {
        preview.first.push(Candidate {
            id: JobId(row.get("uuid")?),
            name: row.get("name")?,
            status: row.parse("status")?,
            updated: row.time("updated_at")?,
        });
    }
    Ok(preview)
}

async fn count_by_fate(db: &impl Db, selection: &Selection, preview: &mut Preview) -> Result<(), Error> {
    let sql = format!(
        "SELECT status, fate, COUNT(*) AS n FROM (SELECT status, CASE WHEN delete_requested_at IS NOT NULL THEN 'marked' \
         WHEN updated_at > $1 THEN 'newer' WHEN {} THEN 'going' ELSE 'kept' END AS fate FROM jobs WHERE \
         status <> 'under-construction') j GROUP BY status, fate ORDER BY n DESC, status",
        selection.condition()
    );
    for row in query_all(db, &sql, vec![micros(selection.moment)]).await? {
        let (fate, jobs): (String, i64) = (row.get("fate")?, row.get("n")?);
        match fate.as_str() {
            "marked" => preview.already_marked += jobs,
            "newer" => preview.kept_newer += jobs,
            "going" => preview.going.push((row.parse("status")?, jobs)),
            _ => preview.kept_statuses.push((row.parse("status")?, jobs)),
        }
    }
    Ok(())
}

async fn count_checkouts(db: &impl Db, selection: &Selection, preview: &mut Preview) -> Result<(), Error> {
    // A job that is being stored keeps its checkout, too.
    let sql = format!(
        "SELECT COUNT(*) AS n, CAST(COALESCE(SUM(CASE WHEN staying > 0 THEN 1 ELSE 0 END), 0) AS BIGINT) AS shared FROM \
         (SELECT SUM(CASE WHEN {condition} THEN 1 ELSE 0 END) AS going, SUM(CASE WHEN delete_requested_at IS NOT NULL OR \
         ({condition}) THEN 0 ELSE 1 END) AS staying FROM jobs WHERE shaman_checkout_id <> '' GROUP BY \
         shaman_checkout_id) c WHERE going > 0",
        condition = selection.condition()
    );
    if let Some(row) = query_all(db, &sql, vec![micros(selection.moment)]).await?.first() {
        preview.shared_checkouts = row.get("shared")?;
        preview.checkouts = row.get::<i64>("n")? - preview.shared_checkouts;
    }
    Ok(())
}
