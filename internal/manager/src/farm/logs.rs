//! The log of every task: a text file that workers append to and people read while it grows.
//!
//! ```text
//! <local storage>/job-<first 4 characters>/<job id>/task-<task id>.txt      the current run
//!                                                   task-<task id>.txt.1.gz the run before it, and so on
//! ```
//!
//! A run is put aside when a task that was queued again starts, and compressed on a thread of its own; the last
//! [`KEPT_RUNS`] are kept.
//!
//! [`TaskLogs::append`] returns when the text is on disk, because its caller then tells the worker to forget it. One
//! thread writes: it takes everything that waits, writes it to a journal and to the logs, syncs the journal once, and
//! then answers all callers (`journal.rs`). That keeps the order of texts, keeps writes whole, and needs no lock. A
//! caller that got no answer can try again: with [`TaskLogs::append_at`], what is there already is not written twice.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

mod archive;
mod journal;
mod removal;
mod tail;
mod writer;

use archive::Archive;
pub use archive::KEPT_RUNS;
use journal::Span;
use writer::{Request, Writer};

/// How much of the end of a log is shown by default, in bytes.
pub const TAIL_BYTES: u64 = 2048;

/// How large a log may grow by default, in bytes.
pub const DEFAULT_SIZE_LIMIT: u64 = 1 << 30;

/// Texts that may wait to be written. Further callers wait until there is room, so memory stays bounded.
const QUEUE_LENGTH: usize = 1_024;

/// One log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct LogId {
    job: Uuid,
    task: Uuid,
}

/// Where a text belongs in what a worker says over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition {
    /// Who says it.
    pub worker: Uuid,
    /// Which numbering of its bytes this is: the worker begins another one when it wants to.
    pub stream: Uuid,
    /// Bytes of the stream before the text.
    pub offset: u64,
}

/// Where a log can be had and how large it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogInfo {
    /// Size in bytes; never zero.
    pub size: u64,
    /// Path of the URL on this manager, with forward slashes on every platform.
    pub url: String,
}

/// All task logs of a farm. Clones share the writer, which ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct TaskLogs {
    root: Arc<Path>,
    writer: mpsc::Sender<Request>,
}

impl TaskLogs {
    /// Task logs below a local storage directory, which is created when it does not exist. What a crash kept from reaching the
    /// logs is written to them first.
    ///
    /// # Errors
    /// When the directory cannot be used, or the operating system refuses to start a thread.
    pub fn new(root: impl Into<PathBuf>) -> io::Result<Self> {
        Self::with_size_limit(root, DEFAULT_SIZE_LIMIT)
    }

    /// As [`TaskLogs::new`], with another limit to the size of a log, in bytes.
    ///
    /// # Errors
    /// As [`TaskLogs::new`].
    pub fn with_size_limit(root: impl Into<PathBuf>, size_limit: u64) -> io::Result<Self> {
        let root: Arc<Path> = root.into().into();
        let archive = Archive::start(&root)?;
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        let writer = Writer::new(root.to_path_buf(), size_limit, archive)?;
        std::thread::Builder::new().name("task-log".to_owned()).spawn(move || writer.run(receiver))?;
        Ok(Self { writer: sender, root })
    }

    /// Appends a text to the log of a task, and a newline if it does not end in one. An empty text does nothing.
    ///
    /// When this returns `Ok` the text is on disk. When it fails, nothing of the text is left in the log.
    ///
    /// # Errors
    /// What the file system says; [`is_out_of_space`] tells whether trying again later makes sense.
    pub async fn append(&self, job: Uuid, task: Uuid, text: impl Into<String>) -> io::Result<()> {
        self.append_text(job, task, text.into(), None, true).await.map(drop)
    }

    /// As [`TaskLogs::append`], for a text of which some or all may be there already, because nobody heard that it is.
    /// What is there is not written again. Gives how many bytes from the start of the text that is.
    ///
    /// Only the last stream of a worker is known.
    ///
    /// # Errors
    /// As [`TaskLogs::append`].
    pub async fn append_at(
        &self,
        job: Uuid,
        task: Uuid,
        text: impl Into<String>,
        position: LogPosition,
    ) -> io::Result<usize> {
        self.append_text(job, task, text.into(), Some(position), true).await
    }

