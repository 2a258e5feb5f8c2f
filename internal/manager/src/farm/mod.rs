//! The farm: every use case, called by every rim (HTTP, Socket.IO, loops).
//!
//! Each follows the same path: load the rows, decide with a pure function of `flamenco-domain`, store the outcome in
//! the same transaction, and let the writer announce the events after the commit. Task logs are files: what a worker
//! sends is on disk before it is answered; the manager's own lines follow the commit that they tell of.

pub mod attention;
pub mod audit;
pub mod configuration;
pub mod database;
pub mod deletion;
pub mod file_store;
pub mod frames;
pub mod job_types;
pub mod jobs;
pub mod last_rendered;
pub mod links;
pub mod lists;
pub mod logs;
pub mod machines;
pub mod scheduler;
pub mod setup;
pub mod sleep;
pub mod status;
pub mod submission;
pub mod tags;
pub mod tasks;
pub mod timeouts;
pub mod worker_logs;
pub mod workers;

mod capacity;
mod carried;
mod changes;
pub(crate) mod room;
mod roster;
mod switching;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use flamenco_domain::clock::Clock;
use flamenco_domain::event::Event;
use flamenco_domain::failure::FailurePolicy;
use flamenco_domain::farm_status::{FarmState, FarmStatus};
use flamenco_domain::ids::{JobId, TaskId};
use flamenco_domain::variables::Variables;
use flamenco_jobscript::Scripts;
use flamenco_store::{Location, Store};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::Result;
use crate::events::EventBus;
use logs::TaskLogs;
use roster::Roster;

/// How the farm behaves at the moment; made anew when the configuration changes.
#[derive(Debug)]
pub struct Live {
    /// The configuration that the rest was made from.
    pub config: Config,
    /// Variables, ready for use.
    pub variables: Variables,
    /// What decisions look at.
    pub options: Options,
}

/// How the farm behaves; from the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name of this manager.
    pub name: String,
    /// Where jobs are stored, as the manager sees it; empty as long as nobody has chosen.
    pub shared_storage: String,
    /// Whether nobody has configured this manager yet.
    pub first_run: bool,
    /// How many failures are borne.
    pub failures: FailurePolicy,
    /// An active task of which nothing was heard for this long has failed; `None` is never.
    pub task_timeout: Option<Duration>,
    /// A worker that was not seen for this long is in error; `None` is never.
    pub worker_timeout: Option<Duration>,
}

/// The deep module. Cheap to clone.
#[derive(Clone)]
pub struct Farm(Arc<Inner>);

/// What all handles of a farm share.
pub struct Inner {
    pub(crate) store: Store,
    pub(crate) logs: TaskLogs,
    pub(crate) events: EventBus,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) scripts: Scripts,
    /// The file store, when there is one.
    shaman: Option<flamenco_shaman::Store>,
    live: watch::Sender<Arc<Live>>,
    /// What the manager started with, and when.
    started: Config,
    pub(crate) started_at: DateTime<Utc>,
    /// Held while the configuration is changed.
    configuring: tokio::sync::Mutex<()>,
    script_readers: job_types::Readers,
    left_behind: carried::LeftBehind,
    /// Scripts that are compiled at the same time; each may take its whole memory limit.
    compilers: Arc<Semaphore>,
    /// Woken when a worker that waits for work should look again.
    work: Arc<Notify>,
    roster: Roster,
    pictures: last_rendered::Pictures,
    previews: last_rendered::Turns,
    pub(crate) frame_changes: frames::changes::Changes,
    frame_logs: frames::log::FrameLogs,
    frame_progress: frames::progress::Progress,
    estimates: frames::estimates::Estimates,
    machines: machines::Machines,
    worker_logs: worker_logs::WorkerLogs,
    room: room::Gauge,
    /// Woken when jobs were marked for deletion.
    deletions: Notify,
    /// Counts erased jobs.
    erasures: std::sync::atomic::AtomicU64,
    status: Mutex<FarmState>,
    status_changed: Arc<Notify>,
    /// Cancelled when the manager is to start again in this process.
    restart: CancellationToken,
    /// Programs of the setup assistant that run at the same time.
    trials: Semaphore,
    /// Directories that it tries out at the same time.
    directory_trials: Arc<Semaphore>,
    /// Cancelled when the farm cannot go on, and why.
    broken: CancellationToken,
    why_broken: Mutex<Option<crate::error::Error>>,
}

