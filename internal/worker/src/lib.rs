//! The worker: asks the manager for tasks, runs their commands as subprocesses, and reports reliably.
//!
//! ```text
//!            ┌────────────────────────── run ───────────────────────────┐
//!            │  worker: awake / asleep          outbox delivery         │
//!            │    │ fetch, state, may-i-run          ▲   │ task updates │
//!  manager ◄─┼────┘                                  │   └──────────────┼─► manager
//!            │  task_run ─► runner ─► process        │                  │
//!            │                 └─► reporter ─────────┘ (on disk first)  │
//!            └──────────────────────────────────────────────────────────┘
//! ```
//!
//! - `config`, `credentials`, `session`: who this worker is, and how the manager gets to know it.
//! - `discovery`: finds the manager on the network when nobody said where it is.
//! - `state`: the pure rules of the worker's states and pauses; `worker` follows them.
//! - `task_run`: one run of a task; `runner`: its commands; `process`: subprocesses and their sure end.
//! - `reporter`, `log_buffer`, `outbox`: what the manager is told, in order and never lost.
//! - `pictures`, `machine`: what is told beside the tasks; losing any of it harms no task.
//! - `manager_api`: the only module that knows the generated client.
//!
//! The worker shares nothing with the manager but the wire contract.

#[cfg(not(unix))]
compile_error!("the worker needs process groups; only Unix is supported");

mod backoff;
pub mod config;
mod credentials;
mod discovery;
mod error;
mod find_programs;
mod frame_glob;
mod log_buffer;
mod machine;
mod manager_api;
mod may_i_run;
mod notice;
mod outbox;
mod pictures;
mod process;
mod reporter;
mod runner;
mod session;
mod state;
mod task_run;
mod worker;

use tokio_util::sync::CancellationToken;

use config::HomeLock;
use find_programs::Programs;
use outbox::Outbox;
use pictures::Pictures;
use process::{Supervision, TimeLimits};
use session::Session;
use worker::Worker;

pub use config::{CommandLine, Config, ConfigError, Pace};
pub use discovery::{DISCOVERY_GROUP, DiscoveryError, find_manager};
pub use error::Error;
/// Where the program writes its log to, for the manager to show the end of it.
pub use flamenco_logtail::LogTail;
pub use process::{GUARD_ARGUMENT, guard_processes};

const OUTBOX_FILE: &str = "flamenco-worker.sqlite";

/// Why a worker stopped in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// It was cancelled.
    Stopped,
    /// The manager asked it to go offline.
    Offline,
    /// The manager asked it to restart.
    Restart {
        /// With which exit code whoever started the worker starts it again; 0 when nobody does.
        exit_code: u8,
    },
    /// Everything that was queued is delivered, and that was all that was asked for.
    Flushed,
}

impl ExitReason {
    /// The exit code of the program.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Stopped | Self::Offline | Self::Flushed => 0,
            Self::Restart { exit_code } => exit_code,
        }
    }
}

/// Runs a worker until the manager tells it to stop or `cancel` is cancelled; then stops what is running, delivers
/// what is queued and signs off, which takes at most about 15 s.
///
/// Dropping the future kills a running subprocess with its whole group at once. The future must be polled on a thread
/// that lives as long as it does, such as the main thread or a worker thread of a runtime: on Linux, subprocesses
/// are told to die with the thread that started them.
///
/// # Errors
/// When the worker cannot start (its home is in use, its address makes no sense), when the manager refuses it for
/// good, or when it was to flush and could not.
pub async fn run(config: Config, cancel: CancellationToken) -> Result<ExitReason, Error> {
    let _lock = HomeLock::take(&config.home)?;
    let session = Session::new(&config)?;
    let outbox = Outbox::open(&config.home.join(OUTBOX_FILE))?;
    tracing::info!(
        version = config.software_version, name = config.worker_name, manager = config.manager_url,
        home = %config.home.display(), pid = std::process::id(), "worker starts"
    );
    let programs = Programs::default();
    let pictures = Pictures::default();
    let limits = TimeLimits { total: config.command_time_limit, silence: config.silence_limit };
    let supervision = Supervision::new(config.guard.clone(), limits);
    let worker = Worker {
        config: &config,
        session: &session,
        outbox: &outbox,
        programs: &programs,
        supervision: &supervision,
        pictures: &pictures,
    };
    let delivered = CancellationToken::new();
    let work = async {
        let result = worker.work(&cancel).await;
        // A last chance for what the task reported while it was being stopped.
        outbox.hurry();
        let _ = tokio::time::timeout(config.pace.flush_at_exit, outbox.drained()).await;
        delivered.cancel();
        result
    };
    let manager = session.manager();
    let delivery = outbox::deliver(&outbox, |task, report| manager.deliver(task, report), &delivered);
    let delivery = async {
        tokio::select! {
            () = delivery => {}
            () = give_up_soon(&delivered, &config) => {}
        }
    };
    // Programs that are slow to tell their version delay nothing but their own line in the log.
    let announcement = delivered.run_until_cancelled(programs.announce());
    pictures.resume(&config.home).await;
    let sending = pictures.send_all(manager, &outbox, &config.home, &delivered);
    let following = async {
        if let Some(group) = config.search_group {
            discovery::follow(manager, group, &config.pace, &delivered).await;
        }
    };
    let machine = machine::report(&session, &config, &programs, &supervision.watched, &delivered);
    let (result, (), _, (), (), ()) = tokio::join!(work, delivery, announcement, sending, machine, following);
    if outbox.len() > 0 {
        tracing::warn!(
            queued = outbox.len(),
            "task updates are left; they will be delivered at the next start"
        );
    }
    if session.is_signed_on() {
        sign_off(&session, &config).await;
    }
    result
}

/// An attempt in flight when the worker stops gets a little time, but not that of a whole request.
async fn give_up_soon(delivered: &CancellationToken, config: &Config) {
    delivered.cancelled().await;
    tokio::time::sleep(config.pace.sign_off).await;
}

async fn sign_off(session: &Session, config: &Config) {
    match tokio::time::timeout(config.pace.sign_off, session.manager().sign_off()).await {
        Ok(Ok(())) => tracing::info!("signed off"),
        Ok(Err(error)) => tracing::warn!(%error, "cannot sign off"),
        Err(_) => tracing::warn!("cannot sign off: no answer in time"),
    }
}
