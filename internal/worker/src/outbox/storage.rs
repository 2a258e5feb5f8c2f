//! The queue on disk. One thread owns the database connection and commits everything that is waiting in one
//! transaction, so that the cost of an fsync is shared.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use chrono::Utc;
use rusqlite::{Connection, ErrorCode, ToSql, params};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::{LogPosition, TaskReport, trim};

/// At most this much is kept, in bytes. Beyond it the oldest pieces of log go first, and nothing else.
const MAX_QUEUE_BYTES: i64 = 256 * 1024 * 1024;
/// How many operations share a commit at most.
const MAX_GROUP: usize = 256;
/// How much is read from the queue at once, in bytes.
const FRONT_BYTES: usize = 512 * 1024;
/// Pause before trying again when the disk refuses a commit.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Why the queue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("cannot open the queue of task updates {path}: {source}")]
    Open { path: PathBuf, source: rusqlite::Error },
    #[error("the queue of task updates {path} is damaged, and cannot be moved aside: {source}")]
    MoveAside { path: PathBuf, source: std::io::Error },
    #[error("cannot start the thread for the queue of task updates: {0}")]
    Thread(std::io::Error),
}

/// One queued update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: i64,
    pub task: Uuid,
    /// `None` when the stored bytes are no task update.
    pub report: Option<TaskReport>,
}

enum Operation {
    Push { task: Uuid, payload: Vec<u8>, done: oneshot::Sender<()> },
    Front { limit: usize, done: oneshot::Sender<Vec<Entry>> },
    Discard { ids: Vec<i64>, done: oneshot::Sender<()> },
    DropTask { task: Uuid, done: oneshot::Sender<usize> },
}

/// Handle on the storage thread, which ends when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Storage {
    operations: mpsc::Sender<Operation>,
    queued: watch::Receiver<usize>,
    next: Arc<Mutex<LogPosition>>,
}

impl Storage {
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        Self::open_with_limit(path, MAX_QUEUE_BYTES)
    }

    pub fn open_with_limit(path: &Path, max_bytes: i64) -> Result<Self, StorageError> {
        let (connection, size) = open_or_move_aside(path)?;
        let (operations, receiver) = mpsc::channel();
        let (queued_sender, queued) = watch::channel(size.rows);
        let database = Database {
            connection,
            size,
            max_bytes,
            trim_above: max_bytes,
            queued: queued_sender,
            complained: false,
        };
        std::thread::Builder::new()
            .name("outbox".to_owned())
            .spawn(move || database.run(&receiver))
            .map_err(StorageError::Thread)?;
        let next = LogPosition { stream: Uuid::new_v4(), offset: 0 };
        Ok(Self { operations, queued, next: Arc::new(Mutex::new(next)) })
    }

    pub async fn push(&self, task: Uuid, report: &TaskReport) {
        if let Some(pushed) = self.number_and_send(task, report.clone()) {
            pushed.await;
        }
    }

    fn number_and_send(
        &self,
        task: Uuid,
        mut report: TaskReport,
    ) -> Option<impl Future<Output = Option<()>>> {
        // Held until it is handed over, so that pieces of log are queued in the order of their numbers.
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        report.log_position = report.log.as_mut().and_then(|log| number(log, &mut next));
        match serde_json::to_vec(&report) {
            Ok(payload) => Some(self.ask(move |done| Operation::Push { task, payload, done })),
            Err(error) => {
                tracing::error!(%task, %error, "a task update cannot be written as JSON");
                None
            }
        }
    }

    /// The oldest updates.
    pub async fn front(&self, limit: usize) -> Vec<Entry> {
        self.ask(|done| Operation::Front { limit, done }).await.unwrap_or_default()
    }

    pub async fn discard(&self, ids: Vec<i64>) {
        self.ask(|done| Operation::Discard { ids, done }).await;
    }

    /// Removes every queued update of a task; returns how many there were.
    pub async fn drop_task(&self, task: Uuid) -> usize {
        self.ask(|done| Operation::DropTask { task, done }).await.unwrap_or_default()
    }

    /// The number of queued updates, as it changes.
    pub fn queued(&self) -> watch::Receiver<usize> {
        self.queued.clone()
    }

    /// Sending happens at once, waiting for the answer afterwards: the operation is done even when the returned
    /// future is dropped.
    fn ask<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> Operation) -> impl Future<Output = Option<T>> {
        let (done, answer) = oneshot::channel();
        let sent = self.operations.send(make(done));
        async move {
            sent.ok()?;
            answer.await.ok()
        }
    }
}

