//! Tasks: their statuses, and what a worker's or a person's word does to them.
//!
//! ```text
//!             assigned                 worker: completed
//!  ┌─ queued ───────────► active ───────────────────────────► completed
//!  │    ▲  ▲                │ │ │                                 │
//!  │    │  │ given back     │ │ │ worker: failed, others can try  │
//!  │    │  └────────────────┘ │ └──────────────► soft-failed ─┐   │
//!  │    │                     │ worker: failed, nobody left   │   │
//!  │    │ requeued            ▼                               │   │
//!  │    ├───────────────── failed ◄───────────────────────────┤   │
//!  │    ├───────────────── canceled ◄── job canceled/failed ──┤   │
//!  │    └──────────────────────────────────────────────────── │ ──┘
//!  └──────► paused ◄──────────── job paused ──────────────────┘
//! ```
//!
//! - *assigned*: the scheduler gives a queued or soft-failed task to a worker, which makes it active.
//! - *given back*: the worker signs off, falls asleep, times out or is deleted; the task is queued again, or paused
//!   when its job is being paused.
//! - *soft-failed*: the task failed on one worker and another may try; it is scheduled like a queued one.
//! - *requeued*: a person asks for it, for one task or through the job.
//!
//! Only an active task's status can be changed by a worker; a report that repeats what is already so is accepted and
//! changes nothing, since workers deliver at least once.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{JobId, TaskId, WorkerId};
use crate::job::JobStatus;
use crate::status::status_enum;

status_enum! {
    /// The status of a task.
    TaskStatus, "task" {
        /// Waits for a worker.
        Queued = "queued",
        /// Failed on a worker; another one may try.
        SoftFailed = "soft-failed",
        /// A worker runs it.
        Active = "active",
        /// Done.
        Completed = "completed",
        /// Failed for good.
        Failed = "failed",
        /// Canceled, by a person or with its job.
        Canceled = "canceled",
        /// Its job is paused.
        Paused = "paused",
    }
}

impl TaskStatus {
    /// Whether the scheduler may hand the task out once its dependencies are met.
    #[must_use]
    pub const fn is_schedulable(self) -> bool {
        matches!(self, Self::Queued | Self::SoftFailed)
    }
}

/// Priority of a task within its job when the script does not say.
pub const DEFAULT_TASK_PRIORITY: i64 = 50;

/// One thing a worker does, in order, as part of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Name of the command, such as `blender-render`.
    pub name: String,
    /// Its parameters, with variables not yet replaced.
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// How many steps the command reports itself; 0 means that it counts as one when it is done.
    pub total_step_count: i64,
}

/// Most steps that a task counts, so that those of the largest job add up to a number.
pub const MAX_STEPS: i64 = 1_000_000_000;

/// Steps of a task: each command counts at least one, and all of them together at most [`MAX_STEPS`].
#[must_use]
pub fn steps_total(commands: &[Command]) -> i64 {
    let steps = commands.iter().map(|command| command.total_step_count.clamp(1, MAX_STEPS));
    steps.fold(0_i64, i64::saturating_add).min(MAX_STEPS)
}

/// Names a worker where a task refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskWorker {
    /// Database key.
    pub seq: i64,
    /// The worker's id.
    pub id: WorkerId,
    /// Its name; empty when the worker was deleted.
    pub name: String,
    /// Its network address; empty when the worker was deleted.
    pub address: String,
}

/// A task without its commands: what lists and events show.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSummary {
    /// Database key.
    pub seq: i64,
    /// Id on the wire.
    pub id: TaskId,
    /// Database key of the job.
    pub job_seq: i64,
    /// The job it belongs to.
    pub job_id: JobId,
    /// Place in the job, from 1, in the order the script added it.
    pub index_in_job: i64,
    /// Name, such as `render-1-3`.
    pub name: String,
    /// Type, which workers say they support.
    pub task_type: String,
    /// Priority within the job.
    pub priority: i64,
    /// Current status.
    pub status: TaskStatus,
    /// What happens to it, in words.
    pub activity: String,
    /// The worker that has it, or had it last.
    pub worker: Option<TaskWorker>,
    /// Steps done.
    pub steps_completed: i64,
    /// Steps in all.
    pub steps_total: i64,
    /// Number of tasks it waits for.
    pub unmet_dependencies: i64,
    /// When the row was made.
    pub created: DateTime<Utc>,
    /// When the row was last changed.
    pub updated: DateTime<Utc>,
    /// When a worker was given it, the last time.
    pub started: Option<DateTime<Utc>>,
    /// When that worker was done with it, however it went.
    pub ended: Option<DateTime<Utc>>,
    /// When its worker last gave a sign of life for it; `None` since somebody queued it again, until it is assigned.
    pub last_touched: Option<DateTime<Utc>>,
}

