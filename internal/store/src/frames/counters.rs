//! What is counted about frames: by job, and by hour and worker.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use flamenco_domain::frame::{FrameCounts, FrameReport};
use flamenco_domain::ids::{JobId, WorkerId};
use uuid::Uuid;

use super::read::thumbnail;
use crate::Tx;
use crate::db::{Db, Row, execute, micros, optional_micros, query_all, query_one};
use crate::error::Error;

/// Microseconds in an hour.
const HOUR: i64 = 3_600_000_000;
/// Jobs that are named in one statement.
const AT_ONCE: usize = 500;

/// Counts what one report changes.
pub(super) struct Batch {
    job: i64,
    worker: i64,
    window: (i64, i64),
    done_before: i64,
    /// Frames, failures, known times, and these times together, by hour.
    hours: BTreeMap<i64, [i64; 4]>,
    newest: Option<(DateTime<Utc>, i64)>,
    is_empty: bool,
}

impl Batch {
    pub(super) async fn begin(tx: &Tx, job: i64, worker: i64, window: (i64, i64)) -> Result<Self, Error> {
        let done_before = done(tx, job, window).await?;
        Ok(Self { job, worker, window, done_before, hours: BTreeMap::new(), newest: None, is_empty: true })
    }

    /// Takes note of a report that was stored; one about a rendering that is counted already only moves the newest.
    pub(super) fn add(&mut self, report: &FrameReport, key: i64, is_new: bool) {
        self.is_empty = false;
        let came_out = report.state.came_out();
        if came_out && self.newest.is_none_or(|(at, _)| at <= report.rendered) {
            self.newest = Some((report.rendered, key));
        }
        if is_new {
            let hour = report.rendered.timestamp_micros().div_euclid(HOUR) * HOUR;
            let time = report.facts.render_ms.filter(|_| came_out);
            let counts = [
                i64::from(came_out),
                i64::from(!came_out),
                i64::from(time.is_some()),
                time.unwrap_or_default(),
            ];
            let sums = self.hours.entry(hour).or_default();
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
    }

    pub(super) async fn end(self, tx: &Tx) -> Result<(), Error> {
        if self.is_empty {
            return Ok(());
        }
        let mut sums = [0; 4];
        for (hour, counts) in &self.hours {
            let sql = "INSERT INTO frame_hours (hour, worker_id, frames, failures, timed, render_ms) VALUES ($1, $2, $3, \
                       $4, $5, $6) ON CONFLICT (hour, worker_id) DO UPDATE SET frames = frame_hours.frames + \
                       excluded.frames, failures = frame_hours.failures + excluded.failures, timed = frame_hours.timed \
                       + excluded.timed, render_ms = frame_hours.render_ms + excluded.render_ms";
            let mut values = vec![(*hour).into(), self.worker.into()];
            values.extend(counts.map(sea_orm::Value::from));
            execute(tx, sql, values).await?;
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        let [_, failures, timed, render_ms] = sums;
        let done = done(tx, self.job, self.window).await? - self.done_before;
        let sql = "INSERT INTO job_frames (job_id, done, failures, timed, render_ms, last_frame, last_rendered_at) VALUES \
                   ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (job_id) DO UPDATE SET done = job_frames.done + \
                   excluded.done, failures = job_frames.failures + excluded.failures, timed = job_frames.timed + \
                   excluded.timed, render_ms = job_frames.render_ms + excluded.render_ms, last_frame = \
                   CASE WHEN excluded.last_rendered_at >= COALESCE(job_frames.last_rendered_at, 0) THEN \
                   excluded.last_frame ELSE job_frames.last_frame END, last_rendered_at = CASE WHEN \
                   excluded.last_rendered_at >= COALESCE(job_frames.last_rendered_at, 0) THEN excluded.last_rendered_at \
                   ELSE job_frames.last_rendered_at END";
        let values = vec![
            self.job.into(),
            done.into(),
            failures.into(),
            timed.into(),
            render_ms.into(),
            self.newest.map(|(_, key)| key).into(),
            optional_micros(self.newest.map(|(at, _)| at)),
        ];
        execute(tx, sql, values).await.map(drop)
    }
}

/// How many frames of a job from one number to another have come out.
pub(super) async fn done(db: &impl Db, job: i64, (first, last): (i64, i64)) -> Result<i64, Error> {
    let sql = "SELECT COUNT(DISTINCT frame) AS done FROM frames WHERE job_id = $1 AND frame >= $2 AND frame <= $3 AND \
               state IN ('ok', 'black')";
    let row = query_one(db, sql, vec![job.into(), first.into(), last.into()]).await?;
    row.map_or(Ok(0), |row| row.get("done"))
}

/// A frame is reported before its picture comes, so while a job renders its newest frame has none: the newest picture is
/// looked for among this many rows up to it.
const PICTURE_WITHIN: i64 = 200;

/// How far the frames of some jobs are, with the newest picture; jobs without frames are left out.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_jobs(db: &impl Db, jobs: &[JobId]) -> Result<HashMap<JobId, FrameCounts>, Error> {
    let mut all = HashMap::new();
    for some in jobs.chunks(AT_ONCE) {
        let places: Vec<String> = (1..=some.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT j.uuid, c.total, c.done, c.failures, c.timed, c.render_ms, c.last_rendered_at, \
             f.thumb, f.thumb_ext, f.thumb_large FROM jobs j JOIN job_frames c ON c.job_id = j.id LEFT JOIN frames f ON \
             f.id = (SELECT p.id FROM frames p WHERE p.id <= c.last_frame AND p.id > c.last_frame - {PICTURE_WITHIN} AND \
             p.job_id = c.job_id AND p.thumb IS NOT NULL ORDER BY p.id DESC LIMIT 1) WHERE j.uuid IN ({})",
            places.join(", ")
        );
        let values = some.iter().map(|job| job.0.into()).collect();
        for row in query_all(db, &sql, values).await? {
            all.insert(JobId(row.get("uuid")?), counts(&row)?);
        }
    }
    Ok(all)
}

fn counts(row: &Row) -> Result<FrameCounts, Error> {
    Ok(FrameCounts {
        total: row.get("total")?,
        done: row.get("done")?,
        failures: row.get("failures")?,
        timed: row.get("timed")?,
        render_ms: row.get("render_ms")?,
        last_rendered: row.optional_time("last_rendered_at")?,
        thumbnail: thumbnail(row)?,
    })
}

/// What a worker rendered in an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameHour {
    /// When the hour began.
    pub hour: DateTime<Utc>,
    /// The worker with its name, while it exists.
    pub worker: Option<(WorkerId, String)>,
    /// Frames that came out.
    pub frames: i64,
    /// Frames that did not.
    pub failures: i64,
    /// Render times that are known.
    pub timed: i64,
    /// These together, in milliseconds.
    pub render_ms: i64,
}

