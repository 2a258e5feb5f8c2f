//! Frames that workers reported.

use chrono::{DateTime, Utc};
use flamenco_domain::frame::{Frame, FrameFacts, FrameFilter, FrameReport};
use flamenco_domain::ids::{JobId, TaskId, WorkerId};
use flamenco_domain::task::TaskSummary;
use sea_orm::Value;

use crate::Tx;
use crate::db::{Db, Row, execute, micros, query_all};
use crate::error::Error;

/// What a later rendering replaces. An older report that arrives late, or the same once more, changes nothing that
/// counts.
const RENDERED: &str = "INSERT INTO frames (job_id, task_id, worker_id, frame, name, path, state, rendered_at, \
    render_ms, save_ms, peak_memory, file_size, width, height, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, \
    $7, $8, $9, $10, $11, $12, $13, $14, $15, $15) ON CONFLICT (task_id, frame, path) DO UPDATE SET attempt = \
    frames.attempt + CASE WHEN excluded.rendered_at > frames.rendered_at THEN 1 ELSE 0 END, worker_id = \
    excluded.worker_id, state = excluded.state, rendered_at = excluded.rendered_at, render_ms = excluded.render_ms, \
    save_ms = excluded.save_ms, peak_memory = excluded.peak_memory, file_size = excluded.file_size, width = \
    excluded.width, height = excluded.height, updated_at = excluded.updated_at WHERE excluded.rendered_at >= \
    frames.rendered_at";
/// A file that was there already: how it was rendered stays as it was reported then.
const EXISTING: &str = "INSERT INTO frames (job_id, task_id, worker_id, frame, name, path, state, rendered_at, \
    render_ms, save_ms, peak_memory, file_size, width, height, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, \
    $7, $8, $9, $10, $11, $12, $13, $14, $15, $15) ON CONFLICT (task_id, frame, path) DO UPDATE SET state = \
    excluded.state, file_size = excluded.file_size, width = COALESCE(excluded.width, frames.width), height = \
    COALESCE(excluded.height, frames.height), updated_at = excluded.updated_at";

/// Stores what a worker, given by its key, reports about frames of a task. The same report may be stored again.
///
/// # Errors
/// When the database cannot be written.
pub async fn store(
    tx: &Tx,
    task: &TaskSummary,
    worker: i64,
    reports: &[FrameReport],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    for report in reports {
        if !report.path.is_empty() {
            // The frame has come out after all.
            let sql =
                "DELETE FROM frames WHERE task_id = $1 AND frame = $2 AND path = '' AND rendered_at <= $3";
            execute(tx, sql, vec![task.seq.into(), report.frame.into(), micros(report.rendered)]).await?;
        }
        let FrameFacts { render_ms, save_ms, peak_memory, file_size, width, height } = report.facts;
        let mut values: Vec<Value> = vec![
            task.job_seq.into(),
            task.seq.into(),
            worker.into(),
            report.frame.into(),
            report.name().into(),
            report.path.as_str().into(),
            report.state.as_str().into(),
            micros(report.rendered),
        ];
        values.extend([render_ms, save_ms, peak_memory, file_size, width, height].map(Value::from));
        values.push(micros(now));
        execute(tx, if report.existing { EXISTING } else { RENDERED }, values).await?;
    }
    Ok(())
}

/// Frames of a job, by number.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_job(db: &impl Db, job: JobId, filter: &FrameFilter) -> Result<Vec<Frame>, Error> {
    let sql = "SELECT f.id, f.frame, f.name, f.path, f.state, f.attempt, f.rendered_at, f.render_ms, f.save_ms, \
               f.peak_memory, f.file_size, f.width, f.height, t.uuid AS task_uuid, w.uuid AS worker_uuid, w.name AS \
               worker_name FROM frames f JOIN tasks t ON t.id = f.task_id LEFT JOIN workers w ON w.id = f.worker_id \
               WHERE f.job_id = (SELECT id FROM jobs WHERE uuid = $1 AND status <> 'under-construction') AND \
               f.frame >= $2 AND f.frame <= $3 AND ($4 = '' OR $4 LIKE '% ' || f.state || ' %') AND (f.frame > $5 OR \
               f.id > $6) ORDER BY f.frame, f.id LIMIT $7";
    // The page begins at the frame number where the one before ended, of which only later rows are wanted.
    let (from, number, seq) = match filter.after {
        Some((number, seq)) => (filter.from.max(number), number, seq),
        None => (filter.from, i64::MIN, 0),
    };
    let values = vec![
        job.0.into(),
        from.into(),
        filter.to.into(),
        filter.states.iter().map(|state| format!(" {state} ")).collect::<String>().into(),
        number.into(),
        seq.into(),
        filter.limit.unwrap_or(i64::MAX).into(),
    ];
    query_all(db, sql, values).await?.iter().map(frame).collect()
}

fn frame(row: &Row) -> Result<Frame, Error> {
    let worker: Option<uuid::Uuid> = row.get("worker_uuid")?;
    let worker_name: Option<String> = row.get("worker_name")?;
    Ok(Frame {
        seq: row.get("id")?,
        task: TaskId(row.get("task_uuid")?),
        worker: worker.map(|id| (WorkerId(id), worker_name.unwrap_or_default())),
        name: row.get("name")?,
        attempt: row.get("attempt")?,
        report: FrameReport {
            frame: row.get("frame")?,
            path: row.get("path")?,
            state: row.parse("state")?,
            rendered: row.time("rendered_at")?,
            existing: false,
            facts: FrameFacts {
                render_ms: row.get("render_ms")?,
                save_ms: row.get("save_ms")?,
                peak_memory: row.get("peak_memory")?,
                file_size: row.get("file_size")?,
                width: row.get("width")?,
                height: row.get("height")?,
            },
        },
    })
}
