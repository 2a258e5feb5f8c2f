//! Thumbnails of frames, and what the manager sees of their files itself.

use chrono::{DateTime, Utc};
use flamenco_domain::frame::{FrameFacts, FrameReport, FrameSource, FrameState, Thumbnail};
use flamenco_domain::ids::JobId;
use flamenco_domain::task::TaskSummary;
use sea_orm::Value;

use super::read::thumbnail;
use super::{counters, insert};
use crate::Tx;
use crate::db::{Db, execute, micros, query_all, query_one};
use crate::error::Error;

/// Which file a picture was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureOf {
    /// The number of its frame.
    pub frame: i64,
    /// The file as the worker sees it.
    pub path: String,
    /// When it was rendered; without it, the picture is of what is stored.
    pub rendered: Option<DateTime<Utc>>,
}

/// A thumbnail that is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetThumbnail {
    /// What its files are called.
    pub thumbnail: Thumbnail,
    /// Their size together, in bytes.
    pub bytes: i64,
}

/// What became of a thumbnail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedThumbnail {
    /// Key of the row of its frame.
    pub key: i64,
    /// The thumbnail that the frame had before.
    pub before: Option<Thumbnail>,
    /// False when a later rendering is stored already, whose thumbnail stays.
    pub is_set: bool,
}

/// Notes the thumbnail of a frame of a task; a frame that nobody has told of yet is noted as well.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_thumbnail(
    tx: &Tx,
    task: &TaskSummary,
    worker: i64,
    of: &PictureOf,
    set: &SetThumbnail,
    now: DateTime<Utc>,
) -> Result<NotedThumbnail, Error> {
    let sql = "SELECT id, rendered_at, thumb, thumb_ext, thumb_large FROM frames WHERE task_id = $1 AND frame = $2 AND \
               path = $3";
    let values = vec![task.seq.into(), of.frame.into(), of.path.as_str().into()];
    let (key, before) = match query_one(tx, sql, values).await? {
        Some(row) => {
            let (key, before, stored) = (row.get("id")?, thumbnail(&row)?, row.time("rendered_at")?);
            if of.rendered.is_some_and(|rendered| rendered < stored) {
                return Ok(NotedThumbnail { key, before, is_set: false });
            }
            (key, before)
        }
        None => {
            let report = FrameReport {
                frame: of.frame,
                path: of.path.clone(),
                state: FrameState::Ok,
                rendered: of.rendered.unwrap_or(now),
                existing: false,
                facts: FrameFacts::default(),
            };
            let mut batch = counters::Batch::begin(tx, task.job_seq, worker, (of.frame, of.frame)).await?;
            let key = insert(tx, task, worker, FrameSource::Picture, &report, now).await?;
            batch.add(&report, key, false);
            batch.end(tx).await?;
            (key, None)
        }
    };
    let sql = "UPDATE frames SET thumb = $2, thumb_ext = $3, thumb_large = 1, thumb_bytes = $4, updated_at = $5 WHERE id \
               = $1";
    let Thumbnail { stem, extension, .. } = &set.thumbnail;
    let values =
        vec![i64::into(key), stem.as_str().into(), extension.as_str().into(), set.bytes.into(), micros(now)];
    execute(tx, sql, values).await?;
    Ok(NotedThumbnail { key, before, is_set: true })
}

/// The frame of a task, given by its key, that its log spoke of first and that has no thumbnail yet.
///
/// # Errors
/// When the database cannot be read.
pub async fn without_thumbnail(db: &impl Db, task: i64) -> Result<Option<PictureOf>, Error> {
    let sql = "SELECT frame, path, rendered_at FROM frames WHERE task_id = $1 AND thumb IS NULL AND source = 'log' ORDER BY \
               rendered_at, id LIMIT 1";
    query_one(db, sql, vec![task.into()])
        .await?
        .map(|row| {
            Ok(PictureOf {
                frame: row.get("frame")?,
                path: row.get("path")?,
                rendered: Some(row.time("rendered_at")?),
            })
        })
        .transpose()
}

/// A file of a frame that the manager may look at itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchecked {
    /// Key of its row.
    pub key: i64,
    /// Its job.
    pub job: JobId,
    /// Its task.
    pub task: flamenco_domain::ids::TaskId,
    /// The number of the frame.
    pub frame: i64,
    /// The file as its worker sees it.
    pub path: String,
    /// The platform of that worker.
    pub platform: String,
    /// When it was rendered.
    pub rendered: DateTime<Utc>,
}

/// Some files that have neither a thumbnail nor were looked at, and that nobody has told anything new of since `before`.
///
/// # Errors
/// When the database cannot be read.
pub async fn unchecked(db: &impl Db, before: DateTime<Utc>, limit: i64) -> Result<Vec<Unchecked>, Error> {
    let sql = "SELECT f.id, f.frame, f.path, f.rendered_at, j.uuid AS job_uuid, t.uuid AS task_uuid, COALESCE(w.platform, \
               '') AS platform FROM frames f JOIN jobs j ON j.id = f.job_id JOIN tasks t ON t.id = f.task_id LEFT JOIN \
               workers w ON w.id = f.worker_id WHERE f.thumb IS NULL AND f.checked_at IS NULL AND f.path <> '' AND \
               f.updated_at <= $1 ORDER BY f.id LIMIT $2";
    query_all(db, sql, vec![micros(before), limit.into()])
        .await?
        .iter()
        .map(|row| {
            Ok(Unchecked {
                key: row.get("id")?,
                job: JobId(row.get("job_uuid")?),
                task: flamenco_domain::ids::TaskId(row.get("task_uuid")?),
                frame: row.get("frame")?,
                path: row.get("path")?,
                platform: row.get("platform")?,
                rendered: row.time("rendered_at")?,
            })
        })
        .collect()
}

