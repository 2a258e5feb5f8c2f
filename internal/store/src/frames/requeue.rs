//! Tasks that hold frames, and that are to render only some of them.

use chrono::{DateTime, Utc};
use flamenco_domain::frame_command::frames_of;
use flamenco_domain::frame_range::FrameRange;
use flamenco_domain::ids::{JobId, TaskId};
use flamenco_domain::task::Command;

use super::read::range;
use crate::Tx;
use crate::db::{Db, execute, micros, query_all};
use crate::error::Error;

/// A task with the frames that it renders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldFrames {
    /// The task.
    pub task: TaskId,
    /// Its name.
    pub name: String,
    /// The frames; none when its commands do not say.
    pub frames: FrameRange,
    /// Only these are to be rendered when it runs; none when all are.
    pub only: FrameRange,
}

/// The tasks of a job that hold some of `wanted`: by their commands, or by frames that they have rendered.
///
/// # Errors
/// When the database cannot be read.
pub async fn tasks_holding(db: &impl Db, job: JobId, wanted: &FrameRange) -> Result<Vec<HeldFrames>, Error> {
    let (Some(first), Some(last)) = (wanted.first(), wanted.last()) else { return Ok(Vec::new()) };
    // Only tasks from before frames were noted need their commands read.
    let sql = "SELECT t.uuid, t.name, t.frames, t.only_frames, CASE WHEN t.frames = '' THEN t.commands ELSE '[]' END AS \
               commands FROM tasks t JOIN jobs j ON j.id = t.job_id WHERE j.uuid = $1 AND j.status <> \
               'under-construction' AND (t.frames <> '' OR EXISTS (SELECT 1 FROM frames f WHERE f.task_id = t.id AND \
               f.frame >= $2 AND f.frame <= $3)) ORDER BY t.index_in_job";
    let rows = query_all(db, sql, vec![job.0.into(), first.into(), last.into()]).await?;
    let mut held = Vec::new();
    for row in rows {
        let noted: String = row.get("frames")?;
        let frames = match noted.is_empty() {
            true => frames_of(&row.json::<Vec<Command>>("commands")?).unwrap_or_default(),
            false => range(&noted),
        };
        if !frames.intersection(wanted).is_empty() || noted.is_empty() {
            held.push(HeldFrames {
                task: TaskId(row.get("uuid")?),
                name: row.get("name")?,
                frames,
                only: range(&row.get::<String>("only_frames")?),
            });
        }
    }
    Ok(held)
}

/// Those of `frames` of a task, given by its key, that have not come out.
///
/// # Errors
/// When the database cannot be read.
pub async fn not_done(db: &impl Db, task: i64, frames: &FrameRange) -> Result<FrameRange, Error> {
    let sql = "SELECT DISTINCT frame FROM frames WHERE task_id = $1 AND state IN ('ok', 'black')";
    let rows = query_all(db, sql, vec![task.into()]).await?;
    let done = rows.iter().map(|row| row.get("frame")).collect::<Result<FrameRange, _>>()?;
    Ok(frames.minus(&done))
}

/// Makes a task, given by its key, render only these frames when it runs the next time.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_only(tx: &Tx, task: i64, frames: &FrameRange) -> Result<(), Error> {
    let sql = "UPDATE tasks SET only_frames = $2 WHERE id = $1";
    execute(tx, sql, vec![task.into(), frames.to_string().into()]).await.map(drop)
}

/// Marks frames of a task, given by its key, as asked for again. Gives back the keys of their rows.
///
/// # Errors
/// When the database cannot be written.
pub async fn mark_stale(
    tx: &Tx,
    task: i64,
    frames: &FrameRange,
    now: DateTime<Utc>,
) -> Result<Vec<i64>, Error> {
    let rows = query_all(tx, "SELECT id, frame FROM frames WHERE task_id = $1", vec![task.into()]).await?;
    let mut keys = Vec::new();
    for row in rows {
        if frames.contains(row.get("frame")?) {
            keys.push(row.get::<i64>("id")?);
        }
    }
    for some in keys.chunks(1000) {
        // Numbers of our own.
        let list = some.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
        let sql = format!("UPDATE frames SET stale = 1, updated_at = $1 WHERE id IN ({list})");
        execute(tx, &sql, vec![micros(now)]).await?;
    }
    Ok(keys)
}
