//! The worker's life between signing on and signing off: awake or asleep.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::Rng;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::config::Config;
use crate::find_programs::Programs;
use crate::manager_api::{CallError, Fetched, WorkerStatus};
use crate::notice::Notice;
use crate::outbox::Outbox;
use crate::pictures::Pictures;
use crate::process::Supervision;
use crate::session::Session;
use crate::state::{FetchPlan, State, Step, SuspendDetector};
use crate::task_run::TaskRunner;
use crate::{Error, ExitReason};

/// How long updates that an earlier run left behind are delivered before signing on.
const LEFTOVERS_GRACE: Duration = Duration::from_secs(10);
/// How long a start with `-flush` tries.
const FLUSH_LIMIT: Duration = Duration::from_secs(60);
/// While a request is under way, the clocks are looked at this often.
const SUSPEND_POLL: Duration = Duration::from_secs(2);
/// While updates cannot be delivered, the requested state is asked for this often.
const UNDELIVERED_POLL: Duration = Duration::from_secs(10);

/// Everything the worker works with.
#[derive(Debug)]
pub struct Worker<'a> {
    pub config: &'a Config,
    pub session: &'a Session,
    pub outbox: &'a Outbox,
    pub programs: &'a Programs,
    pub supervision: &'a Supervision,
    pub pictures: &'a Pictures,
}

