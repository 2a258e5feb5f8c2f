//! The manager as the worker sees it: few questions, plain answers, and errors sorted by what can be done about
//! them. The only file that knows the generated client.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flamenco_api::operations::{self, ScheduleTaskQuery};
use flamenco_api::types;
use flamenco_client::{Client, Error as ClientError, Upload};
use http::StatusCode;
use tokio::sync::Notify;
use uuid::Uuid;

mod call_error;
mod feature;

pub use call_error::CallError;
use call_error::answer_for;
pub use feature::Feature;
use feature::LEARNED;
pub use flamenco_api::types::{MayKeepRunning, WorkerStatus};

use crate::config::software_version;
use crate::credentials::Credentials;
use crate::outbox::{Answer, FrameReport, FrameState, LogPosition, ReportedStatus, TaskReport};
use crate::pictures::preview::Encoded;
use crate::runner::Command;

/// A task to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub id: Uuid,
    pub job: Uuid,
    pub name: String,
    pub commands: Vec<Command>,
}

/// The answer to the request for a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Fetched {
    Task(Task),
    Nothing,
    /// Another state is requested; go there first.
    GoTo(WorkerStatus),
}

/// What became of a picture that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PictureAnswer {
    /// The manager has it.
    Accepted,
    /// The manager will never take it; the message says why.
    Refused(String),
    /// Worth another attempt.
    TryLater {
        /// Why.
        reason: String,
        /// When the manager wants to be asked again, if it said so.
        after: Option<Duration>,
    },
    /// The manager trips over this one, for that reason. Others may fare better.
    Tripped(String),
}

/// What is told about this worker when it registers and signs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    pub name: String,
    pub platform: String,
    pub task_types: Vec<String>,
    pub software_version: String,
    pub can_restart: bool,
}

/// The manager, with the credentials of this worker. All calls have their own deadline.
#[derive(Debug)]
pub struct Manager {
    client: Mutex<Client>,
    /// Some call was denied: the worker should sign on again.
    denied: Notify,
    /// What the manager offers beyond the common protocol: bits, see [`Feature`].
    features: AtomicU8,
    /// What the manager calls itself, once it has said so.
    name: Mutex<Option<String>>,
    /// Where the manager says that the shared storage is here.
    shared_storage: Mutex<Option<PathBuf>>,
    /// There is a worker that this program is, to the manager that it registered with.
    registered: AtomicBool,
}

impl Manager {
    /// # Errors
    /// When the address cannot be used.
    pub fn new(url: &str, software_version: &str) -> Result<Self, ClientError> {
        let client = Client::builder(url).user_agent(format!("Flamenco/{software_version}")).build()?;
        Ok(Self {
            client: Mutex::new(client),
            denied: Notify::new(),
            features: AtomicU8::new(0),
            name: Mutex::default(),
            shared_storage: Mutex::default(),
            registered: AtomicBool::new(false),
        })
    }

    pub fn use_credentials(&self, credentials: &Credentials) {
        let mut client = self.lock();
        *client = client.with_credentials(&credentials.worker_id, &credentials.worker_secret);
        self.registered.store(true, Ordering::Relaxed);
    }

