//! Registration and sign-on: who this worker is to the manager.
//!
//! ```text
//!  credentials? ──no──► register ──200──► save ──┐
//!      │yes               ▲  └─ else: wait, again │
//!      ▼                  │401/403                ▼
//!   sign on ──────────────┴──────────────────► signed on
//!      └─ unreachable, 5xx, 429: wait, again
//! ```

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::Local;
use flamenco_logtail::LogTail;
use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::backoff::Backoff;
use crate::config::Config;
use crate::credentials::{self, Credentials};
use crate::find_programs::platform_name;
use crate::manager_api::{CallError, Introduction, Manager, WorkerStatus};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long asking the manager what it offers may hold up the work.
const FEATURES_LIMIT: Duration = Duration::from_secs(5);
/// How long a registration that is on its way may take when the worker stops.
const SETTLE_GRACE: Duration = Duration::from_secs(3);

/// Keeps the worker known to the manager.
#[derive(Debug)]
pub struct Session {
    manager: Manager,
    who: Introduction,
    home: PathBuf,
    /// Where the secret must not appear.
    own_log: LogTail,
    credentials: Mutex<Option<Credentials>>,
    signed_on: AtomicBool,
    sign_ons: AtomicU64,
    /// Held while a registration is on its way. Abandoning one would leave a worker at the manager that nobody is.
    registering: AsyncMutex<()>,
}

/// What to do after a call.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Done,
    Register,
    WaitAndRepeat,
    GiveUp,
}

impl Session {
    /// # Errors
    /// When the manager's address cannot be used.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let manager = Manager::new(&config.manager_url, &config.software_version).map_err(Error::Client)?;
        let stored = if config.register_again { None } else { credentials::load(&config.home) };
        if let Some(credentials) = &stored {
            config.own_log.hide(&credentials.worker_secret);
            manager.use_credentials(credentials);
        }
        let who = Introduction {
            name: config.worker_name.clone(),
            platform: platform_name(std::env::consts::OS).to_owned(),
            task_types: config.task_types.clone(),
            software_version: config.software_version.clone(),
            can_restart: config.restart_exit_code.is_some(),
        };
        Ok(Self {
            manager,
            who,
            home: config.home.clone(),
            own_log: config.own_log.clone(),
            credentials: Mutex::new(stored),
            signed_on: AtomicBool::new(false),
            sign_ons: AtomicU64::new(0),
            registering: AsyncMutex::new(()),
        })
    }

    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Whether the manager may already know this worker.
    pub fn has_credentials(&self) -> bool {
        self.credentials().is_some()
    }

    /// Whether this worker has signed on since it started, and so has to sign off.
    pub fn is_signed_on(&self) -> bool {
        self.signed_on.load(Ordering::Relaxed)
    }

    /// How often this worker has signed on since it started.
    pub fn sign_ons(&self) -> u64 {
        self.sign_ons.load(Ordering::Relaxed)
    }

    /// The worker's identifier at the manager, once it is registered.
    pub fn worker_id(&self) -> Option<String> {
        self.credentials().map(|credentials| credentials.worker_id)
    }

    /// Signs on, registering first if needed. Waits for the manager for as long as it takes. Returns the state to
    /// go to.
    ///
    /// # Errors
    /// When the manager refuses for good, or new credentials cannot be stored.
    pub async fn sign_on(&self) -> Result<WorkerStatus, Error> {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut just_registered = false;
        loop {
            if !self.has_credentials() {
                self.register(&mut backoff).await?;
                just_registered = true;
            }
            let result = self.manager.sign_on(&self.who).await;
            match (after_sign_on(&result, just_registered), result) {
                (Next::Done, Ok(requested)) => {
                    self.signed_on.store(true, Ordering::Relaxed);
                    tracing::info!(worker = self.worker_id(), name = self.who.name, %requested, "signed on");
                    self.sign_ons.fetch_add(1, Ordering::Relaxed);
                    self.manager.forget_features();
                    // Later, if it does not work now: nothing but extras depends on it.
                    let _ = tokio::time::timeout(FEATURES_LIMIT, self.manager.learn_features()).await;
                    return Ok(requested);
                }
                (Next::Register, Err(error)) => {
                    tracing::warn!(%error, "the manager does not know this worker; registering as a new one");
                    self.set_credentials(None);
                }
                (Next::WaitAndRepeat, Err(error)) => pause(&mut backoff, &error, "sign on").await,
                (Next::GiveUp, Err(error)) => {
                    return Err(Error::Refused { what: "sign on", reason: error.into() });
                }
                (_, Ok(_)) | (Next::Done, Err(_)) => {}
            }
        }
    }

    /// Runs something that may sign on, until it is done or `cancel` is cancelled; a registration that is on its way
    /// then still gets a little time.
    pub async fn run_until_cancelled<T>(
        &self,
        cancel: &CancellationToken,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        tokio::pin!(work);
        if let Some(output) = cancel.run_until_cancelled(&mut work).await {
            return Some(output);
        }
        self.settle(work).await;
        None
    }

    /// Goes on with work that is to be abandoned until no registration is on its way, for a little while.
    pub async fn settle<T>(&self, work: Pin<&mut impl Future<Output = T>>) {
        let settled = async {
            tokio::select! {
                _ = work => {}
                // The lock is fair: this gets it when a registration that holds it is over.
                _ = self.registering.lock() => {}
            }
        };
        if tokio::time::timeout(SETTLE_GRACE, settled).await.is_err() {
            tracing::warn!(
                "stopping in the middle of a registration; the manager may list this worker twice"
            );
        }
    }

    async fn register(&self, backoff: &mut Backoff) -> Result<(), Error> {
        let secret = credentials::new_secret().map_err(Error::Secret)?;
        self.own_log.hide(&secret);
        loop {
            let registering = self.registering.lock().await;
            match self.manager.register(&self.who, &secret).await {
                Ok(credentials) => {
                    credentials::save(&self.home, &credentials, Local::now())?;
                    tracing::info!(worker = credentials.worker_id, name = self.who.name, "registered");
                    self.manager.use_credentials(&credentials);
                    self.set_credentials(Some(credentials));
                    backoff.reset();
                    return Ok(());
                }
                Err(error) if error.is_permanent() => {
                    return Err(Error::Refused { what: "register", reason: error.into() });
                }
                Err(error) => {
                    drop(registering);
                    pause(backoff, &error, "register").await;
                }
            }
        }
    }

    fn credentials(&self) -> Option<Credentials> {
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_credentials(&self, new: Option<Credentials>) {
        *self.credentials.lock().unwrap_or_else(PoisonError::into_inner) = new;
    }
}