impl Worker<'_> {
    /// Signs on and works until told to stop, by the manager or by `cancel`.
    ///
    /// # Errors
    /// When the manager refuses this worker for good.
    pub async fn work(&self, cancel: &CancellationToken) -> Result<ExitReason, Error> {
        let sign_on = async {
            self.deliver_leftovers().await;
            self.session.sign_on().await
        };
        let Some(requested) = self.session.run_until_cancelled(cancel, sign_on).await else {
            return Ok(ExitReason::Stopped);
        };
        let mut requested = requested?;
        if self.config.flush_only {
            return self.flush().await;
        }
        loop {
            let state = State::for_request(requested).unwrap_or_else(|| {
                tracing::warn!(%requested, "a worker cannot be in the requested state; going to sleep instead");
                State::Asleep
            });
            let next = match state {
                State::Awake => self.awake(cancel).await?,
                State::Asleep => match self.session.run_until_cancelled(cancel, self.asleep()).await {
                    Some(next) => Some(next?),
                    None => None,
                },
                State::Offline => {
                    tracing::info!("the manager asked this worker to stop");
                    return Ok(ExitReason::Offline);
                }
                State::Restart => {
                    tracing::info!("the manager asked this worker to restart");
                    return Ok(ExitReason::Restart { exit_code: self.config.restart_exit_code.unwrap_or(0) });
                }
            };
            match next {
                Some(next) => requested = next,
                None => return Ok(ExitReason::Stopped),
            }
        }
    }

    /// Signing on may give this worker's tasks to others, and then the end of a task that was done before a crash
    /// would come too late.
    async fn deliver_leftovers(&self) {
        if self.outbox.len() == 0 || !self.session.has_credentials() {
            return;
        }
        tracing::info!(queued = self.outbox.len(), "delivering task updates of an earlier run");
        if tokio::time::timeout(LEFTOVERS_GRACE, self.outbox.drained()).await.is_err() {
            tracing::warn!(
                queued = self.outbox.len(),
                "they could not be delivered yet; signing on meanwhile"
            );
        }
    }

    async fn flush(&self) -> Result<ExitReason, Error> {
        // Whether that was enough is told by what is left.
        let _ = tokio::time::timeout(FLUSH_LIMIT, self.outbox.drained()).await;
        match self.outbox.len() {
            0 => {
                tracing::info!("all task updates are delivered");
                Ok(ExitReason::Flushed)
            }
            left => Err(Error::NotFlushed { left }),
        }
    }

    /// Returns the next requested state; `None` when cancelled.
    async fn awake(&self, cancel: &CancellationToken) -> Result<Option<WorkerStatus>, Error> {
        let acknowledge = self.acknowledge(WorkerStatus::Awake);
        let acknowledged = self.session.run_until_cancelled(cancel, acknowledge).await;
        match acknowledged.transpose()? {
            None => return Ok(None),
            Some(Some(other)) => return Ok(Some(other)),
            Some(None) => {
                let types = self.config.task_types.join(", ");
                tracing::info!(task_types = types, "awake; asking the manager for tasks");
            }
        }
        let runner = TaskRunner {
            config: self.config,
            session: self.session,
            outbox: self.outbox,
            programs: self.programs,
            supervision: self.supervision,
            pictures: self.pictures,
        };
        let mut fetching = Fetching::new(self);
        let mut step = Step::FetchAgain;
        while !cancel.is_cancelled() {
            step = match step {
                Step::GoTo(requested) => return Ok(Some(requested)),
                Step::Run(task) => {
                    let end = runner.run(&task, cancel).await;
                    fetching.plan.after_run(task.id, end, rand::rng().random())
                }
                other => match self.session.run_until_cancelled(cancel, fetching.advance(other)).await {
                    Some(step) => step?,
                    None => return Ok(None),
                },
            };
        }
        Ok(None)
    }

    /// Returns the next requested state.
    async fn asleep(&self) -> Result<WorkerStatus, Error> {
        if let Some(other) = self.acknowledge(WorkerStatus::Asleep).await? {
            return Ok(other);
        }
        tracing::info!("asleep; waiting to be woken up");
        let mut suspend = suspend_detector();
        let mut notice = Notice::default();
        loop {
            sleep(self.config.pace.asleep_poll).await;
            if was_suspended(&mut suspend) {
                return self.session.sign_on().await;
            }
            match self.session.manager().requested_state().await {
                Ok(Some(requested)) => return Ok(requested),
                Ok(None) => {
                    if notice.clear() {
                        tracing::info!("asleep; the manager can be reached again");
                    }
                }
                Err(CallError::Denied(reason)) => {
                    tracing::warn!(reason, "the manager denies access; signing on again");
                    return self.session.sign_on().await;
                }
                Err(error) => {
                    if notice.is_new(&error.to_string()) {
                        let since = notice.since();
                        tracing::warn!(%error, since, "asleep, and cannot ask the manager whether to wake up");
                    }
                }
            }
        }
    }

    /// Tells the manager which state this worker is in, until it knows. Without that it gives no tasks. Returns
    /// another state if signing on again brought one.
    async fn acknowledge(&self, status: WorkerStatus) -> Result<Option<WorkerStatus>, Error> {
        let mut backoff = Backoff::new(self.config.pace.idle_first, self.config.pace.idle_most);
        loop {
            match self.session.manager().state_changed(status).await {
                Ok(()) => return Ok(None),
                Err(CallError::Denied(reason)) => {
                    tracing::warn!(reason, "the manager denies access; signing on again");
                    let requested = self.session.sign_on().await?;
                    if requested != status {
                        return Ok(Some(requested));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, %status, "cannot tell the manager the state of this worker");
                }
            }
            sleep(backoff.next_jittered()).await;
        }
    }
}

/// Asking for tasks while awake.
struct Fetching<'a> {
    worker: &'a Worker<'a>,
    plan: FetchPlan,
    suspend: SuspendDetector,
    notice: Notice,
}

impl<'a> Fetching<'a> {
    fn new(worker: &'a Worker<'a>) -> Self {
        Self {
            worker,
            plan: FetchPlan::new(&worker.config.pace),
            suspend: suspend_detector(),
            notice: Notice::default(),
        }
    }