impl std::ops::Deref for Farm {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// A line for a task log that the manager writes after the commit it tells of.
#[derive(Debug, Clone)]
pub(crate) struct LogLine {
    job: JobId,
    task: TaskId,
    text: String,
}

impl Farm {
    /// Opens the database and repairs what a crash may have left half done.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub async fn open(
        location: &Location,
        logs: TaskLogs,
        scripts: Scripts,
        clock: Arc<dyn Clock>,
        config: Config,
    ) -> Result<Self> {
        let (events, work, status_changed) =
            (EventBus::default(), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let roster = Roster::default();
        let on_commit = {
            let (events, work, status_changed, roster) =
                (events.clone(), Arc::clone(&work), Arc::clone(&status_changed), roster.clone());
            move |batch: Vec<Event>| {
                let mut work_available = false;
                for event in batch {
                    if let Event::Worker(change) = &event {
                        roster.changed(change.worker.id, change.worker.deleted.is_some());
                        work_available |= change.worker.requested.is_some();
                    }
                    if changes_farm_status(&event) {
                        status_changed.notify_one();
                    }
                    if event == Event::WorkAvailable {
                        work_available = true;
                    } else {
                        events.publish(event);
                    }
                }
                if work_available {
                    work.notify_waiters();
                }
            }
        };
        let store = Store::open(location, Arc::new(on_commit)).await;
        let store = store.map_err(|error| match error {
            flamenco_store::Error::Damaged(what) => crate::error::Error::damaged(&what),
            other => other.into(),
        })?;
        let shaman = file_store::open(&config).await?;
        let farm = Self(Arc::new(Inner {
            store,
            logs,
            events,
            scripts,
            started: config.clone(),
            started_at: clock.now(),
            live: watch::Sender::new(Arc::new(Live::new(config, shaman.as_ref()))),
            clock,
            shaman,
            configuring: tokio::sync::Mutex::default(),
            script_readers: job_types::Readers::default(),
            left_behind: carried::LeftBehind::default(),
            compilers: Arc::new(Semaphore::new(2)),
            work,
            roster,
            pictures: last_rendered::Pictures::default(),
            previews: last_rendered::Turns::new(1, 8),
            frame_changes: frames::changes::Changes::default(),
            frame_logs: frames::log::FrameLogs::default(),
            frame_progress: frames::progress::Progress::default(),
            estimates: frames::estimates::Estimates::default(),
            machines: machines::Machines::default(),
            worker_logs: worker_logs::WorkerLogs::default(),
            room: room::Gauge::default(),
            deletions: Notify::new(),
            erasures: std::sync::atomic::AtomicU64::new(0),
            status: Mutex::new(FarmStatus::Starting.into()),
            status_changed,
            restart: CancellationToken::new(),
            trials: Semaphore::new(2),
            directory_trials: Arc::new(Semaphore::new(4)),
            broken: CancellationToken::new(),
            why_broken: Mutex::default(),
        }));
        farm.repair().await?;
        Ok(farm)
    }

    /// The current time, to the microsecond, which is what is stored.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        let now = self.clock.now();
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }

    /// Events from now on.
    #[must_use]
    pub fn subscribe(&self) -> crate::events::Subscription {
        self.events.subscribe()
    }

    /// Announces something that is not in the database.
    pub(crate) fn announce(&self, event: Event) {
        self.events.publish(event);
    }

    /// Differences between what is maintained and what is there; empty when all is well.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn differences(&self) -> Result<Vec<String>> {
        Ok(flamenco_store::recount::differences(self.store.read()).await?)
    }

    /// Does work to its end, also when whoever waits for it leaves, if `matters` says so then.
    pub(crate) async fn carry_through<F>(&self, work: F, matters: impl Fn() -> bool + Unpin) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.left_behind.carry_if(work, matters).await
    }

    /// Ends the farm: what was accepted is stored, then the task logs and the database are closed.
    pub async fn close(self) {
        self.left_behind.finish().await;
        self.logs.close().await;
        self.store.clone().close().await;
    }

    /// Appends the manager's own lines to task logs. They tell of what is committed, so failing to write one is
    /// reported and changes nothing; and nobody is told that they are on disk, so nobody waits for that.
    pub(crate) async fn write_lines(&self, lines: Vec<LogLine>) {
        let time = self.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let mut lines = lines.into_iter().peekable();
        while let Some(LogLine { job, task, text }) = lines.next() {
            let mut text = format!("{time} {text}");
            while let Some(next) = lines.next_if(|next| next.task == task) {
                text.push('\n');
                text.push_str(&format!("{time} {}", next.text));
            }
            match self.logs.append_quickly(job.0, task.0, text.as_str()).await {
                Ok(()) => self.announce(Event::TaskLog { task, job, text }),
                Err(error) => tracing::error!(task.id = %task, %error, "cannot write to the task's log"),
            }
        }
    }
}

/// Whether the farm as a whole may be in another state after this.
fn changes_farm_status(event: &Event) -> bool {
    match event {
        Event::Job(change) => change.previous != Some(change.job.status),
        Event::Worker(change) => {
            change.previous.is_some() || change.switched || change.worker.deleted.is_some()
        }
        _ => false,
    }
}
