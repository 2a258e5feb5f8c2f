//! Jobs: their statuses, and what each change does to their tasks and what each task does to its job.
//!
//! ```text
//!                       first task starts            all tasks completed
//!  under-construction ─► queued ─────────► active ────────────────────► completed
//!   (being stored)        ▲ │ ▲             │ │ │                           │
//!                         │ │ │             │ │ └─ 10 % failed, or nobody ──► failed
//!                         │ │ │             │ │    left, or nothing can run   │
//!                         │ │ └─ requeueing ◄─┼───────────────────────────────┤
//!                         │ │     ▲           │                               │
//!                         │ │     │           ├─► cancel-requested ─► canceled┤
//!                         │ │     │           │      (at once)                │
//!                         │ └─────┼───────────┴─► pause-requested ──► paused ─┘
//!                         │       │                (until no task is active)
//!                         └───────┘
//! ```
//!
//! - *first task starts*: a task of a queued job becomes active, or ends, and the job is active.
//! - *10 % failed*: 100 × failed / all, truncated, is at least [`FAIL_PERCENT`]; the tasks that have not ended are
//!   canceled.
//! - *nothing can run*: no task is active and none can ever become runnable, since what it depends on failed or was
//!   canceled; the job ends as failed when a task failed, otherwise as canceled.
//! - *cancel-requested*: every task that has not ended is canceled in the same transaction, and the job with it;
//!   workers notice when they ask whether they may go on.
//! - *pause-requested*: waiting tasks are paused; active ones run to their end, then the job is paused.
//! - *requeueing*: tasks that ended without success are queued again, all tasks when the job was completed; the job's
//!   failures and blocklist are forgotten in the same transaction, before any worker can be matched.
//!
//! A task of a finished job never revives it; only a person's request does. All functions here are pure: they are
//! given the counters as they are after the change of the task, and answer with the steps to store.

use chrono::{DateTime, Utc};

use crate::ids::{JobId, TagId};
use crate::status::status_enum;
use crate::task::TaskStatus;

status_enum! {
    /// The status of a job.
    JobStatus, "job" {
        /// Its tasks are still being stored; nobody was told that it exists.
        UnderConstruction = "under-construction",
        /// Ready; nothing started yet.
        Queued = "queued",
        /// At least one task started.
        Active = "active",
        /// Every task is completed.
        Completed = "completed",
        /// Too many tasks failed, or nobody is left to do the work.
        Failed = "failed",
        /// Canceled.
        Canceled = "canceled",
        /// Being canceled.
        CancelRequested = "cancel-requested",
        /// Waits for its active tasks to end.
        PauseRequested = "pause-requested",
        /// Paused.
        Paused = "paused",
        /// Being queued again.
        Requeueing = "requeueing",
    }
}

impl JobStatus {
    /// Whether tasks of a job in this status can be handed out.
    #[must_use]
    pub const fn is_schedulable(self) -> bool {
        matches!(self, Self::Queued | Self::Active)
    }

    /// Whether the job has come to an end by itself or by request.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }
}

/// From this percentage of failed tasks on, the whole job fails.
pub const FAIL_PERCENT: i64 = 10;

/// Number of tasks of a job by status. Kept up to date with every change, never counted on the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// Tasks that are queued.
    pub queued: i64,
    /// Tasks that are soft-failed.
    pub soft_failed: i64,
    /// Tasks that are active.
    pub active: i64,
    /// Tasks that are completed.
    pub completed: i64,
    /// Tasks that are failed.
    pub failed: i64,
    /// Tasks that are canceled.
    pub canceled: i64,
    /// Tasks that are paused.
    pub paused: i64,
}

impl TaskCounts {
    /// The counter of one status.
    pub const fn of_mut(&mut self, status: TaskStatus) -> &mut i64 {
        match status {
            TaskStatus::Queued => &mut self.queued,
            TaskStatus::SoftFailed => &mut self.soft_failed,
            TaskStatus::Active => &mut self.active,
            TaskStatus::Completed => &mut self.completed,
            TaskStatus::Failed => &mut self.failed,
            TaskStatus::Canceled => &mut self.canceled,
            TaskStatus::Paused => &mut self.paused,
        }
    }

    /// The number of tasks in one status.
    #[must_use]
    pub const fn of(mut self, status: TaskStatus) -> i64 {
        *self.of_mut(status)
    }

    /// All tasks.
    #[must_use]
    pub fn total(self) -> i64 {
        TaskStatus::ALL.iter().map(|status| self.of(*status)).sum()
    }

    /// The counters after one task went from `from` to `to`.
    #[must_use]
    pub const fn moved(mut self, from: TaskStatus, to: TaskStatus) -> Self {
        *self.of_mut(from) -= 1;
        *self.of_mut(to) += 1;
        self
    }