/// The place of a piece of log, which ends in a newline afterwards; an empty one has none.
fn number(log: &mut String, next: &mut LogPosition) -> Option<LogPosition> {
    if log.is_empty() {
        return None;
    }
    if !log.ends_with('\n') {
        log.push('\n');
    }
    let here = *next;
    next.offset = next.offset.saturating_add(i64::try_from(log.len()).unwrap_or(i64::MAX));
    Some(here)
}

struct Database {
    connection: Connection,
    size: Size,
    max_bytes: i64,
    /// More than `max_bytes` when making room has not helped: looking for log again is only worth it after a while.
    trim_above: i64,
    queued: watch::Sender<usize>,
    complained: bool,
}

/// How much is queued, kept so that nobody has to count rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub rows: usize,
    pub bytes: i64,
}

/// What an operation yields, told to the caller after the commit and not before.
enum Outcome {
    Done,
    Entries(Vec<Entry>),
    Dropped(usize),
}

impl Database {
    fn run(mut self, operations: &mpsc::Receiver<Operation>) {
        while let Ok(first) = operations.recv() {
            let mut group = vec![first];
            while group.len() < MAX_GROUP
                && let Ok(next) = operations.try_recv()
            {
                group.push(next);
            }
            self.run_group(group);
        }
    }

    /// Runs a group in one transaction. A disk that is full or gone must not lose what was handed over, so this
    /// tries until it succeeds.
    fn run_group(&mut self, group: Vec<Operation>) {
        loop {
            match self.try_group(&group) {
                Ok((outcomes, size, trimmed)) => {
                    if size.bytes <= self.max_bytes {
                        self.trim_above = self.max_bytes;
                    } else if trimmed {
                        self.trim_above = size.bytes.saturating_add(self.max_bytes / 10);
                    }
                    if std::mem::take(&mut self.complained) {
                        tracing::info!("the queue of task updates can be written again");
                    }
                    self.size = size;
                    self.queued.send_if_modified(|rows| std::mem::replace(rows, size.rows) != size.rows);
                    for (operation, outcome) in group.into_iter().zip(outcomes) {
                        operation.answer(outcome);
                    }
                    return;
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.complained, true) {
                        tracing::error!(%error, "cannot write the queue of task updates; trying until it works");
                    }
                    std::thread::sleep(RETRY_PAUSE);
                }
            }
        }
    }

    /// Also tells whether room had to be made.
    fn try_group(&mut self, group: &[Operation]) -> rusqlite::Result<(Vec<Outcome>, Size, bool)> {
        let mut size = self.size;
        let transaction = self.connection.transaction()?;
        let mut outcomes = Vec::with_capacity(group.len());
        for operation in group {
            outcomes.push(operation.execute(&transaction, &mut size)?);
        }
        let is_full = size.bytes > self.trim_above;
        if is_full {
            trim::make_room(&transaction, &mut size, self.max_bytes / 10 * 9)?;
        }
        transaction.commit()?;
        Ok((outcomes, size, is_full))
    }
}