impl TaskSummary {
    /// Whether the scheduler may hand it out, as far as the task itself goes.
    #[must_use]
    pub const fn is_runnable(&self) -> bool {
        self.status.is_schedulable() && self.unmet_dependencies == 0
    }
}

/// A task with its commands.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Everything but the commands.
    pub summary: TaskSummary,
    /// What to do, in order.
    pub commands: Vec<Command>,
}

/// What a worker reports about a task; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskReport {
    /// New status.
    pub status: Option<TaskStatus>,
    /// New activity text.
    pub activity: Option<String>,
    /// Steps done so far.
    pub steps_completed: Option<i64>,
    /// Text for the task log.
    pub log: Option<String>,
    /// Where that text belongs in what the worker says, if the worker told.
    pub log_position: Option<LogPosition>,
}

/// Where a text belongs in what a worker says over time, so that one that comes again is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition {
    /// Which numbering of its bytes this is.
    pub stream: Uuid,
    /// Bytes of the stream before the text.
    pub offset: u64,
}

/// Why a report about a task is refused. Nothing changes then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportDenied {
    /// Another worker has the task, or nobody has.
    #[error("this task is not assigned to you; drop it and ask for another one")]
    NotYours,
    /// Workers say `failed`; whether that is soft is decided here.
    #[error(
        "a worker cannot report soft-failed; report failed, and the manager decides whether another worker may try"
    )]
    SoftFailed,
    /// The task is no longer running.
    #[error("the task is {task} and its job {job}, so its status cannot become {wanted}; drop this task")]
    NotRunning {
        /// Status of the task.
        task: TaskStatus,
        /// Status of its job.
        job: JobStatus,
        /// Status that was reported.
        wanted: TaskStatus,
    },
}

/// Decides whether a report of `reporter` is accepted, and which status change it asks for.
///
/// `Ok(None)` means that the report is accepted and the status stays as it is.
///
/// # Errors
/// [`ReportDenied`] when the reporter may not say this.
pub fn on_report(
    task: &TaskSummary,
    job: JobStatus,
    reporter: WorkerId,
    wanted: Option<TaskStatus>,
) -> Result<Option<TaskStatus>, ReportDenied> {
    if task.worker.as_ref().map(|worker| worker.id) != Some(reporter) {
        return Err(ReportDenied::NotYours);
    }
    let Some(wanted) = wanted else { return Ok(None) };
    if wanted == TaskStatus::SoftFailed {
        return Err(ReportDenied::SoftFailed);
    }
    // A soft failure, or a pause when the job is being paused, is what became of this worker's own `failed`.
    let failed_already =
        wanted == TaskStatus::Failed && matches!(task.status, TaskStatus::SoftFailed | TaskStatus::Paused);
    if wanted == task.status || failed_already {
        return Ok(None);
    }
    let job_runs = matches!(job, JobStatus::Active | JobStatus::Queued | JobStatus::PauseRequested);
    if task.status != TaskStatus::Active || !job_runs {
        return Err(ReportDenied::NotRunning { task: task.status, job, wanted });
    }
    // A worker that will not go on gives the task back, in whichever words: a paused task of a job that runs would
    // wait for ever.
    let given_back = matches!(wanted, TaskStatus::Queued | TaskStatus::Paused);
    Ok(Some(if given_back { on_give_back(job) } else { wanted }))
}

