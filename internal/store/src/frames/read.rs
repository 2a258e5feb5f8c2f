//! Reading frames.

use chrono::{DateTime, Utc};
use flamenco_domain::frame::{
    Frame, FrameAttempt, FrameFacts, FrameFilter, FrameReport, FrameState, JobFrameState, Thumbnail,
};
use flamenco_domain::frame_range::FrameRange;
use flamenco_domain::frame_statistics::FrameTask;
use flamenco_domain::ids::{JobId, TaskId, WorkerId};
use sea_orm::Value;
use uuid::Uuid;

use crate::Tx;
use crate::db::{Db, Row, execute, query_all, query_one};
use crate::error::Error;

/// Whether frames are compared with the usual size of their output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usual {
    /// The size that most frames of the output in this job have, by the job's key placeholder.
    OfJob,
    /// Not looked at.
    Ignored,
}

/// The most frequent size of each output of the job whose uuid is `$1`.
const USUAL: &str = "WITH sizes AS (SELECT output, width, height, ROW_NUMBER() OVER (PARTITION BY output ORDER BY \
                     COUNT(*) DESC, MIN(id)) AS place FROM frames WHERE job_id = (SELECT id FROM jobs WHERE uuid = $1) \
                     AND state IN ('ok', 'black') AND width IS NOT NULL GROUP BY output, width, height), usual AS (SELECT \
                     output, width, height FROM sizes WHERE place = 1) ";
const COLUMNS: &str = "SELECT f.id, j.uuid AS job_uuid, f.frame, f.name, f.path, f.output, f.state, f.stale, f.attempt, \
                       f.rendered_at, f.render_ms, f.save_ms, f.peak_memory, f.file_size, f.width, f.height, f.engine, \
                       f.samples, f.message, f.thumb, \
                       f.thumb_ext, f.thumb_large, t.uuid AS task_uuid, w.uuid AS worker_uuid, w.name AS worker_name, \
                       w.platform AS worker_platform";
const TABLES: &str = " FROM frames f JOIN jobs j ON j.id = f.job_id JOIN tasks t ON t.id = f.task_id LEFT JOIN workers w \
                      ON w.id = f.worker_id";
/// A picture of another size than its output usually has.
const IS_ODD: &str = "f.state = 'ok' AND u.width IS NOT NULL AND f.width IS NOT NULL AND (f.width <> u.width OR f.height \
                      <> u.height)";

fn select(usual: Usual) -> String {
    match usual {
        Usual::OfJob => format!(
            "{USUAL}{COLUMNS}, CAST(CASE WHEN {IS_ODD} THEN 1 ELSE 0 END AS BIGINT) AS odd{TABLES} LEFT JOIN usual u ON u.output = \
             f.output"
        ),
        Usual::Ignored => format!("{COLUMNS}, CAST(0 AS BIGINT) AS odd{TABLES}"),
    }
}

/// Frames of a job, by number.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_job(db: &impl Db, job: JobId, filter: &FrameFilter) -> Result<Vec<Frame>, Error> {
    // The page begins at the frame number where the one before ended, of which only later rows are wanted.
    let (from, number, seq) = match filter.after {
        Some((number, seq)) => (filter.from.max(number), number, seq),
        None => (filter.from, i64::MIN, 0),
    };
    let mut values: Vec<Value> = vec![
        job.0.into(),
        from.into(),
        filter.to.into(),
        number.into(),
        seq.into(),
        filter.limit.unwrap_or(i64::MAX).into(),
    ];
    let mut sql = select(Usual::OfJob);
    sql.push_str(
        " WHERE j.uuid = $1 AND j.status <> 'under-construction' AND f.frame >= $2 AND f.frame <= $3 AND (f.frame > $4 OR \
         f.id > $5)",
    );
    let mut bind = |value: Value| {
        values.push(value);
        format!("${}", values.len())
    };
    if !filter.states.is_empty() {
        // Our own words.
        let words: Vec<String> = filter.states.iter().map(|state| format!("'{state}'")).collect();
        sql.push_str(&format!(
            " AND CASE WHEN {IS_ODD} THEN 'different-size' ELSE f.state END IN ({})",
            words.join(", ")
        ));
    }
    if let Some(task) = filter.task {
        sql.push_str(&format!(" AND t.uuid = {}", bind(task.0.into())));
    }
    if !filter.workers.is_empty() {
        let places: Vec<String> = filter.workers.iter().map(|worker| bind(worker.0.into())).collect();
        sql.push_str(&format!(" AND w.uuid IN ({})", places.join(", ")));
    }
    if let Some(output) = &filter.output {
        sql.push_str(&format!(" AND f.output = {}", bind(output.as_str().into())));
    }
    if let Some(millis) = filter.slower_than {
        sql.push_str(&format!(" AND f.render_ms > {}", bind(millis.into())));
    }
    sql.push_str(" ORDER BY f.frame, f.id LIMIT $6");
    query_all(db, &sql, values).await?.iter().map(frame).collect()
}

