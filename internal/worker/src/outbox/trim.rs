//! Makes room in a queue that is full: pieces of log go, the oldest first, and nothing else does.

use std::collections::HashMap;

use chrono::Utc;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::TaskReport;
use super::storage::{Size, delete};

/// A queued update with a piece of log that may go.
struct Piece {
    id: i64,
    task: Uuid,
    /// Its size in the queue, in bytes.
    bytes: i64,
    /// What stays of the update; `None` when it is nothing but log.
    rest: Option<TaskReport>,
}

/// Removes the oldest pieces of log until no more than `target_bytes` are queued, or there are none left, and leaves a
/// note in the log of each task that lost some. Notes are not numbered: there is no telling how much room the numbers
/// left for one. Whatever else an update carries stays, and so does a status with its reason.
pub(super) fn make_room(connection: &Connection, size: &mut Size, target_bytes: i64) -> rusqlite::Result<()> {
    let pieces = oldest_pieces(connection, size.bytes - target_bytes)?;
    if pieces.is_empty() {
        tracing::warn!(
            bytes = size.bytes,
            updates = size.rows,
            "the queue of task updates is full, and nothing in it can be left out; it grows on"
        );
        return Ok(());
    }
    tracing::warn!(
        pieces = pieces.len(),
        "the queue of task updates is full; dropping the oldest log pieces"
    );
    // How many pieces each task loses. The note goes where the last of them was.
    let mut lost: HashMap<Uuid, (usize, i64)> = HashMap::new();
    for piece in &pieces {
        let (count, last) = lost.entry(piece.task).or_default();
        *count += 1;
        *last = piece.id;
    }
    for Piece { id, task, rest, .. } in pieces {
        delete(connection, "id = ?1", &id, size)?;
        let (count, last) = lost.get(&task).copied().unwrap_or_default();
        let note = (id == last).then(|| {
            format!("[... {count} pieces of the log left out: the manager was away for too long ...]\n")
        });
        if rest.is_some() || note.is_some() {
            let report = TaskReport { log: note, log_position: None, ..rest.unwrap_or_default() };
            insert(connection, id, task, &report, size)?;
        }
    }
    Ok(())
}

fn oldest_pieces(connection: &Connection, mut to_free: i64) -> rusqlite::Result<Vec<Piece>> {
    let mut statement = connection.prepare("SELECT id, task_id, payload FROM task_updates ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut pieces = Vec::new();
    while to_free > 0
        && let Some(row) = rows.next()?
    {
        let payload: Vec<u8> = row.get(2)?;
        let bytes = i64::try_from(payload.len()).unwrap_or(0);
        if let Ok(task) = Uuid::parse_str(&row.get::<_, String>(1)?)
            && let Some(piece) = piece(row.get(0)?, task, bytes, serde_json::from_slice(&payload).ok())
        {
            to_free -= piece.bytes;
            pieces.push(piece);
        }
    }
    Ok(pieces)
}

fn piece(id: i64, task: Uuid, bytes: i64, report: Option<TaskReport>) -> Option<Piece> {
    let report = report?;
    let log = report.log.as_ref().filter(|_| report.task_status.is_none())?;
    if report.is_log_only() {
        return Some(Piece { id, task, bytes, rest: None });
    }
    let bytes = i64::try_from(log.len()).unwrap_or(0);
    Some(Piece { id, task, bytes, rest: Some(TaskReport { log: None, log_position: None, ..report }) })
}

fn insert(
    connection: &Connection,
    id: i64,
    task: Uuid,
    report: &TaskReport,
    size: &mut Size,
) -> rusqlite::Result<()> {
    let payload = serde_json::to_vec(report).unwrap_or_default();
    connection.execute(
        "INSERT INTO task_updates (id, created_at, task_id, payload) VALUES (?1, ?2, ?3, ?4)",
        params![id, Utc::now().to_rfc3339(), task.to_string(), payload],
    )?;
    size.rows += 1;
    size.bytes += i64::try_from(payload.len()).unwrap_or(0);
    Ok(())
}