/// What was rendered in the hours from `since` on, of one worker or of all, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn hours(
    db: &impl Db,
    since: DateTime<Utc>,
    worker: Option<WorkerId>,
) -> Result<Vec<FrameHour>, Error> {
    let (condition, id) = match worker {
        Some(id) => ("AND w.uuid = $2", vec![id.0.into()]),
        None => ("", vec![]),
    };
    let sql = format!(
        "SELECT h.hour, h.frames, h.failures, h.timed, h.render_ms, w.uuid, w.name FROM frame_hours h LEFT JOIN workers \
         w ON w.id = h.worker_id AND w.deleted_at IS NULL WHERE h.hour >= $1 {condition} ORDER BY h.hour, h.worker_id"
    );
    let values = std::iter::once(micros(since)).chain(id).collect();
    query_all(db, &sql, values)
        .await?
        .iter()
        .map(|row| {
            let id: Option<Uuid> = row.get("uuid")?;
            let name: Option<String> = row.get("name")?;
            Ok(FrameHour {
                hour: row.time("hour")?,
                worker: id.map(|id| (WorkerId(id), name.unwrap_or_default())),
                frames: row.get("frames")?,
                failures: row.get("failures")?,
                timed: row.get("timed")?,
                render_ms: row.get("render_ms")?,
            })
        })
        .collect()
}

/// How many frames that exist were rendered since a moment, and came out.
///
/// # Errors
/// When the database cannot be read.
pub async fn rendered_since(
    db: &impl Db,
    since: DateTime<Utc>,
    worker: Option<WorkerId>,
) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS frames FROM frames f LEFT JOIN workers w ON w.id = f.worker_id WHERE f.rendered_at >= \
               $1 AND f.state IN ('ok', 'black') AND ($2 = 0 OR w.uuid = $3)";
    let values =
        vec![micros(since), i64::from(worker.is_some()).into(), worker.map_or(Uuid::nil(), |id| id.0).into()];
    query_one(db, sql, values).await?.map_or(Ok(0), |row| row.get("frames"))
}