    /// Whether the manager at that URL, which calls itself so, is the one that this worker is registered with: it has
    /// the same name and knows the worker. To one that is not registered, every manager will do.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn is_the_same(&self, url: &str, name: &str) -> Result<bool, CallError> {
        if !self.registered.load(Ordering::Relaxed) {
            return Ok(true);
        }
        // Before the question, which shows the worker's secret.
        if self.name().as_ref().is_some_and(|known| known != name) {
            return Ok(false);
        }
        let there = self.client().with_base_url(url)?;
        match there.worker_state().await? {
            operations::WorkerStateResponse::Status200(_) | operations::WorkerStateResponse::Status204 => {
                Ok(true)
            }
            other => match CallError::of_answer(other.problem()) {
                CallError::Denied(_) => Ok(false),
                error => Err(error),
            },
        }
    }

    /// Where the manager is.
    pub fn url(&self) -> String {
        self.lock().base_url().to_owned()
    }

    /// The manager is at another address now. What it offers is asked again.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn move_to(&self, url: &str) -> Result<(), ClientError> {
        let mut client = self.lock();
        *client = client.with_base_url(url)?;
        self.forget_features();
        Ok(())
    }

    /// Waits until a call was denied that nobody else deals with.
    pub async fn denied(&self) {
        self.denied.notified().await;
    }

    pub async fn register(&self, who: &Introduction, secret: &str) -> Result<Credentials, CallError> {
        let body = types::WorkerRegistration {
            name: who.name.clone(),
            platform: who.platform.clone(),
            secret: secret.to_owned(),
            supported_task_types: who.task_types.clone(),
        };
        match self.client().register_worker(&body).await? {
            operations::RegisterWorkerResponse::Status200(worker) => {
                Ok(Credentials { worker_id: worker.uuid.to_string(), worker_secret: secret.to_owned() })
            }
            other => Err(CallError::of_answer(other.problem())),
        }
    }

    /// Asks what the manager offers beyond the common protocol. Until it says so, nothing.
    pub async fn learn_features(&self) -> Result<(), CallError> {
        let version = match self.client().get_version().await? {
            operations::GetVersionResponse::Status200(version) => version,
            other => return Err(CallError::of_answer(other.problem())),
        };
        *self.name() = Some(version.name.clone());
        let names = version.features.unwrap_or_default();
        let known = Feature::ALL.iter().filter(|feature| names.iter().any(|name| name == feature.name()));
        let bits = known.fold(0, |bits, feature| bits | feature.bit()) | LEARNED;
        if self.features.swap(bits, Ordering::Relaxed) != bits {
            tracing::info!(manager = version.name, version = version.version, features = ?names, "the manager is there");
        }
        Ok(())
    }

    /// Whether the manager has told what it offers since the last sign-on.
    pub fn features_known(&self) -> bool {
        self.features.load(Ordering::Relaxed) & LEARNED != 0
    }

    /// Whether the manager offers this.
    pub fn offers(&self, feature: Feature) -> bool {
        self.features.load(Ordering::Relaxed) & feature.bit() != 0
    }

    /// Asks to be told again: the manager may be another one.
    pub fn forget_features(&self) {
        self.features.fetch_and(!LEARNED, Ordering::Relaxed);
    }

    /// Sends a picture that was rendered. A manager that has thumbnails is told of which frame it is.
    pub async fn output_produced(
        &self,
        task: Uuid,
        picture: Encoded,
        of: Option<&FrameReport>,
    ) -> PictureAnswer {
        let length = picture.bytes.len() as u64;
        let upload = Upload::new(picture.bytes).content_type(picture.media_type).content_length(length);
        let of = of.filter(|_| self.offers(Feature::Thumbnails));
        let query = operations::TaskOutputProducedQuery {
            frame: of.map(|report| report.frame),
            path: of.map(|report| report.path.clone()),
            rendered_at: of.map(|report| report.rendered_at),
        };
        let result = match self.client().task_output_produced(task, &query, upload).await {
            Ok(operations::TaskOutputProducedResponse::Status202) => return PictureAnswer::Accepted,
            Ok(operations::TaskOutputProducedResponse::Status429 { retry_after, body }) => {
                return PictureAnswer::TryLater { reason: body.message, after: seconds(retry_after) };
            }
            Ok(other) => CallError::of_answer(other.problem()),
            Err(error) => error.into(),
        };
        match result {
            CallError::Conflict(message) => PictureAnswer::Refused(message),
            error if error.is_permanent() => PictureAnswer::Refused(error.to_string()),
            error if error.is_trouble() => PictureAnswer::Tripped(error.to_string()),
            error => PictureAnswer::TryLater { reason: error.to_string(), after: None },
        }
    }

    /// Reports how this machine is doing. To be called only when the manager offers it.
    pub async fn report_machine(&self, report: &types::MachineReport) -> Result<(), CallError> {
        match self.client().report_machine(report).await? {
            operations::ReportMachineResponse::Status204 => Ok(()),
            other => Err(CallError::of_answer(other.problem())),
        }
    }

    /// Reports how far a frame is that is being rendered. To be called only when the manager offers it.
    pub async fn report_frame_progress(
        &self,
        task: Uuid,
        progress: &types::FrameProgress,
    ) -> Result<(), CallError> {
        match self.client().report_frame_progress(task, progress).await? {
            operations::ReportFrameProgressResponse::Status204 => Ok(()),
            other => Err(CallError::of_answer(other.problem())),
        }
    }

    /// Sends lines of this worker's own log, `anew` when they are all that there are. To be called only when the manager
    /// offers it.
    pub async fn report_log(&self, lines: Vec<String>, anew: bool) -> Result<(), CallError> {
        let body = types::WorkerLogReport { lines, anew: anew.then_some(true) };
        match self.client().report_worker_log(&body).await? {
            operations::ReportWorkerLogResponse::Status204 => Ok(()),
            other => Err(CallError::of_answer(other.problem())),
        }
    }

    async fn deliver_frames(&self, task: Uuid, frames: Vec<FrameReport>) -> Answer {
        let body = types::FrameReports { frames: frames.into_iter().map(wire_frame).collect() };
        let error: CallError = match self.client().report_frames(task, &body).await {
            Ok(operations::ReportFramesResponse::Status204) => return Answer::Accepted,
            Ok(operations::ReportFramesResponse::Status503 { retry_after, body }) => {
                return Answer::TryLater { reason: body.message, after: seconds(retry_after) };
            }
            Ok(other) => CallError::of_answer(other.problem()),
            Err(error) => error.into(),
        };
        match error {
            CallError::Conflict(message) => Answer::Refused(message),
            // A manager without this operation, or one that trips over these frames: tasks must not wait for them.
            CallError::Problem {
                status: StatusCode::NOT_IMPLEMENTED | StatusCode::INTERNAL_SERVER_ERROR,
                message,
            } => Answer::Refused(message),
            error => self.answer_for(error),
        }
    }

    /// Returns the state to go to.
    pub async fn sign_on(&self, who: &Introduction) -> Result<WorkerStatus, CallError> {
        let body = types::WorkerSignOn {
            name: who.name.clone(),
            supported_task_types: who.task_types.clone(),
            software_version: who.software_version.clone(),
            can_restart: Some(who.can_restart),
        };
        match self.client().sign_on(&body).await? {
            operations::SignOnResponse::Status200(change) => {
                let place = change.shared_storage.filter(|path| !path.is_empty()).map(PathBuf::from);
                *self.shared_storage.lock().unwrap_or_else(PoisonError::into_inner) = place;
                Ok(change.status_requested)
            }
            other => Err(CallError::of_answer(other.problem())),
        }
    }

    /// The shared storage as the manager called it at the last sign-on; a stock manager does not.
    pub fn shared_storage(&self) -> Option<PathBuf> {
        self.shared_storage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub async fn sign_off(&self) -> Result<(), CallError> {
        match self.client().sign_off().await? {
            operations::SignOffResponse::Status204 => Ok(()),
            other => Err(CallError::of_answer(other.problem())),
        }
    }

    /// The state that is requested, if any.
    pub async fn requested_state(&self) -> Result<Option<WorkerStatus>, CallError> {
        match self.client().worker_state().await? {
            operations::WorkerStateResponse::Status200(change) => Ok(Some(change.status_requested)),
            operations::WorkerStateResponse::Status204 => Ok(None),
            other => Err(CallError::of_answer(other.problem())),
        }
    }

    pub async fn state_changed(&self, status: WorkerStatus) -> Result<(), CallError> {
        let body = types::WorkerStateChanged { status };
        match self.client().worker_state_changed(&body).await? {
            operations::WorkerStateChangedResponse::Status204 => Ok(()),
            other => Err(CallError::of_answer(other.problem())),
        }
    }

    /// Asks for a task, and asks the manager to wait that long if there is none. Not every manager does.
    pub async fn fetch_task(&self, wait: Duration) -> Result<Fetched, CallError> {
        let query = ScheduleTaskQuery { wait: i64::try_from(wait.as_secs()).ok() };
        match self.client().schedule_task(&query).await? {
            operations::ScheduleTaskResponse::Status200(task) => Ok(Fetched::Task(task.into())),
            operations::ScheduleTaskResponse::Status204 => Ok(Fetched::Nothing),
            operations::ScheduleTaskResponse::Status423(change) => Ok(Fetched::GoTo(change.status_requested)),
            other => Err(CallError::of_answer(other.problem())),
        }
    }

    pub async fn may_i_run(&self, task: Uuid) -> Result<MayKeepRunning, CallError> {
        match self.client().may_worker_run(task).await? {
            operations::MayWorkerRunResponse::Status200(answer) => Ok(answer),
            other => Err(CallError::of_answer(other.problem())),
        }
    }

    /// Delivers one update, and sorts the answer for the outbox.
    pub async fn deliver(&self, task: Uuid, report: TaskReport) -> Answer {
        if let Some(frames) = report.frames {
            return self.deliver_frames(task, frames).await;
        }
        let log_position = match self.wire_position(report.log_position).await {
            Ok(position) => position,
            Err(error) => return self.answer_for(error),
        };
        let body = types::TaskUpdate {
            activity: report.activity,
            log: report.log,
            log_position,
            steps_completed: report.steps_completed,
            task_status: report.task_status.map(|status| match status {
                ReportedStatus::Active => types::TaskStatus::Active,
                ReportedStatus::Completed => types::TaskStatus::Completed,
                ReportedStatus::Failed => types::TaskStatus::Failed,
            }),
        };
        let client = self.client();
        let result = match client.task_update(task, &body).await {
            Ok(operations::TaskUpdateResponse::Status204) => return Answer::Accepted,
            Ok(operations::TaskUpdateResponse::Status503 { retry_after, body }) => {
                return Answer::TryLater { reason: body.message, after: seconds(retry_after) };
            }
            Ok(other) => CallError::of_answer(other.problem()),
            Err(error) => error.into(),
        };
        self.answer_for(result)
    }

    /// The place of a piece of log, for a manager that wants to know. Before the first piece it is asked whether it
    /// does: what a run before this one sent may come again.
    async fn wire_position(
        &self,
        position: Option<LogPosition>,
    ) -> Result<Option<types::LogPosition>, CallError> {
        let Some(LogPosition { stream, offset }) = position else { return Ok(None) };
        if !self.features_known()
            && let Err(error @ CallError::Unreachable(_)) = self.learn_features().await
        {
            return Err(error);
        }
        Ok(self.offers(Feature::LogPosition).then_some(types::LogPosition { stream, offset }))
    }

    fn answer_for(&self, error: CallError) -> Answer {
        if matches!(error, CallError::Denied(_)) {
            self.denied.notify_one();
        }
        answer_for(error)
    }

    fn name(&self) -> MutexGuard<'_, Option<String>> {
        // As below.
        self.name.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self) -> Client {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Client> {
        // The client is replaced in one assignment, so it is whole even after a panic.
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seconds(retry_after: Option<i64>) -> Option<Duration> {
    retry_after.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs)
}

fn wire_frame(report: FrameReport) -> types::FrameReport {
    types::FrameReport {
        frame: report.frame,
        path: report.path,
        state: match report.state {
            FrameState::Ok => types::FrameState::Ok,
            FrameState::Empty => types::FrameState::Empty,
            FrameState::Broken => types::FrameState::Broken,
            FrameState::Black => types::FrameState::Black,
            FrameState::Missing => types::FrameState::Missing,
            FrameState::Failed => types::FrameState::Failed,
        },
        rendered_at: report.rendered_at,
        existing: report.existing.then_some(true),
        render_ms: report.render_ms,
        save_ms: report.save_ms,
        peak_memory: report.peak_memory,
        file_size: report.file_size,
        width: report.width,
        height: report.height,
        engine: report.engine,
        samples: report.samples,
        message: report.message,
    }
}

impl From<types::AssignedTask> for Task {
    fn from(task: types::AssignedTask) -> Self {
        let command = |command: types::Command| Command {
            name: command.name,
            parameters: command.parameters,
            total_step_count: command.total_step_count,
        };
        Self {
            id: task.uuid,
            job: task.job,
            name: task.name,
            commands: task.commands.into_iter().map(command).collect(),
        }
    }
}

/// The name of the manager at that URL, for whoever does not know yet whether there is one.
///
/// # Errors
/// When nobody answers there, or not like a manager.
pub async fn manager_name(url: &str) -> Result<String, CallError> {
    let client = Client::builder(url).user_agent(format!("Flamenco/{}", software_version())).build()?;
    match client.get_version().await? {
        operations::GetVersionResponse::Status200(version) => Ok(version.name),
        other => Err(CallError::of_answer(other.problem())),
    }
}