impl Operation {
    fn execute(&self, connection: &Connection, size: &mut Size) -> rusqlite::Result<Outcome> {
        match self {
            Self::Push { task, payload, .. } => {
                connection
                    .prepare_cached(
                        "INSERT INTO task_updates (created_at, task_id, payload) VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![Utc::now().to_rfc3339(), task.to_string(), payload])?;
                size.rows += 1;
                size.bytes += i64::try_from(payload.len()).unwrap_or(i64::MAX);
                Ok(Outcome::Done)
            }
            Self::Front { limit, .. } => Ok(Outcome::Entries(front(connection, *limit)?)),
            Self::Discard { ids, .. } => {
                for id in ids {
                    delete(connection, "id = ?1", id, size)?;
                }
                Ok(Outcome::Done)
            }
            Self::DropTask { task, .. } => {
                Ok(Outcome::Dropped(delete(connection, "task_id = ?1", &task.to_string(), size)?))
            }
        }
    }

    /// A caller that is gone does not want the answer any more.
    fn answer(self, outcome: Outcome) {
        match (self, outcome) {
            (Self::Push { done, .. } | Self::Discard { done, .. }, _) => drop(done.send(())),
            (Self::Front { done, .. }, Outcome::Entries(entries)) => drop(done.send(entries)),
            (Self::DropTask { done, .. }, Outcome::Dropped(count)) => drop(done.send(count)),
            (Self::Front { .. } | Self::DropTask { .. }, _) => {}
        }
    }
}

pub(super) fn delete(
    connection: &Connection,
    condition: &str,
    value: &dyn ToSql,
    size: &mut Size,
) -> rusqlite::Result<usize> {
    let mut statement = connection
        .prepare_cached(&format!("DELETE FROM task_updates WHERE {condition} RETURNING length(payload)"))?;
    let lengths: Vec<i64> =
        statement.query_map([value], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    size.rows = size.rows.saturating_sub(lengths.len());
    size.bytes -= lengths.iter().sum::<i64>();
    Ok(lengths.len())
}

/// The oldest entries: at most `limit`, and no more after [`FRONT_BYTES`].
fn front(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Entry>> {
    let mut statement =
        connection.prepare_cached("SELECT id, task_id, payload FROM task_updates ORDER BY id LIMIT ?1")?;
    let mut rows = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut entries = Vec::new();
    let mut bytes = 0;
    while bytes < FRONT_BYTES
        && let Some(row) = rows.next()?
    {
        let payload: Vec<u8> = row.get(2)?;
        bytes += payload.len();
        // A row whose task is unreadable cannot be delivered to anyone: it is given out without a report.
        let task = Uuid::parse_str(&row.get::<_, String>(1)?).ok();
        let report = task.and_then(|_| serde_json::from_slice(&payload).ok());
        entries.push(Entry { id: row.get(0)?, task: task.unwrap_or_default(), report });
    }
    Ok(entries)
}

fn open_or_move_aside(path: &Path) -> Result<(Connection, Size), StorageError> {
    let open_error = |source| StorageError::Open { path: path.to_owned(), source };
    match open_database(path) {
        Ok(opened) => return Ok(opened),
        Err(error) if is_damage(&error) => {
            let aside = path.with_extension(format!("sqlite.damaged-{}", Utc::now().format("%Y%m%d-%H%M%S")));
            tracing::error!(
                %error, file = %path.display(), moved_to = %aside.display(),
                "the queue of task updates is damaged; moving it aside and starting with an empty one"
            );
            std::fs::rename(path, &aside)
                .map_err(|source| StorageError::MoveAside { path: path.to_owned(), source })?;
            for side_file in ["-wal", "-shm"] {
                let mut name = path.as_os_str().to_owned();
                name.push(side_file);
                if let Err(error) = std::fs::remove_file(&name)
                    && error.kind() != std::io::ErrorKind::NotFound
                {
                    tracing::warn!(file = %Path::new(&name).display(), %error, "cannot remove");
                }
            }
        }
        Err(error) => return Err(open_error(error)),
    }
    open_database(path).map_err(open_error)
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(error, rusqlite::Error::InvalidQuery)
}

fn open_database(path: &Path) -> rusqlite::Result<(Connection, Size)> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        tracing::error!(verdict, "the check of the queue of task updates failed");
        return Err(rusqlite::Error::InvalidQuery);
    }
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS task_updates (
            id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
            created_at DATETIME NOT NULL,
            task_id VARCHAR(36) NOT NULL DEFAULT '',
            payload BLOB
        );
        CREATE INDEX IF NOT EXISTS task_updates_by_task ON task_updates (task_id);",
    )?;
    let size = connection.query_row(
        "SELECT COUNT(*), COALESCE(SUM(length(payload)), 0) FROM task_updates",
        [],
        |row| Ok(Size { rows: usize::try_from(row.get::<_, i64>(0)?).unwrap_or(0), bytes: row.get(1)? }),
    )?;
    Ok((connection, size))
}