    /// The counters after every task in one of the statuses of `change` followed it.
    #[must_use]
    pub fn after(mut self, change: MassChange) -> Self {
        for from in change.from {
            let moving = std::mem::take(self.of_mut(*from));
            *self.of_mut(change.to) += moving;
        }
        self
    }
}

/// A job without its documents: what lists, events and decisions need.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSummary {
    /// Database key; grows in order of creation, which breaks ties between jobs of one priority.
    pub seq: i64,
    /// Id on the wire.
    pub id: JobId,
    /// Name given by the submitter.
    pub name: String,
    /// Name of the job type.
    pub job_type: String,
    /// Priority; higher goes first.
    pub priority: i64,
    /// Current status.
    pub status: JobStatus,
    /// Why it is in that status, in words.
    pub activity: String,
    /// When it was submitted.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub updated: DateTime<Utc>,
    /// When somebody asked for its deletion.
    pub delete_requested: Option<DateTime<Utc>>,
    /// Only workers with this tag may run it.
    pub worker_tag: Option<TagId>,
    /// Its Shaman checkout; empty when it has none.
    pub shaman_checkout_id: String,
    /// Steps done, over all tasks.
    pub steps_completed: i64,
    /// Steps in all.
    pub steps_total: i64,
    /// Tasks by status.
    pub counts: TaskCounts,
    /// Tasks that are queued or soft-failed and wait for no other task.
    pub runnable: i64,
}

/// A job with its documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Everything but the documents.
    pub summary: JobSummary,
    /// Settings, as the job script left them, in the order of submission.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Metadata: text by key.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// Every task of the job in one of `from` becomes `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MassChange {
    /// Statuses that are left.
    pub from: &'static [TaskStatus],
    /// Status that is entered.
    pub to: TaskStatus,
}

/// The job enters a status, and what comes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Status that the job enters.
    pub status: JobStatus,
    /// What happens to its tasks.
    pub tasks: Option<MassChange>,
}

impl Step {
    const fn plain(status: JobStatus) -> Self {
        Self { status, tasks: None }
    }

    /// Whether whoever shows the job's tasks should read them again.
    #[must_use]
    pub const fn refresh_tasks(&self) -> bool {
        // As the reference announces it: also for statuses that end a mass change.
        !matches!(
            self.status,
            JobStatus::Completed
                | JobStatus::Canceled
                | JobStatus::Paused
                | JobStatus::Active
                | JobStatus::UnderConstruction
        )
    }
}

/// What the decisions look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobState {
    /// Current status.
    pub status: JobStatus,
    /// Tasks by status.
    pub counts: TaskCounts,
    /// Tasks that could be handed out now, as far as dependencies go.
    pub runnable: i64,
    /// Whether its deletion was asked for.
    pub deleting: bool,
}

impl From<&JobSummary> for JobState {
    fn from(job: &JobSummary) -> Self {
        Self {
            status: job.status,
            counts: job.counts,
            runnable: job.runnable,
            deleting: job.delete_requested.is_some(),
        }
    }
}

/// Why a request for a job is refused. Nothing changes then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobDenied {
    /// Only canceling, pausing and requeueing can be asked for.
    #[error("a job can be asked to become cancel-requested, pause-requested or requeueing, not {0}")]
    NotRequestable(JobStatus),
    /// The job is not in a status from which that can be asked.
    #[error("a job that is {from} cannot become {to}; that needs one of {allowed}")]
    NotFrom {
        /// Current status.
        from: JobStatus,
        /// Status asked for.
        to: JobStatus,
        /// Statuses from which it can be asked for.
        allowed: String,
    },
    /// The job is about to be deleted.
    #[error("the job is marked for deletion")]
    Deleting,
}

/// Decides what a person's request does; no steps means that it is so already.
///
/// The table is the one of the reference's web interface, with two additions: an active job can be requeued, which
/// queues its failed and canceled tasks again and leaves the others alone; and so can one that waits to be paused, which
/// takes the pause back.
///
/// # Errors
/// [`JobDenied`] says what is in the way.
pub fn on_request(job: JobState, wanted: JobStatus) -> Result<Vec<Step>, JobDenied> {
    use JobStatus as J;
    let allowed: &[J] = match wanted {
        J::CancelRequested => &[J::Active, J::Failed, J::Paused, J::PauseRequested, J::Queued],
        J::PauseRequested => &[J::Active, J::Canceled, J::Queued],
        J::Requeueing => &[J::Active, J::Canceled, J::Completed, J::Failed, J::Paused, J::PauseRequested],
        other => return Err(JobDenied::NotRequestable(other)),
    };
    let fulfilled = match wanted {
        J::CancelRequested => job.status == J::Canceled,
        J::PauseRequested => job.status == J::Paused,
        _ => job.status == J::Queued,
    };
    if job.status == wanted || fulfilled {
        return Ok(Vec::new());
    }
    if job.deleting && wanted != J::CancelRequested {
        return Err(JobDenied::Deleting);
    }
    if !allowed.contains(&job.status) {
        let allowed = allowed.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(", ");
        return Err(JobDenied::NotFrom { from: job.status, to: wanted, allowed });
    }
    Ok(enter(job, wanted))
}

