//! Lists for people and scripts: filtered, sorted and paged by the database.
//!
//! Pages are found by *keyset*: the next one starts after the sort key of the last entry of the one before, wherever
//! that entry stands by now. Entries that come or go do not shift the pages, and page one thousand costs what page one
//! costs. The database key of an entry breaks ties, so the order is total and the same on every call.
//!
//! Texts sort by their bytes on both databases, names as if the letters A to Z were small. PostgreSQL would otherwise
//! sort by the language of the server, which no cursor could be compared with in Rust.
//!
//! What the lists cost: jobs in the order of submission or of their last change and tasks by their number come
//! straight from an index, in the time that one page takes. Every other order and filter reads the jobs of the farm,
//! or the tasks of one job, once per page. More indexes would make every change of a task dearer, for the sake of
//! something that only happens while somebody looks.

mod audit;
mod jobs;
mod name;
mod select;
mod tasks;
mod workers;

use chrono::{DateTime, Utc};
use flamenco_domain::ids::{TagId, WorkerId};
use flamenco_domain::job::JobStatus;
use flamenco_domain::task::TaskStatus;
use flamenco_domain::worker::WorkerStatus;

pub use audit::{AuditFilter, Numbered, audit};
pub use jobs::jobs;
pub use tasks::{farm_tasks, tasks};
pub use workers::workers;

/// The value that an entry is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A number, or a time in microseconds since 1970.
    Number(i64),
    /// A text, in small letters when the order is without regard to case.
    Text(String),
}

/// The place of an entry in a sorted list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// What it is sorted by.
    pub key: Key,
    /// Its key in the database, which breaks ties.
    pub seq: i64,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone)]
pub struct Paging<S> {
    /// What to sort by.
    pub sort: S,
    /// The last first.
    pub descending: bool,
    /// Only what comes after this place.
    pub after: Option<Position>,
    /// How many entries at most; all of them if `None`.
    pub limit: Option<u32>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries in order.
    pub entries: Vec<T>,
    /// The place of the last entry, when there are more after it.
    pub next: Option<Position>,
}

/// A column that a list can be sorted by.
pub trait SortColumn: Copy {
    /// Whether its keys are texts; numbers otherwise.
    fn is_text(self) -> bool;
}

/// What jobs are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobSort {
    /// The order of submission.
    Created,
    /// When the job itself changed last.
    Updated,
    /// Its name, without regard to case.
    Name,
    /// Its job type.
    Type,
    /// The word of its status.
    Status,
    /// Its priority.
    Priority,
}

/// What the tasks of a job are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskSort {
    /// The order in which the job type made them.
    Index,
    /// When the task changed last.
    Updated,
    /// Its name, without regard to case.
    Name,
    /// Its task type.
    Type,
    /// The word of its status.
    Status,
    /// Its priority.
    Priority,
    /// The name of its worker, without regard to case; none first.
    Worker,
}

/// The order of lists that have only one: what changed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastChange;

/// What workers are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerSort {
    /// Its name, without regard to case.
    Name,
    /// The word of its status.
    Status,
    /// The version of its software.
    Version,
    /// When it was last heard of; never first.
    LastSeen,
}

impl SortColumn for JobSort {
    fn is_text(self) -> bool {
        matches!(self, Self::Name | Self::Type | Self::Status)
    }
}

impl SortColumn for TaskSort {
    fn is_text(self) -> bool {
        matches!(self, Self::Name | Self::Type | Self::Status | Self::Worker)
    }
}

impl SortColumn for LastChange {
    fn is_text(self) -> bool {
        false
    }
}

impl SortColumn for WorkerSort {
    fn is_text(self) -> bool {
        matches!(self, Self::Name | Self::Status | Self::Version)
    }
}

/// A span of time; both ends are optional.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// This moment or later.
    pub since: Option<DateTime<Utc>>,
    /// Before this moment.
    pub before: Option<DateTime<Utc>>,
}

/// Which jobs are wanted. An empty list, text or span leaves the choice open.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// In one of these statuses.
    pub statuses: Vec<JobStatus>,
    /// Of one of these job types.
    pub types: Vec<String>,
    /// With this in its name.
    pub name: String,
    /// Restricted to one of these tags.
    pub tags: Vec<TagId>,
    /// With a task that is assigned to one of these workers, now or last.
    pub workers: Vec<WorkerId>,
    /// Submitted then.
    pub created: Span,
    /// Changed last then.
    pub updated: Span,
}

/// Which tasks are wanted. An empty list, text or span leaves the choice open.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// In one of these statuses.
    pub statuses: Vec<TaskStatus>,
    /// Of one of these task types.
    pub types: Vec<String>,
    /// With this in its name.
    pub name: String,
    /// Assigned to one of these workers now or last.
    pub workers: Vec<WorkerId>,
    /// Of a job that is restricted to one of these tags.
    pub tags: Vec<TagId>,
    /// Changed last then.
    pub updated: Span,
}

/// Which workers are wanted. An empty list, text or span leaves the choice open.
#[derive(Debug, Clone, Default)]
pub struct WorkerFilter {
    /// In one of these statuses.
    pub statuses: Vec<WorkerStatus>,
    /// Supporting one of these task types.
    pub types: Vec<String>,
    /// With this in its name.
    pub name: String,
    /// Having one of these tags.
    pub tags: Vec<TagId>,
    /// Last heard of then; never is before everything.
    pub seen: Span,
}
