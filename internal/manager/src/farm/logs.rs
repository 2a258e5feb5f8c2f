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
//! [`TaskLogs::append`] returns when the text is on disk, because its caller then tells the worker to forget it.
//! An `fsync` takes far longer than a write, so a fixed set of writer threads does both: each takes everything that
//! waits for it, writes it, syncs each file once, and then answers all callers. A log always belongs to the same
//! thread. That keeps the order of its texts, keeps writes whole, and needs no lock per task.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

mod archive;
mod removal;
mod tail;
mod writer;

use archive::Archive;
pub use archive::KEPT_RUNS;
use writer::{Request, Writer};

/// How much of the end of a log is shown by default, in bytes.
pub const TAIL_BYTES: u64 = 2048;

/// How large a log may grow by default, in bytes.
pub const DEFAULT_SIZE_LIMIT: u64 = 1 << 30;

/// More threads do not help: the disk merges the syncs of this many.
const WRITERS: u128 = 16;

/// Texts that may wait for one writer. Further callers wait until there is room, so memory stays bounded.
const QUEUE_LENGTH: usize = 64;

/// One log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct LogId {
    job: Uuid,
    task: Uuid,
}

/// Where a log can be had and how large it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogInfo {
    /// Size in bytes; never zero.
    pub size: u64,
    /// Path of the URL on this manager, with forward slashes on every platform.
    pub url: String,
}

/// All task logs of a farm. Clones share the writers, which end when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct TaskLogs {
    root: Arc<Path>,
    writers: Arc<[mpsc::Sender<Request>]>,
}

impl TaskLogs {
    /// Task logs below a local storage directory, which is created when the first text arrives.
    ///
    /// # Errors
    /// When the operating system refuses to start the writer threads.
    pub fn new(root: impl Into<PathBuf>) -> io::Result<Self> {
        Self::with_size_limit(root, DEFAULT_SIZE_LIMIT)
    }

    /// As [`TaskLogs::new`], with another limit to the size of a log, in bytes.
    ///
    /// # Errors
    /// When the operating system refuses to start the writer threads.
    pub fn with_size_limit(root: impl Into<PathBuf>, size_limit: u64) -> io::Result<Self> {
        let root: Arc<Path> = root.into().into();
        let archive = Archive::start(&root)?;
        let start = |_| {
            let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
            let writer = Writer::new(root.to_path_buf(), size_limit, Arc::clone(&archive));
            std::thread::Builder::new().name("task-log".to_owned()).spawn(move || writer.run(receiver))?;
            Ok(sender)
        };
        let writers = (0..WRITERS).map(start).collect::<io::Result<Vec<_>>>()?;
        Ok(Self { writers: writers.into(), root: Arc::clone(&root) })
    }

    /// Appends a text to the log of a task, and a newline if it does not end in one. An empty text does nothing.
    ///
    /// When this returns `Ok` the text is on disk. When it fails, nothing of the text is left in the log.
    ///
    /// # Errors
    /// What the file system says; [`is_out_of_space`] tells whether trying again later makes sense.
    pub async fn append(&self, job: Uuid, task: Uuid, text: impl Into<String>) -> io::Result<()> {
        self.append_text(job, task, text.into(), true).await
    }

    /// As [`TaskLogs::append`], but returns when the text can be read, without waiting for the disk.
    ///
    /// # Errors
    /// As [`TaskLogs::append`].
    pub async fn append_quickly(&self, job: Uuid, task: Uuid, text: impl Into<String>) -> io::Result<()> {
        self.append_text(job, task, text.into(), false).await
    }

    async fn append_text(&self, job: Uuid, task: Uuid, mut text: String, durable: bool) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let log = LogId { job, task };
        self.ask(log, |answer| Request::Append { log, text, answer, durable }).await
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
        self.ask(log, |answer| Request::Rotate { log, answer }).await
    }

    /// Removes everything that is stored locally for a job, its images too. A job without files is no error.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] when the directory is one that must never be removed; otherwise what the file
    /// system says.
    pub async fn remove_job(&self, job: Uuid) -> io::Result<()> {
        for writer in self.writers.iter() {
            send(writer, |answer| Request::Forget { job, answer }).await?;
        }
        let root = Arc::clone(&self.root);
        on_blocking_thread(move || removal::remove_job_directory(&root, job)).await
    }

    /// The directory in which everything is stored locally for a job.
    pub fn job_directory(&self, job: Uuid) -> PathBuf {
        job_directory(&self.root, job)
    }

    async fn ask(&self, log: LogId, request: impl FnOnce(Answer) -> Request) -> io::Result<()> {
        // Ids may be random or count upwards; their sum spreads both.
        let index = log.job.as_u128().wrapping_add(log.task.as_u128()) % WRITERS;
        send(&self.writers[index as usize], request).await
    }
}

/// Where a writer puts the result of a request.
type Answer = oneshot::Sender<io::Result<()>>;

async fn send(writer: &mpsc::Sender<Request>, request: impl FnOnce(Answer) -> Request) -> io::Result<()> {
    let ended = || io::Error::other("the task log writer has ended");
    let (answer, result) = oneshot::channel();
    writer.send(request(answer)).await.map_err(|_| ended())?;
    result.await.map_err(|_| ended())?
}

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
