//! What is read to find work that waits for a person.

use chrono::{DateTime, Utc};
use flamenco_domain::attention::Hand;
use flamenco_domain::ids::{JobId, WorkerId};

use crate::db::{Db, Row, query_all};
use crate::error::Error;

/// Most rows of each kind that are looked at.
const MOST: usize = 5_000;

/// Tasks of one type in one job that could be given out, if there were somebody to do them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Database key of the job.
    pub job_seq: i64,
    /// The job.
    pub job: JobId,
    /// Its name.
    pub job_name: String,
    /// The type.
    pub task_type: String,
    /// Database key of the job's tag.
    pub tag: Option<i64>,
    /// How many.
    pub tasks: i64,
}

/// An entry of the blocklist of an unfinished job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// Database key of the job.
    pub job_seq: i64,
    /// The job.
    pub job: JobId,
    /// Its name.
    pub job_name: String,
    /// Database key of the worker.
    pub worker_seq: i64,
    /// The worker.
    pub worker: WorkerId,
    /// Its name.
    pub worker_name: String,
    /// The task type.
    pub task_type: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// All workers, as far as it matters who could do what.
///
/// # Errors
/// When the database cannot be read.
pub async fn hands(db: &impl Db) -> Result<Vec<Hand>, Error> {
    let sql = "SELECT w.id, w.status, w.task_types, w.disabled_at, m.worker_tag_id FROM workers w LEFT JOIN \
               worker_tag_membership m ON m.worker_id = w.id WHERE w.deleted_at IS NULL ORDER BY w.id";
    let mut hands: Vec<Hand> = Vec::new();
    for row in query_all(db, sql, vec![]).await? {
        let seq = row.get("id")?;
        if hands.last().is_none_or(|last| last.seq != seq) {
            hands.push(hand(&row, seq)?);
        }
        let tag = row.get::<Option<i64>>("worker_tag_id")?;
        if let Some(last) = hands.last_mut() {
            last.tags.extend(tag);
        }
    }
    Ok(hands)
}

fn hand(row: &Row, seq: i64) -> Result<Hand, Error> {
    let (types, status): (String, String) = (row.get("task_types")?, row.get("status")?);
    Ok(Hand {
        seq,
        types: types.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        tags: Vec::new(),
        enabled: row.get::<Option<i64>>("disabled_at")?.is_none(),
        present: matches!(status.as_str(), "awake" | "starting" | "testing"),
    })
}

/// Tasks that could be given out now, by job and type, of the jobs of the highest priority.
///
/// # Errors
/// When the database cannot be read.
pub async fn waiting(db: &impl Db) -> Result<Vec<Waiting>, Error> {
    let sql = format!(
        "SELECT q.job_id, j.uuid, j.name, q.task_type, q.tag_id, CAST(SUM(q.runnable) AS BIGINT) AS tasks FROM queues q \
         JOIN jobs j ON j.id = q.job_id WHERE q.runnable > 0 AND q.job_active = 1 GROUP BY q.job_id, j.uuid, j.name, \
         q.task_type, q.tag_id, q.job_priority ORDER BY q.job_priority DESC, q.job_id, q.task_type LIMIT {MOST}"
    );
    let rows = query_all(db, &sql, vec![]).await?;
    rows.iter()
        .map(|row| {
            Ok(Waiting {
                job_seq: row.get("job_id")?,
                job: JobId(row.get("uuid")?),
                job_name: row.get("name")?,
                task_type: row.get("task_type")?,
                tag: Some(row.get::<i64>("tag_id")?).filter(|tag| *tag != 0),
                tasks: row.get("tasks")?,
            })
        })
        .collect()
}

/// Blocklists of the jobs that are not over, those of the highest priority first.
///
/// # Errors
/// When the database cannot be read.
pub async fn blocked(db: &impl Db) -> Result<Vec<Blocked>, Error> {
    let sql = format!(
        "SELECT b.job_id, j.uuid, j.name, b.worker_id, w.uuid AS worker, w.name AS worker_name, b.task_type, b.created_at \
         FROM job_blocks b JOIN jobs j ON j.id = b.job_id JOIN workers w ON w.id = b.worker_id WHERE w.deleted_at IS NULL \
         AND j.status IN ('active', 'queued', 'paused', 'pause-requested', 'requeueing') ORDER BY j.priority DESC, \
         b.job_id, w.name, b.worker_id, b.task_type LIMIT {MOST}"
    );
    let rows = query_all(db, &sql, vec![]).await?;
    rows.iter()
        .map(|row| {
            Ok(Blocked {
                job_seq: row.get("job_id")?,
                job: JobId(row.get("uuid")?),
                job_name: row.get("name")?,
                worker_seq: row.get("worker_id")?,
                worker: WorkerId(row.get("worker")?),
                worker_name: row.get("worker_name")?,
                task_type: row.get("task_type")?,
                since: row.time("created_at")?,
            })
        })
        .collect()
}
