//! Frames that were rendered, and what is counted about them.
//!
//! A row of `frames` is a file of a frame as it was rendered last; how it was rendered before is in `frame_attempts`.
//! `job_frames` and `frame_hours` are counters, kept in the same transaction.

mod counters;
mod pace;
mod pictures;
mod read;
mod requeue;
mod videos;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use flamenco_domain::frame::{FrameFacts, FrameReport, FrameSource, KnownFrame, OnReport, on_frame_report};
use flamenco_domain::frame_log::output;
use flamenco_domain::task::TaskSummary;
use sea_orm::Value;

pub use counters::{FrameHour, hours, of_jobs, rendered_since};
pub use pace::{Pace, Recent, pace_of_worker, recent_of_jobs};
pub use pictures::{
    LargeThumbnail, NotedThumbnail, PictureOf, SeenFile, SetThumbnail, Unchecked, forget_large,
    large_thumbnails, see, set_present, set_thumbnail, thumbnail_bytes, unchecked, without_thumbnail,
};
pub use read::{Usual, attempts, by_keys, latest, of_job, poster, set_poster, tasks_of_job};
pub use requeue::{HeldFrames, mark_stale, not_done, set_only, tasks_holding};
pub use videos::made_videos;

use crate::Tx;
use crate::db::{execute, execute_returning, micros, query_all};
use crate::error::Error;
use crate::paths;
use counters::Batch;

/// Stores what is known of frames of a task from `source`; `worker` is the key of who rendered them. The same report
/// may be stored again. Gives back the keys of the rows that changed.
///
/// # Errors
/// When the database cannot be written.
pub async fn store(
    tx: &Tx,
    task: &TaskSummary,
    worker: i64,
    source: FrameSource,
    reports: &[FrameReport],
    now: DateTime<Utc>,
) -> Result<Vec<i64>, Error> {
    let numbers = reports.iter().map(|report| report.frame);
    let (Some(first), Some(last)) = (numbers.clone().min(), numbers.max()) else { return Ok(Vec::new()) };
    let mut known = known(tx, task, first, last).await?;
    // Those of a report that comes for a second time were noted the first time.
    let mut outputs: HashSet<String> = known.keys().map(|(_, path)| output(path)).collect();
    let mut batch = Batch::begin(tx, task.job_seq, worker, (first, last)).await?;
    let mut changed = Vec::new();
    for report in reports {
        if !report.path.is_empty() {
            // The frame has come out after all.
            let sql =
                "DELETE FROM frames WHERE task_id = $1 AND frame = $2 AND path = '' AND rendered_at <= $3";
            execute(tx, sql, vec![task.seq.into(), report.frame.into(), micros(report.rendered)]).await?;
        }
        let place = (report.frame, report.path.clone());
        let row = match known.get(&place) {
            None => {
                let key = insert(tx, task, worker, source, report, now).await?;
                let output = output(&report.path);
                if !output.is_empty() && !outputs.contains(&output) {
                    paths::add_output(tx, task.job_seq, &output).await?;
                    outputs.insert(output);
                }
                batch.add(report, key, !report.existing);
                Row { key, known: KnownFrame::of(report, worker, source), is_counted: true }
            }
            Some(row) => {
                let does = on_frame_report(row.known, worker, source, report);
                match does {
                    OnReport::Ignore => continue,
                    OnReport::Look => look(tx, row.key, report, now).await?,
                    OnReport::Complete => complete(tx, row.key, worker, source, report, now).await?,
                    OnReport::NewAttempt => again(tx, row.key, worker, source, report, now).await?,
                }
                let is_new = does == OnReport::NewAttempt || (does == OnReport::Complete && !row.is_counted);
                batch.add(report, row.key, is_new);
                let known = match does {
                    OnReport::Look => row.known,
                    _ => KnownFrame::of(report, worker, source),
                };
                Row { key: row.key, known, is_counted: true }
            }
        };
        changed.push(row.key);
        known.insert(place, row);
    }
    batch.end(tx).await?;
    Ok(changed)
}

/// What is stored of a file of a frame.
struct Row {
    key: i64,
    known: KnownFrame,
    /// A row that came to be with a picture is counted when it is reported.
    is_counted: bool,
}

trait Of {
    fn of(report: &FrameReport, worker: i64, source: FrameSource) -> Self;
}

impl Of for KnownFrame {
    fn of(report: &FrameReport, worker: i64, source: FrameSource) -> Self {
        Self { rendered: report.rendered, worker: Some(worker), is_reported: source == FrameSource::Report }
    }
}

async fn known(
    tx: &Tx,
    task: &TaskSummary,
    first: i64,
    last: i64,
) -> Result<HashMap<(i64, String), Row>, Error> {
    let sql = "SELECT id, frame, path, rendered_at, worker_id, source FROM frames WHERE task_id = $1 AND frame >= $2 \
               AND frame <= $3";
    let rows = query_all(tx, sql, vec![task.seq.into(), first.into(), last.into()]).await?;
    rows.iter()
        .map(|row| {
            let source: String = row.get("source")?;
            let known = KnownFrame {
                rendered: row.time("rendered_at")?,
                worker: row.get("worker_id")?,
                is_reported: source == FrameSource::Report.as_str(),
            };
            let is_counted = source != FrameSource::Picture.as_str();
            Ok(((row.get("frame")?, row.get("path")?), Row { key: row.get("id")?, known, is_counted }))
        })
        .collect()
}