/// What the manager saw of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SeenFile {
    /// What is wrong with it, or that it is fine; `None` when the manager cannot tell.
    pub state: Option<FrameState>,
    /// Its size in bytes.
    pub size: Option<i64>,
    /// Width and height of the picture in pixels.
    pub pixels: Option<(i64, i64)>,
}

/// Notes that the manager has looked at a file, given by the key of its row, and fills in what was not known.
///
/// # Errors
/// When the database cannot be written.
pub async fn see(tx: &Tx, key: i64, seen: SeenFile, now: DateTime<Utc>) -> Result<(), Error> {
    let sql = "UPDATE frames SET checked_at = $2, state = CASE WHEN state = 'ok' THEN COALESCE($3, state) ELSE state END, \
               file_size = COALESCE(file_size, $4), width = COALESCE(width, $5), height = COALESCE(height, $6), \
               updated_at = $2 WHERE id = $1";
    let values = vec![
        key.into(),
        micros(now),
        seen.state.map(FrameState::as_str).into(),
        seen.size.into(),
        seen.pixels.map(|(width, _)| width).into(),
        seen.pixels.map(|(_, height)| height).into(),
    ];
    change_state(tx, key, sql, values).await
}

/// Notes that the file of a row, given by its key, is there, or is not.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_present(tx: &Tx, key: i64, is_there: bool, now: DateTime<Utc>) -> Result<(), Error> {
    let sql = if is_there {
        "UPDATE frames SET state = 'ok', updated_at = $2 WHERE id = $1 AND state = 'missing'"
    } else {
        "UPDATE frames SET state = 'missing', updated_at = $2 WHERE id = $1 AND state IN ('ok', 'black')"
    };
    change_state(tx, key, sql, vec![key.into(), micros(now)]).await
}

/// Runs a statement that may change the state of a row, and counts what that makes of its frame.
async fn change_state(tx: &Tx, key: i64, sql: &str, values: Vec<Value>) -> Result<(), Error> {
    let row = query_one(tx, "SELECT job_id, frame FROM frames WHERE id = $1", vec![key.into()]).await?;
    let Some(row) = row else { return Ok(()) };
    let (job, frame): (i64, i64) = (row.get("job_id")?, row.get("frame")?);
    let before = counters::done(tx, job, (frame, frame)).await?;
    execute(tx, sql, values).await?;
    let change = counters::done(tx, job, (frame, frame)).await? - before;
    if change != 0 {
        let sql = "UPDATE job_frames SET done = done + $2 WHERE job_id = $1";
        execute(tx, sql, vec![job.into(), change.into()]).await?;
    }
    Ok(())
}

/// How much room the thumbnails of all jobs take, in bytes.
///
/// # Errors
/// When the database cannot be read.
pub async fn thumbnail_bytes(db: &impl Db) -> Result<i64, Error> {
    let sql = "SELECT CAST(COALESCE(SUM(thumb_bytes), 0) AS BIGINT) AS bytes FROM frames";
    query_one(db, sql, vec![]).await?.map_or(Ok(0), |row| row.get("bytes"))
}

/// A large thumbnail that may make room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeThumbnail {
    /// Key of its row.
    pub key: i64,
    /// Its job.
    pub job: JobId,
    /// What its files are called.
    pub thumbnail: Thumbnail,
}

/// Some large thumbnails, the oldest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn large_thumbnails(db: &impl Db, limit: i64) -> Result<Vec<LargeThumbnail>, Error> {
    let sql = "SELECT f.id, f.thumb, f.thumb_ext, f.thumb_large, j.uuid FROM frames f JOIN jobs j ON j.id = f.job_id WHERE \
               f.thumb IS NOT NULL AND f.thumb_large = 1 ORDER BY f.rendered_at, f.id LIMIT $1";
    let mut found = Vec::new();
    for row in query_all(db, sql, vec![limit.into()]).await? {
        if let Some(thumbnail) = thumbnail(&row)? {
            found.push(LargeThumbnail { key: row.get("id")?, job: JobId(row.get("uuid")?), thumbnail });
        }
    }
    Ok(found)
}

/// Notes that a large thumbnail is going to be removed, and how large what is left is, in bytes.
///
/// # Errors
/// When the database cannot be written.
pub async fn forget_large(tx: &Tx, key: i64, left: i64) -> Result<(), Error> {
    let sql = "UPDATE frames SET thumb_large = 0, thumb_bytes = $2 WHERE id = $1";
    execute(tx, sql, vec![key.into(), left.into()]).await.map(drop)
}