/// The frames of a job with these keys, by number.
///
/// # Errors
/// When the database cannot be read.
pub async fn by_keys(db: &impl Db, job: JobId, keys: &[i64]) -> Result<Vec<Frame>, Error> {
    // Numbers of our own.
    let keys: Vec<String> = keys.iter().map(i64::to_string).collect();
    let sql = format!(
        "{} WHERE j.uuid = $1 AND f.id IN ({}) ORDER BY f.frame, f.id",
        select(Usual::OfJob),
        if keys.is_empty() { "0".to_owned() } else { keys.join(", ") }
    );
    query_all(db, &sql, vec![job.0.into()]).await?.iter().map(frame).collect()
}

/// The frames that were rendered last over all jobs, the newest first, each with the name of its job and how many frames
/// that has.
///
/// # Errors
/// When the database cannot be read.
pub async fn latest(
    db: &impl Db,
    limit: i64,
    thumbnails_only: bool,
) -> Result<Vec<(Frame, String, Option<i64>)>, Error> {
    let shown = if thumbnails_only { "AND f.thumb IS NOT NULL" } else { "" };
    let sql = format!(
        "{COLUMNS}, CAST(0 AS BIGINT) AS odd, j.name AS job_name, c.total{TABLES} LEFT JOIN job_frames c ON c.job_id = j.id WHERE f.state \
         IN ('ok', 'black') {shown} ORDER BY f.rendered_at DESC, f.id DESC LIMIT $1"
    );
    let rows = query_all(db, &sql, vec![limit.into()]).await?;
    rows.iter().map(|row| Ok((frame(row)?, row.get("job_name")?, row.get("total")?))).collect()
}

/// How the files of a frame were rendered before, the newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn attempts(db: &impl Db, job: JobId, number: i64) -> Result<Vec<FrameAttempt>, Error> {
    let sql = "SELECT a.frame_id, a.attempt, a.state, a.rendered_at, a.render_ms, a.save_ms, a.peak_memory, a.file_size, \
               a.width, a.height, a.engine, a.samples, a.message, w.uuid AS worker_uuid, w.name AS worker_name FROM frame_attempts a JOIN frames f ON \
               f.id = a.frame_id JOIN jobs j ON j.id = f.job_id LEFT JOIN workers w ON w.id = a.worker_id WHERE j.uuid \
               = $1 AND f.frame = $2 ORDER BY a.rendered_at DESC, a.id DESC";
    query_all(db, sql, vec![job.0.into(), number.into()])
        .await?
        .iter()
        .map(|row| {
            let state: FrameState = row.parse("state")?;
            Ok(FrameAttempt {
                frame: row.get("frame_id")?,
                attempt: row.get("attempt")?,
                worker: worker(row)?,
                state: state.into(),
                rendered: row.time("rendered_at")?,
                facts: facts(row)?,
            })
        })
        .collect()
}

