//! How quick a worker is, beside all workers that did the same.

use chrono::{DateTime, Utc};
use flamenco_domain::ids::JobId;

use crate::db::{Db, micros, query_all};
use crate::error::Error;

/// Render times of one worker in one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// The job.
    pub job: JobId,
    /// Its name.
    pub job_name: String,
    /// How many frames the worker rendered of which the time is known.
    pub frames: i64,
    /// Mean render time of these, in milliseconds.
    pub mean_ms: i64,
    /// Mean render time of all frames of the job, in milliseconds.
    pub farm_mean_ms: i64,
    /// When the worker rendered the last of them.
    pub rendered: DateTime<Utc>,
}

/// The jobs that a worker rendered frames of since a moment, the last one first, at most `limit`. Reads the frames of
/// the worker since then.
///
/// # Errors
/// When the database cannot be read.
pub async fn pace_of_worker(
    db: &impl Db,
    worker: i64,
    since: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<Pace>, Error> {
    let sql = "SELECT j.uuid, j.name, m.frames, m.mean_ms, m.rendered_at, CASE WHEN c.timed > 0 THEN c.render_ms / \
               c.timed ELSE m.mean_ms END AS farm_mean_ms FROM (SELECT job_id, COUNT(*) AS frames, \
               CAST(SUM(render_ms) AS BIGINT) / COUNT(*) AS mean_ms, MAX(rendered_at) AS rendered_at FROM frames WHERE \
               worker_id = $1 AND rendered_at >= $2 AND render_ms IS NOT NULL AND state = 'ok' GROUP BY job_id ORDER BY \
               MAX(rendered_at) DESC, job_id DESC LIMIT $3) m JOIN jobs j ON j.id = m.job_id LEFT JOIN job_frames c ON \
               c.job_id = m.job_id ORDER BY m.rendered_at DESC, m.job_id DESC";
    let rows = query_all(db, sql, vec![worker.into(), micros(since), i64::from(limit).into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Pace {
                job: JobId(row.get("uuid")?),
                job_name: row.get("name")?,
                frames: row.get("frames")?,
                mean_ms: row.get("mean_ms")?,
                farm_mean_ms: row.get("farm_mean_ms")?,
                rendered: row.time("rendered_at")?,
            })
        })
        .collect()
}