fn facts(facts: &FrameFacts) -> [Value; 9] {
    let FrameFacts { render_ms, save_ms, peak_memory, file_size, width, height, engine, samples, message } =
        facts;
    let [render_ms, save_ms, peak_memory, file_size, width, height, samples] =
        [render_ms, save_ms, peak_memory, file_size, width, height, samples].map(|fact| Value::from(*fact));
    let [engine, message] = [engine, message].map(|fact| Value::from(fact.as_deref()));
    [render_ms, save_ms, peak_memory, file_size, width, height, engine, samples, message]
}

async fn insert(
    tx: &Tx,
    task: &TaskSummary,
    worker: i64,
    source: FrameSource,
    report: &FrameReport,
    now: DateTime<Utc>,
) -> Result<i64, Error> {
    let sql = "INSERT INTO frames (job_id, task_id, worker_id, frame, name, path, output, state, source, rendered_at, \
               render_ms, save_ms, peak_memory, file_size, width, height, engine, samples, message, created_at, \
               updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
               $20, $20) RETURNING id";
    let mut values: Vec<Value> = vec![
        task.job_seq.into(),
        task.seq.into(),
        worker.into(),
        report.frame.into(),
        report.name().into(),
        report.path.as_str().into(),
        output(&report.path).into(),
        report.state.as_str().into(),
        source.as_str().into(),
        micros(report.rendered),
    ];
    values.extend(facts(&report.facts));
    values.push(micros(now));
    let rows = execute_returning(tx, sql, values).await?;
    rows.first().ok_or_else(|| Error::Corrupt("an insert gave no key".to_owned()))?.get("id")
}

/// A file that was there already: how it was rendered stays as it was reported then.
async fn look(tx: &Tx, key: i64, report: &FrameReport, now: DateTime<Utc>) -> Result<(), Error> {
    let sql = "UPDATE frames SET state = $2, file_size = $3, width = COALESCE($4, width), height = COALESCE($5, \
               height), updated_at = $6 WHERE id = $1";
    let FrameFacts { file_size, width, height, .. } = &report.facts;
    let values = vec![
        key.into(),
        report.state.as_str().into(),
        (*file_size).into(),
        (*width).into(),
        (*height).into(),
        micros(now),
    ];
    execute(tx, sql, values).await.map(drop)
}

/// More about the rendering that is stored.
async fn complete(
    tx: &Tx,
    key: i64,
    worker: i64,
    source: FrameSource,
    report: &FrameReport,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = "UPDATE frames SET worker_id = $2, state = $3, source = $4, rendered_at = $5, render_ms = COALESCE($6, \
               render_ms), save_ms = COALESCE($7, save_ms), peak_memory = COALESCE($8, peak_memory), file_size = \
               COALESCE($9, file_size), width = COALESCE($10, width), height = COALESCE($11, height), engine = \
               COALESCE($12, engine), samples = COALESCE($13, samples), message = $14, updated_at = $15 WHERE id = $1";
    execute(tx, sql, changes(key, worker, source, report, now)).await.map(drop)
}

/// A later rendering: the one before becomes history.
async fn again(
    tx: &Tx,
    key: i64,
    worker: i64,
    source: FrameSource,
    report: &FrameReport,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = "INSERT INTO frame_attempts (frame_id, attempt, worker_id, state, rendered_at, render_ms, save_ms, \
               peak_memory, file_size, width, height, engine, samples, message) SELECT id, attempt, worker_id, state, \
               rendered_at, render_ms, save_ms, peak_memory, file_size, width, height, engine, samples, message FROM \
               frames WHERE id = $1";
    execute(tx, sql, vec![key.into()]).await?;
    let sql = "UPDATE frames SET worker_id = $2, state = $3, source = $4, rendered_at = $5, render_ms = $6, save_ms = \
               $7, peak_memory = $8, file_size = $9, width = $10, height = $11, engine = $12, samples = $13, message = \
               $14, updated_at = $15, attempt = attempt + 1, stale = 0, checked_at = NULL WHERE id = $1";
    execute(tx, sql, changes(key, worker, source, report, now)).await.map(drop)
}

fn changes(
    key: i64,
    worker: i64,
    source: FrameSource,
    report: &FrameReport,
    now: DateTime<Utc>,
) -> Vec<Value> {
    let mut values: Vec<Value> = vec![
        key.into(),
        worker.into(),
        report.state.as_str().into(),
        source.as_str().into(),
        micros(report.rendered),
    ];
    values.extend(facts(&report.facts));
    values.push(micros(now));
    values
}