fn after_sign_on(result: &Result<WorkerStatus, CallError>, just_registered: bool) -> Next {
    match result {
        Ok(_) => Next::Done,
        // A manager that forgets at once would be flooded with registrations.
        Err(CallError::Denied(_)) if just_registered => Next::GiveUp,
        Err(CallError::Denied(_)) => Next::Register,
        Err(error) if error.is_permanent() => Next::GiveUp,
        Err(_) => Next::WaitAndRepeat,
    }
}

async fn pause(backoff: &mut Backoff, error: &CallError, what: &str) {
    let pause = backoff.next_jittered();
    tracing::warn!(%error, retry_in = ?pause, "cannot {what} at the manager; trying again");
    tokio::time::sleep(pause).await;
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn only_a_denial_leads_to_a_new_registration() {
        let problem = |status: StatusCode| Err(CallError::Problem { status, message: String::new() });
        let denied = || Err(CallError::Denied(String::new()));
        let cases = [
            (Ok(WorkerStatus::Awake), false, Next::Done),
            (denied(), false, Next::Register),
            (denied(), true, Next::GiveUp),
            (Err(CallError::Unreachable(String::new())), false, Next::WaitAndRepeat),
            (problem(StatusCode::INTERNAL_SERVER_ERROR), false, Next::WaitAndRepeat),
            (problem(StatusCode::BAD_GATEWAY), true, Next::WaitAndRepeat),
            (problem(StatusCode::TOO_MANY_REQUESTS), false, Next::WaitAndRepeat),
            (problem(StatusCode::BAD_REQUEST), false, Next::GiveUp),
        ];
        for (result, just_registered, expected) in cases {
            assert_eq!(after_sign_on(&result, just_registered), expected, "{result:?} {just_registered}");
        }
    }
}
