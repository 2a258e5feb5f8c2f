//! A worker that speaks the wire and runs nothing.

use std::str::FromStr;

use flamenco_client::Client;
use flamenco_client::api::operations::{
    MayWorkerRunResponse, RegisterWorkerResponse, ScheduleTaskQuery, ScheduleTaskResponse, SignOnResponse,
};
use flamenco_client::api::types::{
    AssignedTask, MayKeepRunning, TaskStatus, TaskUpdate, WorkerRegistration, WorkerSignOn,
    WorkerStateChanged, WorkerStatus,
};
use uuid::Uuid;

use crate::TestManager;

/// A registered worker with its credentials.
#[derive(Debug, Clone)]
pub struct FakeWorker {
    /// Its id.
    pub id: Uuid,
    /// Its secret.
    pub secret: String,
    /// Its name.
    pub name: String,
    /// Task types it runs.
    pub task_types: Vec<String>,
    /// A client with its credentials.
    pub client: Client,
}

impl FakeWorker {
    /// Registers a worker on Linux, which is not signed on yet.
    pub async fn register(manager: &TestManager, name: &str, task_types: &[&str]) -> Self {
        Self::register_on(manager, name, "linux", task_types).await
    }

    /// Registers a worker on a platform.
    pub async fn register_on(manager: &TestManager, name: &str, platform: &str, task_types: &[&str]) -> Self {
        let (client, secret) = (manager.client(), Uuid::new_v4().to_string());
        let task_types: Vec<String> = task_types.iter().map(|&name| name.to_owned()).collect();
        let body = WorkerRegistration {
            name: name.to_owned(),
            platform: platform.to_owned(),
            secret: secret.clone(),
            supported_task_types: task_types.clone(),
        };
        let id = match client.register_worker(&body).await.expect("registering") {
            RegisterWorkerResponse::Status200(worker) => worker.uuid,
            other => panic!("registering {name}: {other:?}"),
        };
        let client = client.with_credentials(id.to_string(), &secret);
        Self { id, secret, name: name.to_owned(), task_types, client }
    }

    /// The same worker, talking to a manager that was started again.
    #[must_use]
    pub fn reconnected(&self, manager: &TestManager) -> Self {
        let client = manager.client().with_credentials(self.id.to_string(), &self.secret);
        Self { client, ..self.clone() }
    }

    /// Signs on; gives the status that it should take.
    pub async fn sign_on(&self) -> WorkerStatus {
        self.sign_on_as(false).await
    }

    /// Signs on, saying whether it can restart; gives the status that it should take.
    pub async fn sign_on_as(&self, can_restart: bool) -> WorkerStatus {
        let body = WorkerSignOn {
            name: self.name.clone(),
            software_version: "1.2.3".to_owned(),
            can_restart: Some(can_restart),
            supported_task_types: self.task_types.clone(),
        };
        match self.client.sign_on(&body).await.expect("signing on") {
            SignOnResponse::Status200(wanted) => wanted.status_requested,
            other => panic!("{} signs on: {other:?}", self.name),
        }
    }

    /// Says which status it is in.
    pub async fn report_status(&self, status: WorkerStatus) {
        let answer = self.client.worker_state_changed(&WorkerStateChanged { status }).await;
        assert_eq!(
            answer.expect("reporting a status").status().as_u16(),
            204,
            "{} reports {status}",
            self.name
        );
    }

    /// Signs on and reports to be awake.
    pub async fn wake_up(&self) {
        assert_eq!(self.sign_on().await, WorkerStatus::Awake);
        self.report_status(WorkerStatus::Awake).await;
    }

    /// Signs off.
    pub async fn sign_off(&self) {
        assert_eq!(self.client.sign_off().await.expect("signing off").status().as_u16(), 204);
    }

    /// Asks for work, and waits for it at most this many seconds.
    pub async fn ask(&self, wait: Option<i64>) -> ScheduleTaskResponse {
        self.client.schedule_task(&ScheduleTaskQuery { wait }).await.expect("asking for work")
    }

    /// Asks for work; `None` when there is nothing to do.
    pub async fn take_if_any(&self) -> Option<AssignedTask> {
        match self.ask(None).await {
            ScheduleTaskResponse::Status200(task) => Some(task),
            ScheduleTaskResponse::Status204 => None,
            other => panic!("{} asks for work: {other:?}", self.name),
        }
    }

    /// Asks for work, which there must be.
    pub async fn take(&self) -> AssignedTask {
        let task = self.take_if_any().await;
        task.unwrap_or_else(|| panic!("there is no work for {}", self.name))
    }

    /// Reports about a task; gives the HTTP status of the answer.
    pub async fn report(&self, task: Uuid, update: &TaskUpdate) -> u16 {
        self.client.task_update(task, update).await.expect("reporting").status().as_u16()
    }

    /// Reports the status of a task; gives the HTTP status of the answer.
    pub async fn report_task(&self, task: Uuid, status: &str) -> u16 {
        let task_status = Some(TaskStatus::from_str(status).expect("a task status"));
        self.report(task, &TaskUpdate { task_status, ..TaskUpdate::default() }).await
    }

    /// Reports text for a task's log; gives the HTTP status of the answer.
    pub async fn log(&self, task: Uuid, text: &str) -> u16 {
        let log = Some(text.to_owned());
        self.report(task, &TaskUpdate { log, ..TaskUpdate::default() }).await
    }

    /// Completes a task.
    pub async fn complete(&self, task: &AssignedTask) {
        assert_eq!(
            self.report_task(task.uuid, "completed").await,
            204,
            "{} completes {}",
            self.name,
            task.name
        );
    }

    /// Fails a task.
    pub async fn fail(&self, task: &AssignedTask) {
        assert_eq!(self.report_task(task.uuid, "failed").await, 204, "{} fails {}", self.name, task.name);
    }

    /// Asks whether it may go on with a task.
    pub async fn may_run(&self, task: Uuid) -> MayKeepRunning {
        match self.client.may_worker_run(task).await.expect("asking") {
            MayWorkerRunResponse::Status200(answer) => answer,
            other => panic!("{} asks whether it may go on: {other:?}", self.name),
        }
    }
}
