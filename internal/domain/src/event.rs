//! What happened, for whoever watches. Built from the stored row, announced after the commit.

use crate::farm_status::FarmState;
use crate::frame::{Frame, FrameProgress};
use crate::ids::{JobId, TagId, TaskId, WorkerId};
use crate::job::{JobStatus, JobSummary};
use crate::machine::WorkerMachine;
use crate::task::{TaskStatus, TaskSummary};
use crate::worker::{Tag, Worker, WorkerStatus};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The manager has started.
    ManagerStarted,
    /// The manager is about to stop.
    ManagerStopping,
    /// The state of the whole farm changed.
    FarmStatus(FarmState),
    /// A job is new, changed or gone.
    Job(Box<JobEvent>),
    /// A task changed.
    Task(Box<TaskEvent>),
    /// A task's log grew.
    TaskLog {
        /// The task.
        task: TaskId,
        /// Its job.
        job: JobId,
        /// What was appended.
        text: String,
    },
    /// A job has a new picture of what was rendered last.
    LastRendered {
        /// The job.
        job: JobId,
    },
    /// A worker changed or is gone.
    Worker(Box<WorkerEvent>),
    /// Machines of workers have reported how they are doing; each with its last report.
    Machines(Vec<WorkerMachine>),
    /// A worker has logged something about itself.
    WorkerLog {
        /// The worker.
        worker: WorkerId,
        /// The lines.
        lines: Vec<String>,
        /// They take the place of all those before.
        anew: bool,
        /// How many there have been.
        total: u64,
    },
    /// Frames of a job were rendered, or what is known of them has changed.
    Frames {
        /// The job.
        job: JobId,
        /// The frames as they are stored now.
        frames: Vec<Frame>,
        /// More changed than these.
        refresh: bool,
        /// Frames that are being rendered, as far as their workers have told since the last event.
        progress: Vec<FrameProgress>,
    },
    /// Tasks became runnable, or a worker may run more than before. Only for workers that wait, not for people.
    WorkAvailable,
    /// A tag changed or is gone.
    Tag {
        /// The tag.
        tag: Tag,
        /// Whether it was deleted.
        deleted: bool,
    },
}

/// A job is new, changed or gone.
#[derive(Debug, Clone, PartialEq)]
pub struct JobEvent {
    /// The job as it is stored now.
    pub job: JobSummary,
    /// The status it had, when that is what changed.
    pub previous: Option<JobStatus>,
    /// Many of its tasks changed: read them again.
    pub refresh_tasks: bool,
    /// It is gone.
    pub deleted: bool,
}

/// A task changed.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskEvent {
    /// The task as it is stored now.
    pub task: TaskSummary,
    /// The status it had, when that is what changed.
    pub previous: Option<TaskStatus>,
}

/// A worker changed or is gone.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerEvent {
    /// The worker as it is stored now.
    pub worker: Worker,
    /// The status it had, when that is what changed.
    pub previous: Option<WorkerStatus>,
    /// Its tags, when they are what changed.
    pub tags: Option<Vec<TagId>>,
    /// It was enabled or disabled just now.
    pub switched: bool,
}
