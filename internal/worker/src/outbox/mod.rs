//! Task updates on their way to the manager.
//!
//! Every update is on disk (SQLite, `synchronous=FULL`) before [`Outbox::push`] returns, and stays there until
//! the manager has answered. One delivery loop sends them in order, so updates of a task never overtake each
//! other. A manager that is away for a day costs nothing but time.
//!
//! An update whose answer got lost is sent again. Every piece of log has a number for that ([`LogPosition`]), stored
//! with it, by which the manager knows what it has already. Only the pieces of one run of this program are numbered
//! together: whatever happens to the queue, a number is never given twice.
//!
//! ```text
//!  reporter --push--> storage thread --front--> delivery loop --HTTP--> manager
//!                     (group commit)  <--discard-- (any final answer)
//! ```

mod delivery;
mod storage;
mod trim;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use delivery::{Answer, deliver};
pub use storage::StorageError;
use storage::{Entry, Storage};

/// One update of a task, as the manager expects it. Fields that are absent mean "no change".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Set by the queue. Pieces that an older version queued have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_position: Option<LogPosition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps_completed: Option<i64>,
    #[serde(rename = "taskStatus", skip_serializing_if = "Option::is_none")]
    pub task_status: Option<ReportedStatus>,
    /// Frames that the task rendered. They go to the manager in a request of their own, with nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<Vec<FrameReport>>,
}

/// Where a piece of log belongs in all that this worker logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    /// The run of this program that logged it.
    pub stream: Uuid,
    /// Bytes that this run logged before it.
    pub offset: i64,
}

/// One picture of a frame that a task rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameReport {
    pub frame: i64,
    /// Empty for a frame that failed before it had a name.
    pub path: String,
    pub state: FrameState,
    pub rendered_at: DateTime<Utc>,
    /// It was there before this run, and was left as it is.
    pub existing: bool,
    pub render_ms: Option<i64>,
    pub save_ms: Option<i64>,
    /// In bytes.
    pub peak_memory: Option<i64>,
    /// In bytes.
    pub file_size: Option<i64>,
    pub width: Option<i64>,
    pub height: Option<i64>,
    /// The renderer. What an older version queued has none of these.
    pub engine: Option<String>,
    pub samples: Option<i64>,
    /// Why it failed.
    pub message: Option<String>,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FrameState {
    Ok,
    Empty,
    Broken,
    Black,
    Missing,
    Failed,
}

impl TaskReport {
    /// Only a piece of log: may be merged with its neighbours.
    fn is_log_only(&self) -> bool {
        self.log.is_some()
            && self.activity.is_none()
            && self.steps_completed.is_none()
            && self.task_status.is_none()
            && self.frames.is_none()
    }
}

/// The task statuses that a worker reports. Soft failure is the manager's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportedStatus {
    Active,
    Completed,
    Failed,
}

/// How the first attempt to deliver an update of a run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstAnswer {
    /// The manager accepted it.
    Accepted,
    /// The manager cannot be reached right now; the update is kept.
    Unreachable,
    /// The manager says the task is not this worker's (409).
    NotOurs,
    /// The manager refused the update for good, with this message.
    Refused(String),
}

/// A handle on the queue. Clones share it.
#[derive(Debug, Clone)]
pub struct Outbox {
    storage: Storage,
    runs: Runs,
    hurry: Arc<Notify>,
}

impl Outbox {
    /// Opens or creates the queue. A file that is no usable database is moved aside, and the queue starts empty.
    ///
    /// # Errors
    /// When the file cannot be created, for example on a read-only or full disk.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        Ok(Self { storage: Storage::open(path)?, runs: Runs::default(), hurry: Arc::default() })
    }

    /// Stores an update. When this returns, it is on disk. A piece of log gets its place, and a newline if it does not
    /// end in one.
    ///
    /// The update is handed over before the first suspension point: dropping the future does not lose it.
    pub async fn push(&self, task: Uuid, report: &TaskReport) {
        self.storage.push(task, report).await;
    }

    /// How many updates wait for delivery.
    pub fn len(&self) -> usize {
        *self.storage.queued().borrow()
    }

    /// Ends a pause of the delivery: the manager can be reached, or there is no time left.
    pub fn hurry(&self) {
        self.hurry.notify_waiters();
    }

    /// Everything that waits for delivery.
    #[cfg(test)]
    pub async fn queued_reports(&self) -> Vec<TaskReport> {
        self.storage.front(usize::MAX).await.into_iter().filter_map(|entry| entry.report).collect()
    }

    /// Waits until every update has been answered by the manager.
    pub async fn drained(&self) {
        let mut queued = self.storage.queued();
        // An error means that the storage thread has ended, and with it the delivery: nothing to wait for.
        let _ = queued.wait_for(|count| *count == 0).await;
    }

    /// Announces that this worker is going to run a task, so that the manager's answers reach that run.
    pub fn begin_run(&self, task: Uuid) -> Run {
        let slot = RunSlot { first: watch::Sender::new(None), not_ours: CancellationToken::new() };
        let run = Run {
            task,
            first: slot.first.subscribe(),
            not_ours: slot.not_ours.clone(),
            runs: self.runs.clone(),
        };
        self.runs.lock().insert(task, slot);
        run
    }
}

/// The runs that want to know about the manager's answers, by task.
#[derive(Debug, Clone, Default)]
struct Runs(Arc<Mutex<HashMap<Uuid, RunSlot>>>);

#[derive(Debug)]
struct RunSlot {
    first: watch::Sender<Option<FirstAnswer>>,
    not_ours: CancellationToken,
}

impl Runs {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, RunSlot>> {
        // The map is never left half-changed, so a panic elsewhere does not make it unusable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self, task: Uuid, answer: FirstAnswer) {
        if let Some(slot) = self.lock().get(&task) {
            if answer == FirstAnswer::NotOurs {
                slot.not_ours.cancel();
            }
            slot.first.send_if_modified(|first| {
                let is_first = first.is_none();
                first.get_or_insert(answer);
                is_first
            });
        }
    }
}

/// A run of a task, seen from the outbox. Ends when dropped.
#[derive(Debug)]
pub struct Run {
    task: Uuid,
    first: watch::Receiver<Option<FirstAnswer>>,
    not_ours: CancellationToken,
    runs: Runs,
}

impl Run {
    /// Waits for the outcome of the first attempt to deliver an update of this run.
    pub async fn first_answer(&mut self) -> FirstAnswer {
        match self.first.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or(FirstAnswer::Unreachable),
            Err(_) => FirstAnswer::Unreachable,
        }
    }

    /// Cancelled as soon as the manager answers that the task is not this worker's.
    pub fn not_ours(&self) -> &CancellationToken {
        &self.not_ours
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.runs.lock().remove(&self.task);
    }
}

#[cfg(test)]
mod tests;