/// The steps of entering a transient status, to its end. Also what repairs a job that was left in one.
#[must_use]
pub fn enter(job: JobState, status: JobStatus) -> Vec<Step> {
    use JobStatus as J;
    use TaskStatus as T;
    const UNFINISHED: &[T] = &[T::Active, T::Queued, T::SoftFailed, T::Paused];
    match status {
        J::CancelRequested => vec![
            Step { status, tasks: Some(MassChange { from: UNFINISHED, to: T::Canceled }) },
            Step::plain(J::Canceled),
        ],
        J::Failed => {
            vec![Step {
                status,
                tasks: Some(MassChange { from: &[T::Active, T::Queued, T::SoftFailed], to: T::Canceled }),
            }]
        }
        J::PauseRequested => {
            let mut steps = vec![Step {
                status,
                tasks: Some(MassChange { from: &[T::Queued, T::SoftFailed], to: T::Paused }),
            }];
            if job.counts.active == 0 {
                steps.push(Step::plain(J::Paused));
            }
            steps
        }
        J::Requeueing => {
            let from: &[T] = if job.status == J::Completed {
                &[T::Completed, T::Canceled, T::Failed, T::Paused, T::SoftFailed, T::Active]
            } else {
                &[T::Canceled, T::Failed, T::Paused, T::SoftFailed]
            };
            let change = MassChange { from, to: T::Queued };
            let after = job.counts.after(change);
            let mut steps = vec![Step { status, tasks: Some(change) }, Step::plain(J::Queued)];
            if after.completed == after.total() {
                steps.push(Step::plain(J::Completed));
            } else if after.active > 0 {
                steps.push(Step::plain(J::Active));
            }
            steps
        }
        other => vec![Step::plain(other)],
    }
}

/// Decides what a task that just became `task` does to its job; `job` holds the counters after that change.
#[must_use]
pub fn on_task_change(job: JobState, task: TaskStatus) -> Vec<Step> {
    use JobStatus as J;
    use TaskStatus as T;
    if job.status == J::PauseRequested && job.counts.completed < job.counts.total() {
        let failed = task == T::Failed && fail_percentage(job.counts) >= FAIL_PERCENT;
        return match (failed, job.counts.active) {
            (true, _) => enter(job, J::Failed),
            (false, 0) => vec![Step::plain(J::Paused)],
            (false, _) => Vec::new(),
        };
    }
    match task {
        // A person queued one task of a job that had ended; only that task runs again.
        T::Queued if job.status.is_finished() => vec![Step::plain(J::Queued)],
        T::Active | T::SoftFailed if job.status == J::Queued => vec![Step::plain(J::Active)],
        T::Completed | T::Failed | T::Canceled if !job.status.is_finished() => on_task_end(job, task),
        _ => Vec::new(),
    }
}

fn on_task_end(job: JobState, task: TaskStatus) -> Vec<Step> {
    use JobStatus as J;
    let counts = job.counts;
    if counts.completed == counts.total() {
        return vec![Step::plain(J::Completed)];
    }
    if task == TaskStatus::Failed && fail_percentage(counts) >= FAIL_PERCENT {
        return enter(job, J::Failed);
    }
    if !job.status.is_schedulable() {
        return Vec::new();
    }
    let can_go_on = counts.active > 0 || job.runnable > 0 || counts.paused > 0;
    if !can_go_on {
        let end = if counts.failed > 0 { J::Failed } else { J::Canceled };
        return enter_end(job, end);
    }
    if job.status == J::Queued && task != TaskStatus::Canceled {
        return vec![Step::plain(J::Active)];
    }
    Vec::new()
}

/// Ends a job of which nothing can run any more; what waits for ever is canceled with it.
fn enter_end(job: JobState, end: JobStatus) -> Vec<Step> {
    use TaskStatus as T;
    let waiting = job.counts.queued + job.counts.soft_failed > 0;
    let tasks = waiting.then_some(MassChange { from: &[T::Queued, T::SoftFailed], to: T::Canceled });
    if end == JobStatus::Failed { enter(job, end) } else { vec![Step { status: end, tasks }] }
}

/// Percentage of failed tasks, truncated; 0 when there are no tasks.
#[must_use]
pub fn fail_percentage(counts: TaskCounts) -> i64 {
    match counts.total() {
        0 => 0,
        total => 100 * counts.failed / total,
    }
}

#[cfg(test)]
#[path = "job_test.rs"]
mod tests;