    /// Takes one step that is neither a run nor a change of state; returns the one after it.
    async fn advance(&mut self, step: Step) -> Result<Step, Error> {
        let session = self.worker.session;
        Ok(match step {
            Step::FetchAgain => self.fetch().await,
            Step::WaitThenFetch(pause) => {
                sleep(pause).await;
                Step::FetchAgain
            }
            Step::AcknowledgeThenFetch(pause) => match self.worker.acknowledge(WorkerStatus::Awake).await? {
                Some(other) => Step::GoTo(other),
                None => Step::WaitThenFetch(pause),
            },
            Step::SignOnAgain => Step::GoTo(session.sign_on().await?),
            Step::AskState => match session.manager().requested_state().await {
                Ok(Some(requested)) => Step::GoTo(requested),
                Err(CallError::Denied(_)) => Step::SignOnAgain,
                Ok(None) | Err(_) => Step::WaitThenFetch(self.worker.config.pace.idle_first),
            },
            Step::Run(_) | Step::GoTo(_) => step,
        })
    }

    async fn fetch(&mut self) -> Step {
        if was_suspended(&mut self.suspend) {
            return Step::SignOnAgain;
        }
        if let Some(step) = self.until_delivered().await {
            return step;
        }
        let asked_at = Instant::now();
        let manager = self.worker.session.manager();
        // A request that was under way when the machine was suspended has nobody at its other end any more. If it got a
        // task, the manager gives that again.
        let answer = tokio::select! {
            answer = manager.fetch_task(self.worker.config.pace.task_wait) => answer,
            () = until_suspended(&mut self.suspend) => return Step::SignOnAgain,
        };
        self.say(&answer);
        self.plan.after_fetch(answer, asked_at.elapsed(), rand::rng().random())
    }

    /// Waits until the manager knows the end of the last task; before that it would hand out the same task again.
    async fn until_delivered(&mut self) -> Option<Step> {
        let Worker { outbox, session, .. } = self.worker;
        loop {
            tokio::select! {
                () = outbox.drained() => return None,
                () = session.manager().denied() => return Some(Step::SignOnAgain),
                () = sleep(UNDELIVERED_POLL) => {}
            }
            if self.notice.is_new("undelivered") {
                tracing::warn!(queued = outbox.len(), "not asking for tasks until the last one is reported");
            }
            match session.manager().requested_state().await {
                Ok(Some(requested)) => return Some(Step::GoTo(requested)),
                Err(CallError::Denied(_)) => return Some(Step::SignOnAgain),
                // It can be reached, so delivery need not wait any longer.
                Ok(None) => outbox.hurry(),
                Err(_) => {}
            }
        }
    }

    /// Tells why there is nothing to do, once.
    fn say(&mut self, answer: &Result<Fetched, CallError>) {
        match answer {
            Ok(Fetched::Task(_)) => {
                self.notice.clear();
            }
            Ok(Fetched::GoTo(requested)) => tracing::info!(%requested, "another state is requested"),
            Ok(Fetched::Nothing) => {
                if self.notice.is_new("nothing") {
                    let types = self.worker.config.task_types.join(", ");
                    tracing::info!(
                        task_types = types,
                        "the manager has no task for this worker; waiting for one"
                    );
                }
            }
            Err(error) => {
                if self.notice.is_new(&error.to_string()) {
                    let since = self.notice.since();
                    tracing::warn!(%error, since, "cannot get a task from the manager; trying until it works");
                }
            }
        }
    }
}

fn clocks() -> (Duration, Duration) {
    // The steady clock needs some starting point; any will do, as only differences count.
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let steady = START.get_or_init(std::time::Instant::now).elapsed();
    (SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), steady)
}

fn suspend_detector() -> SuspendDetector {
    let (wall, steady) = clocks();
    SuspendDetector::new(wall, steady)
}

/// Returns soon after the machine was suspended and is back.
async fn until_suspended(detector: &mut SuspendDetector) {
    loop {
        sleep(SUSPEND_POLL).await;
        if was_suspended(detector) {
            return;
        }
    }
}

fn was_suspended(detector: &mut SuspendDetector) -> bool {
    let (wall, steady) = clocks();
    let suspended = detector.look(wall, steady);
    if suspended {
        tracing::info!("this machine was suspended; signing on again");
    }
    suspended
}
