//! How quick a worker is, beside all workers that did the same; and how quick the last frames of jobs were.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use flamenco_domain::frame_statistics::Done;
use flamenco_domain::ids::{JobId, WorkerId};

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

/// What tells when a job will be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recent {
    /// How many of its frames were rendered, well or not, and are not asked for again.
    pub settled: i64,
    /// Its last frames that came out, each once however many files it has, in no order.
    pub last: Vec<Done>,
}

/// How far these jobs are, and the frames among the last `files` files of each. Reads all frames of the jobs, so this is
/// for jobs that are being worked on.
///
/// # Errors
/// When the database cannot be read.
pub async fn recent_of_jobs(
    db: &impl Db,
    jobs: &[JobId],
    files: u32,
) -> Result<HashMap<JobId, Recent>, Error> {
    if jobs.is_empty() {
        return Ok(HashMap::new());
    }
    let places: Vec<String> = (1..=jobs.len()).map(|place| format!("${place}")).collect();
    let places = places.join(", ");
    let values = || jobs.iter().map(|job| job.0.into()).collect();
    let sql = format!(
        "SELECT j.uuid, COUNT(DISTINCT f.frame) AS settled FROM frames f JOIN jobs j ON j.id = f.job_id WHERE j.uuid IN \
         ({places}) AND f.stale = 0 GROUP BY j.uuid"
    );
    let mut all: HashMap<JobId, Recent> = HashMap::new();
    for row in query_all(db, &sql, values()).await? {
        all.entry(JobId(row.get("uuid")?)).or_default().settled = row.get("settled")?;
    }
    let sql = format!(
        "SELECT r.uuid, r.frame, r.rendered_at, r.render_ms, r.save_ms, w.uuid AS worker FROM (SELECT j.uuid, f.id, \
         f.frame, f.rendered_at, f.render_ms, f.save_ms, f.worker_id, ROW_NUMBER() OVER (PARTITION BY f.job_id ORDER BY \
         f.rendered_at DESC, f.id DESC) AS place FROM frames f JOIN jobs j ON j.id = f.job_id WHERE j.uuid IN ({places}) \
         AND f.state IN ('ok', 'black')) r LEFT JOIN workers w ON w.id = r.worker_id WHERE r.place <= {files} ORDER BY \
         r.uuid, r.frame, r.rendered_at DESC"
    );
    let mut before = None;
    for row in query_all(db, &sql, values()).await? {
        let (job, frame) = (JobId(row.get("uuid")?), row.get::<i64>("frame")?);
        // The newest file of a frame comes first.
        if before.replace((job, frame)) == Some((job, frame)) {
            continue;
        }
        let took = row.get::<Option<i64>>("render_ms")?;
        let took = took.zip(Some(row.get::<Option<i64>>("save_ms")?.unwrap_or(0))).map(|(a, b)| a + b);
        let worker = row.get::<Option<uuid::Uuid>>("worker")?.map(WorkerId);
        all.entry(job).or_default().last.push(Done { at: row.time("rendered_at")?, worker, took });
    }
    Ok(all)
}