/// Why a person's wish for a task is refused. Nothing changes then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestDenied {
    /// Only canceling and requeueing can be asked for.
    #[error("a task can be set to canceled or queued by request, not to {0}")]
    NotRequestable(TaskStatus),
    /// The task is not in a status from which that can be asked.
    #[error("a task that is {from} cannot be set to {to}; that needs one of {allowed}")]
    NotFrom {
        /// Current status.
        from: TaskStatus,
        /// Status asked for.
        to: TaskStatus,
        /// Statuses from which it can be asked for.
        allowed: &'static str,
    },
    /// The job must be resumed first.
    #[error("the job is {0}; requeue the job to continue it, then requeue the task")]
    JobPaused(JobStatus),
    /// It could not run, and neither could anything else of the job.
    #[error(
        "the task waits for {0} task(s) that are not completed, and the job has ended; queue those first, or requeue the job"
    )]
    Waits(i64),
    /// The job is about to be deleted.
    #[error("the job is marked for deletion")]
    JobDeleted,
}

/// Decides what a person's request does to a task that waits for `unmet` others. `Ok(None)`: it is so already.
///
/// Rules of the reference's web interface (canceling from active, queued, soft-failed; requeueing from canceled,
/// completed, failed), widened to requeueing a soft-failed task, which forgets who failed it.
///
/// # Errors
/// [`RequestDenied`] says what is in the way.
pub fn on_request(
    task: TaskStatus,
    unmet: i64,
    job: JobStatus,
    wanted: TaskStatus,
) -> Result<Option<TaskStatus>, RequestDenied> {
    use TaskStatus as T;
    if !matches!(wanted, T::Canceled | T::Queued) {
        return Err(RequestDenied::NotRequestable(wanted));
    }
    if task == wanted {
        return Ok(None);
    }
    if matches!(job, JobStatus::PauseRequested | JobStatus::Paused)
        && !(wanted == T::Canceled && job == JobStatus::Paused)
    {
        return Err(RequestDenied::JobPaused(job));
    }
    let (allowed, names): (&[T], _) = match wanted {
        T::Canceled => {
            (&[T::Active, T::Queued, T::SoftFailed, T::Paused], "active, queued, soft-failed, paused")
        }
        _ => (
            &[T::Canceled, T::Completed, T::Failed, T::SoftFailed],
            "canceled, completed, failed, soft-failed",
        ),
    };
    if !allowed.contains(&task) {
        return Err(RequestDenied::NotFrom { from: task, to: wanted, allowed: names });
    }
    // The job would go on for ever, waiting for what nobody runs.
    if wanted == T::Queued && unmet > 0 && job.is_finished() {
        return Err(RequestDenied::Waits(unmet));
    }
    Ok(Some(wanted))
}

/// What becomes of an active task that its worker gives back.
#[must_use]
pub const fn on_give_back(job: JobStatus) -> TaskStatus {
    match job {
        JobStatus::PauseRequested | JobStatus::Paused => TaskStatus::Paused,
        JobStatus::Canceled | JobStatus::CancelRequested | JobStatus::Failed => TaskStatus::Canceled,
        _ => TaskStatus::Queued,
    }
}

/// Whether a worker may go on with a task, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MayRun {
    /// It may.
    Yes,
    /// It must stop.
    No {
        /// Why, in words.
        reason: String,
        /// Whether it must also change its own status.
        status_change: bool,
    },
}

/// Decides whether `asker` may keep running `task`; `urgent_change` says that a status change of the worker itself
/// was asked for that does not wait for the end of the task.
#[must_use]
pub fn may_run(task: &TaskSummary, asker: WorkerId, urgent_change: bool) -> MayRun {
    let no = |reason: String, status_change| MayRun::No { reason, status_change };
    if urgent_change {
        return no("the worker was asked to change its status".to_owned(), true);
    }
    if task.worker.as_ref().map(|worker| worker.id) != Some(asker) {
        return no("the task is not assigned to this worker".to_owned(), false);
    }
    if task.status != TaskStatus::Active {
        return no(format!("the task is {}", task.status), false);
    }
    MayRun::Yes
}

#[cfg(test)]
#[path = "task_test.rs"]
mod tests;
