//! What the farm refuses or cannot do. How that looks over HTTP is decided in `http/problem.rs` and nowhere else.

use flamenco_domain::job::{JobDenied, JobStatus};
use flamenco_domain::task::{ReportDenied, RequestDenied};
use flamenco_domain::worker::{StatusRequestDenied, WorkerStatus};

/// An error of the farm.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing with that id.
    #[error("there is no {kind} {id}")]
    NotFound {
        /// `job`, `task`, `worker`, `worker tag` or `job type`.
        kind: &'static str,
        /// What was asked for.
        id: String,
    },
    /// The request makes no sense as it is.
    #[error("{0}")]
    Invalid(String),
    /// Who asks is not who they say, or says nothing.
    #[error("{0}")]
    Forbidden(String),
    /// The job type changed since the submitter last looked.
    #[error("{0}")]
    Outdated(String),
    /// A job cannot become that.
    #[error(transparent)]
    Job(#[from] JobDenied),
    /// A task cannot become that by request.
    #[error(transparent)]
    TaskRequest(#[from] RequestDenied),
    /// A worker cannot report that.
    #[error(transparent)]
    TaskReport(#[from] ReportDenied),
    /// A worker cannot be asked that.
    #[error(transparent)]
    WorkerRequest(#[from] StatusRequestDenied),
    /// The worker must be awake to get tasks.
    #[error("the worker is {is}, and only an awake worker gets tasks; report the status awake first")]
    NotAwake {
        /// The status it is in.
        is: WorkerStatus,
    },
    /// A new job can only start in some statuses.
    #[error("a job can be submitted as queued or paused, not as {0}")]
    InitialStatus(JobStatus),
    /// A worker tag that does not exist.
    #[error("there is no worker tag {0}; choose one of the existing tags or none")]
    UnknownTag(String),
    /// None of the frames can be rendered again.
    #[error("none of these frames can be rendered again: {0}")]
    NothingToRender(String),
    /// A frame that cannot be shown.
    #[error("frame {0} has no thumbnail; choose one that has")]
    NothingToShow(i64),
    /// More is going on than can be done now.
    #[error("{0}")]
    Overloaded(String),
    /// More is asked for at once than is done at once.
    #[error("{0}")]
    Busy(String),
    /// A tag that jobs still need.
    #[error(
        "{jobs} unfinished job(s) are restricted to the tag {name:?} and would run on every worker; give them another tag or let them end first"
    )]
    TagInUse {
        /// Name of the tag.
        name: String,
        /// How many jobs.
        jobs: i64,
    },
    /// A person was told of another number of jobs.
    #[error("{found} jobs would be deleted now, not {expected}; look again at which, and ask anew")]
    OtherJobs {
        /// How many there are.
        found: i64,
        /// How many the person was told of.
        expected: i64,
    },
    /// The script of a job type does not load; whoever wrote it has to hear why.
    #[error("{0}")]
    BrokenScript(String),
    /// The manager would not come back from a restart.
    #[error("the manager cannot start again, and goes on as it is: {0}")]
    CannotRestart(String),
    /// There is no file store to do this with.
    #[error(
        "the Shaman file store is not active; switch it on with shaman.enabled in the manager's configuration, choose a shared storage, and restart the manager"
    )]
    NoFileStore,
    /// Files that a checkout needs are not stored.
    #[error("{0}")]
    FilesMissing(String),
    /// The file store.
    #[error(transparent)]
    FileStore(#[from] flamenco_shaman::Error),
    /// The file of the database is damaged, and what to do now.
    #[error(
        "the database is damaged: {0}\n\
         The manager does not work on with it, as that makes it worse. What to do:\n\
         1. Copy the file of the database and those beside it that end in -wal and -shm to a safe place.\n\
         2. Put back a backup; or, without one, save what can be read:\n   \
         sqlite3 flamenco-manager.sqlite .recover | sqlite3 recovered.sqlite\n   \
         and put recovered.sqlite in the place of the file, without those beside it.\n\
         3. Check it with flamenco-manager --check-database, and look for what is wrong with the disk."
    )]
    Damaged(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] flamenco_store::Error),
    /// A file, mostly of a task log.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something went wrong that no request can cause.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    pub(crate) fn not_found(kind: &'static str, id: impl std::fmt::Display) -> Self {
        Self::NotFound { kind, id: id.to_string() }
    }

    pub(crate) fn damaged(what: &str) -> Self {
        Self::Damaged(what.to_owned())
    }

    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// Result of a use case.
pub type Result<T> = std::result::Result<T, Error>;