/// The tasks of a job that say which frames they render.
///
/// # Errors
/// When the database cannot be read.
pub async fn tasks_of_job(db: &impl Db, job: JobId) -> Result<Vec<FrameTask>, Error> {
    let sql = "SELECT t.uuid, t.status, t.frames, w.uuid AS worker_uuid FROM tasks t JOIN jobs j ON j.id = t.job_id LEFT \
               JOIN workers w ON w.id = t.worker_id WHERE j.uuid = $1 AND j.status <> 'under-construction' ORDER BY \
               t.index_in_job";
    query_all(db, sql, vec![job.0.into()])
        .await?
        .iter()
        .map(|row| {
            Ok(FrameTask {
                id: TaskId(row.get("uuid")?),
                status: row.parse("status")?,
                worker: row.get::<Option<Uuid>>("worker_uuid")?.map(WorkerId),
                frames: range(&row.get::<String>("frames")?),
            })
        })
        .collect()
}

/// The frame that somebody chose to stand for a job.
///
/// # Errors
/// When the database cannot be read.
pub async fn poster(db: &impl Db, job: JobId) -> Result<Option<i64>, Error> {
    let sql = "SELECT c.poster FROM job_frames c JOIN jobs j ON j.id = c.job_id WHERE j.uuid = $1";
    query_one(db, sql, vec![job.0.into()]).await?.map_or(Ok(None), |row| row.get("poster"))
}

/// Stores which frame stands for a job, given by its key.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_poster(tx: &Tx, job: i64, frame: Option<i64>) -> Result<(), Error> {
    let sql = "INSERT INTO job_frames (job_id, poster) VALUES ($1, $2) ON CONFLICT (job_id) DO UPDATE SET poster = \
               excluded.poster";
    execute(tx, sql, vec![job.into(), frame.into()]).await.map(drop)
}

/// Frames as they are stored for a task; nothing that is stored there is anything else.
pub(super) fn range(text: &str) -> FrameRange {
    FrameRange::parse(text).unwrap_or_default()
}

fn worker(row: &Row) -> Result<Option<(WorkerId, String)>, Error> {
    let id: Option<Uuid> = row.get("worker_uuid")?;
    let name: Option<String> = row.get("worker_name")?;
    Ok(id.map(|id| (WorkerId(id), name.unwrap_or_default())))
}

fn facts(row: &Row) -> Result<FrameFacts, Error> {
    Ok(FrameFacts {
        render_ms: row.get("render_ms")?,
        save_ms: row.get("save_ms")?,
        peak_memory: row.get("peak_memory")?,
        file_size: row.get("file_size")?,
        width: row.get("width")?,
        height: row.get("height")?,
        engine: row.get("engine")?,
        samples: row.get("samples")?,
        message: row.get("message")?,
    })
}

pub(super) fn thumbnail(row: &Row) -> Result<Option<Thumbnail>, Error> {
    let Some(stem) = row.get::<Option<String>>("thumb")? else { return Ok(None) };
    Ok(Some(Thumbnail {
        stem,
        extension: row.get("thumb_ext")?,
        has_large: row.get::<i64>("thumb_large")? == 1,
    }))
}

fn frame(row: &Row) -> Result<Frame, Error> {
    let stored: FrameState = row.parse("state")?;
    let is_odd = row.get::<i64>("odd")? == 1;
    let rendered: DateTime<Utc> = row.time("rendered_at")?;
    Ok(Frame {
        seq: row.get("id")?,
        job: JobId(row.get("job_uuid")?),
        task: TaskId(row.get("task_uuid")?),
        worker: worker(row)?,
        platform: row.get::<Option<String>>("worker_platform")?.unwrap_or_default(),
        name: row.get("name")?,
        output: row.get("output")?,
        attempt: row.get("attempt")?,
        state: if is_odd { JobFrameState::DifferentSize } else { stored.into() },
        is_stale: row.get::<i64>("stale")? == 1,
        thumbnail: thumbnail(row)?,
        report: FrameReport {
            frame: row.get("frame")?,
            path: row.get("path")?,
            state: stored,
            rendered,
            existing: false,
            facts: facts(row)?,
        },
    })
}