    /// As [`TaskLogs::append`], but returns when the text can be read, without waiting for the disk.
    ///
    /// # Errors
    /// As [`TaskLogs::append`].
    pub async fn append_quickly(&self, job: Uuid, task: Uuid, text: impl Into<String>) -> io::Result<()> {
        self.append_text(job, task, text.into(), None, false).await.map(drop)
    }

    async fn append_text(
        &self,
        job: Uuid,
        task: Uuid,
        mut text: String,
        position: Option<LogPosition>,
        durable: bool,
    ) -> io::Result<usize> {
        if text.is_empty() {
            return Ok(0);
        }
        let (length, span) = (text.len(), position.map(|position| Span::new(position, &text)));
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let log = LogId { job, task };
        let known = self.ask(|answer| Request::Append { log, text, span, answer, durable }).await?;
        Ok(known.min(length))
    }

    /// Waits until everything is stored and in good order for the next start. Nothing can be appended afterwards.
    pub async fn close(&self) {
        // It is closed already when it cannot be asked to.
        let _ = self.ask(|answer| Request::Close { answer }).await;
    }

    /// The last `max_bytes` of a log, cut at the start of a line if there is one, and never within a character.
    /// `None` when there is no log or nothing in it.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn tail(&self, job: Uuid, task: Uuid, max_bytes: u64) -> io::Result<Option<String>> {
        let path = log_path(&self.root, LogId { job, task });
        on_blocking_thread(move || tail::read(&path, max_bytes)).await
    }

    /// Size and address of a log. `None` when there is no log or nothing in it.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn info(&self, job: Uuid, task: Uuid) -> io::Result<Option<LogInfo>> {
        let log = LogId { job, task };
        let path = log_path(&self.root, log);
        let size = on_blocking_thread(move || match std::fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            metadata => Ok(metadata?.len()),
        });
        let url = format!("{}/{}", job_url(job), log_name(task));
        Ok(Some(LogInfo { size: size.await?, url }).filter(|info| info.size > 0))
    }

    /// Puts the log of a task aside, so that its next run begins a new one: `X` becomes `X.1`, what was `X.1` becomes
    /// `X.2`, up to the first number that is free or to [`KEPT_RUNS`]. What was put aside is compressed soon after.
    /// Without a log nothing happens.
    ///
    /// # Errors
    /// What the file system says.
    pub async fn rotate(&self, job: Uuid, task: Uuid) -> io::Result<()> {
        let log = LogId { job, task };
        self.ask(|answer| Request::Rotate { log, answer }).await
    }

    /// Removes everything that is stored locally for a job, its images too. A job without files is no error.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when the directory is one that must never be removed; otherwise what the file
    /// system says.
    pub async fn remove_job(&self, job: Uuid) -> io::Result<()> {
        self.ask(|answer| Request::Forget { job, answer }).await?;
        let root = Arc::clone(&self.root);
        on_blocking_thread(move || removal::remove_job_directory(&root, job)).await
    }

    /// The directory in which everything is stored locally for a job.
    pub fn job_directory(&self, job: Uuid) -> PathBuf {
        job_directory(&self.root, job)
    }

    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> io::Result<T> {
        let ended = || io::Error::other("the task log writer has ended");
        let (answer, result) = oneshot::channel();
        self.writer.send(request(answer)).await.map_err(|_| ended())?;
        result.await.map_err(|_| ended())?
    }
}

/// Where the writer puts the result of a request.
type Answer<T> = oneshot::Sender<io::Result<T>>;

async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// Whether an error means that there is no room, so that the same write can work later.
pub fn is_out_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The directory below `root` in which everything is stored locally for a job.
pub fn job_directory(root: &Path, job: Uuid) -> PathBuf {
    root.join(shared_directory_name(job)).join(job.to_string())
}

/// The path of the URL under which the manager serves [`job_directory`].
pub fn job_url(job: Uuid) -> String {
    format!("/job-files/{}/{job}", shared_directory_name(job))
}

/// Jobs are spread over directories by the start of their id, because file managers choke on very full ones.
fn shared_directory_name(job: Uuid) -> String {
    format!("job-{}", &job.to_string()[..4])
}

fn log_name(task: Uuid) -> String {
    format!("task-{task}.txt")
}

fn log_path(root: &Path, log: LogId) -> PathBuf {
    job_directory(root, log.job).join(log_name(log.task))
}

#[cfg(test)]
mod tests;
