//! A small manager over real HTTP that keeps state like a real one, and can be told to misbehave.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a test waits for what takes a moment: a busy machine takes longer.
const PATIENCE: Duration = Duration::from_secs(90);

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Answer with this status, and do nothing.
    Status(u16),
    /// Answer with this status and a web page, as a proxy does, and do nothing.
    Page(u16),
    /// Do it, but cut the connection before the answer.
    LoseAnswer,
    /// Do it, but late.
    Slow(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    Queued,
    Active,
    Ended,
    /// Taken away from the worker, by a cancellation for example.
    Revoked,
}

#[derive(Debug)]
pub struct FakeTask {
    pub id: Uuid,
    pub state: TaskState,
    pub commands: Value,
    pub updates: Vec<Value>,
}

#[derive(Debug, Default)]
pub struct Farm {
    pub workers: HashMap<String, String>,
    pub registrations: Vec<Value>,
    pub sign_ons: Vec<Value>,
    pub status: String,
    pub requested: Option<String>,
    pub tasks: Vec<FakeTask>,
    /// Every request: method, path without ids, time.
    pub calls: Vec<(String, Instant)>,
    pub faults: HashMap<&'static str, VecDeque<Fault>>,
    /// Log lines that contain this are refused with 400.
    pub refused_log: Option<String>,
    /// Where this manager says that the shared storage is. A stock one does not.
    pub shared_storage: Option<String>,
    /// What this manager says it offers beyond the common protocol. A stock one says nothing.
    pub features: Option<Vec<&'static str>>,
    /// Frames that were reported, as they came.
    pub frames: Vec<(Uuid, Value)>,
    /// How far frames were said to be, as it came.
    pub progress: Vec<(Uuid, Value)>,
    /// Pictures that were sent.
    pub pictures: Vec<(Uuid, Vec<u8>)>,
    /// Reports about the machine.
    pub machine: Vec<Value>,
    /// Pieces of the worker's own log.
    pub log: Vec<Value>,
    /// Hold requests for a task open, as our manager does and a stock one does not.
    pub holds: bool,
}

impl Farm {
    pub fn count(&self, operation: &str) -> usize {
        self.calls.iter().filter(|(name, _)| name == operation).count()
    }

    pub fn task(&self, id: Uuid) -> &FakeTask {
        self.tasks.iter().find(|task| task.id == id).unwrap()
    }

    fn task_mut(&mut self, id: Uuid) -> Option<&mut FakeTask> {
        self.tasks.iter_mut().find(|task| task.id == id)
    }
}

impl FakeTask {
    pub fn log(&self) -> String {
        self.updates.iter().filter_map(|update| update["log"].as_str()).collect()
    }

    pub fn statuses(&self) -> Vec<&str> {
        self.updates.iter().filter_map(|update| update["taskStatus"].as_str()).collect()
    }

    pub fn steps(&self) -> Vec<i64> {
        self.updates.iter().filter_map(|update| update["steps_completed"].as_i64()).collect()
    }
}

/// The server, behind a line that can be cut.
#[derive(Debug, Clone)]
pub struct FakeManager {
    farm: Arc<Mutex<Farm>>,
    changed: Arc<Notify>,
    line: Arc<Mutex<Line>>,
    server: SocketAddr,
    pub address: SocketAddr,
}

#[derive(Debug, Default)]
struct Line {
    is_cut: bool,
    connections: CancellationToken,
}

impl FakeManager {
    pub async fn start() -> Self {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let farm = Farm { holds: true, status: "offline".to_owned(), ..Farm::default() };
        let manager = Self {
            farm: Arc::new(Mutex::new(farm)),
            changed: Arc::new(Notify::new()),
            line: Arc::default(),
            server: server.local_addr().unwrap(),
            address: line.local_addr().unwrap(),
        };
        tokio::spawn(manager.clone().carry(line, manager.server));
        let router = manager.router();
        tokio::spawn(async move { axum::serve(server, router).await.unwrap() });
        manager
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn farm(&self) -> MutexGuard<'_, Farm> {
        self.farm.lock().unwrap()
    }

    /// Queues a task; `commands` are pairs of name and parameters.
    pub fn add_task(&self, commands: &[(&str, Value)]) -> Uuid {
        let commands = commands
            .iter()
            .map(|(name, parameters)| json!({"name": name, "parameters": parameters, "total_step_count": 0}));
        let task = FakeTask {
            id: Uuid::new_v4(),
            state: TaskState::Queued,
            commands: commands.collect(),
            updates: Vec::new(),
        };
        let id = task.id;
        self.farm().tasks.push(task);
        self.changed.notify_waiters();
        id
    }

    pub fn add_script(&self, script: &str) -> Uuid {
        self.add_task(&[("exec", json!({"exe": "/bin/sh", "args": ["-c", script]}))])
    }

    pub fn request_status(&self, status: &str) {
        self.farm().requested = Some(status.to_owned());
        self.changed.notify_waiters();
    }

    pub fn fail_next(&self, operation: &'static str, faults: impl IntoIterator<Item = Fault>) {
        self.farm().faults.entry(operation).or_default().extend(faults);
    }

    /// Cuts every connection, and refuses new ones.
    pub fn cut(&self) {
        let mut line = self.line.lock().unwrap();
        line.is_cut = true;
        std::mem::take(&mut line.connections).cancel();
    }

    /// Cuts the line for good, and lays another one; returns its address.
    pub async fn move_away(&self) -> SocketAddr {
        self.cut();
        let line = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = line.local_addr().unwrap();
        let moved = Self { line: Arc::default(), address, ..self.clone() };
        tokio::spawn(moved.carry(line, self.server));
        address
    }

    pub fn restore(&self) {
        self.line.lock().unwrap().is_cut = false;
    }

    fn lose_connections(&self) {
        std::mem::take(&mut self.line.lock().unwrap().connections).cancel();
    }

    /// Waits until something is so.
    pub async fn until<T>(&self, what: &str, mut look: impl FnMut(&Farm) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = look(&self.farm()) {
                    return found;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        match timeout(PATIENCE, found).await {
            Ok(found) => found,
            Err(_) => panic!("waited in vain until {what}: {:#?}", self.farm()),
        }
    }

    pub async fn until_ended(&self, task: Uuid) {
        self.until("the task has ended", |farm| (farm.task(task).state == TaskState::Ended).then_some(()))
            .await;
    }

    async fn carry(self, line: TcpListener, server: SocketAddr) {
        loop {
            let (mut near, _) = line.accept().await.unwrap();
            let connection = {
                let line = self.line.lock().unwrap();
                if line.is_cut {
                    continue;
                }
                line.connections.clone()
            };
            tokio::spawn(async move {
                let mut far = TcpStream::connect(server).await.unwrap();
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    () = connection.cancelled() => {}
                }
            });
        }
    }

    fn router(&self) -> Router {
        Router::new()
            .route("/api/v3/worker/register-worker", post(register))
            .route("/api/v3/worker/sign-on", post(sign_on))
            .route("/api/v3/worker/sign-off", post(sign_off))
            .route("/api/v3/worker/state", get(worker_state))
            .route("/api/v3/worker/state-changed", post(state_changed))
            .route("/api/v3/worker/task", post(schedule_task))
            .route("/api/v3/worker/task/{task}", post(task_update))
            .route("/api/v3/worker/task/{task}/frames", post(frames))
            .route("/api/v3/worker/task/{task}/frame-progress", post(frame_progress))
            .route("/api/v3/worker/task/{task}/output-produced", post(output_produced))
            .route("/api/v3/worker/machine", post(machine))
            .route("/api/v3/worker/log", post(worker_log))
            .route("/api/v3/version", get(version))
            .route("/api/v3/worker/task/{task}/may-i-run", get(may_i_run))
            .layer(middleware::from_fn_with_state(self.clone(), intercept))
            .with_state(self.clone())
    }
}

/// Takes note of every request, checks who asks, and makes things go wrong.
async fn intercept(State(manager): State<FakeManager>, request: Request, next: Next) -> Response {
    let operation = match request.uri().path().trim_start_matches("/api/v3/worker/") {
        "/api/v3/version" => "version",
        path if path.ends_with("/may-i-run") => "may-i-run",
        path if path.ends_with("/frames") => "frames",
        path if path.ends_with("/frame-progress") => "frame-progress",
        path if path.ends_with("/output-produced") => "picture",
        "machine" => "machine",
        "log" => "log",
        path if path.starts_with("task/") => "task-update",
        "register-worker" => "register",
        "sign-on" => "sign-on",
        "sign-off" => "sign-off",
        "state" => "state",
        "state-changed" => "state-changed",
        "task" => "fetch",
        other => panic!("unknown path {other}"),
    };
    let fault = {
        let mut farm = manager.farm();
        farm.calls.push((operation.to_owned(), Instant::now()));
        farm.faults.get_mut(operation).and_then(VecDeque::pop_front)
    };
    match fault {
        Some(Fault::Status(status)) => return answer_error(status, "as told by the test"),
        Some(Fault::Page(status)) => {
            let page = "<html><h1>Nothing to see here</h1></html>";
            return (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, "text/html")], page)
                .into_response();
        }
        Some(Fault::Slow(delay)) => sleep(delay).await,
        _ => {}
    }
    if !matches!(operation, "register" | "version") && !is_known(&manager.farm(), request.headers()) {
        return (StatusCode::FORBIDDEN, Json(json!({"message": "unknown worker"}))).into_response();
    }
    let response = next.run(request).await;
    if matches!(fault, Some(Fault::LoseAnswer)) {
        manager.lose_connections();
        sleep(Duration::from_millis(100)).await;
    }
    response
}

fn answer_error(status: u16, message: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(json!({"code": status, "message": message}))).into_response()
}

fn is_known(farm: &Farm, headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    farm.workers.iter().any(|(id, secret)| given == format!("Basic {}", base64(&format!("{id}:{secret}"))))
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |bytes: &[u8]| {
        let bits = (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(*bytes.get(at).unwrap_or(&0)));
        (0..4)
            .map(move |at| (at, bits))
            .map(|(at, bits)| char::from(DIGITS[bits >> (18 - 6 * at) & 63]))
            .enumerate()
            .map(|(at, digit)| if at <= bytes.len() { digit } else { '=' })
            .collect::<String>()
    };
    text.as_bytes().chunks(3).map(group).collect()
}

async fn register(State(manager): State<FakeManager>, Json(body): Json<Value>) -> Json<Value> {
    let id = Uuid::new_v4().to_string();
    let mut farm = manager.farm();
    farm.workers.insert(id.clone(), body["secret"].as_str().unwrap().to_owned());
    farm.registrations.push(body.clone());
    Json(json!({
        "uuid": id, "name": body["name"], "address": "127.0.0.1", "status": "offline", "platform": body["platform"],
        "software": "", "supported_task_types": body["supported_task_types"],
    }))
}

async fn sign_on(State(manager): State<FakeManager>, Json(body): Json<Value>) -> Json<Value> {
    let mut farm = manager.farm();
    farm.sign_ons.push(body);
    farm.status = "starting".to_owned();
    let mut answer = json!({"status_requested": farm.requested.clone().unwrap_or("awake".to_owned())});
    if let Some(place) = &farm.shared_storage {
        answer["shared_storage"] = json!(place);
    }
    Json(answer)
}

async fn sign_off(State(manager): State<FakeManager>) -> StatusCode {
    let mut farm = manager.farm();
    farm.status = "offline".to_owned();
    if matches!(farm.requested.as_deref(), Some("offline" | "restart")) {
        farm.requested = None;
    }
    for task in &mut farm.tasks {
        if task.state == TaskState::Active {
            task.state = TaskState::Queued;
        }
    }
    StatusCode::NO_CONTENT
}

async fn worker_state(State(manager): State<FakeManager>) -> Response {
    match &manager.farm().requested {
        Some(status) => Json(json!({"status_requested": status})).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

async fn state_changed(State(manager): State<FakeManager>, Json(body): Json<Value>) -> StatusCode {
    let mut farm = manager.farm();
    farm.status = body["status"].as_str().unwrap().to_owned();
    if farm.requested.as_ref() == Some(&farm.status) {
        farm.requested = None;
    }
    StatusCode::NO_CONTENT
}

async fn schedule_task(
    State(manager): State<FakeManager>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let wait = match manager.farm().holds {
        true => Duration::from_secs(query.get("wait").map_or(0, |wait| wait.parse().unwrap())),
        false => Duration::ZERO,
    };
    let deadline = Instant::now() + wait;
    loop {
        let changed = manager.changed.notified();
        if let Some(answer) = next_task(&mut manager.farm()) {
            return answer;
        }
        if tokio::time::timeout_at(deadline, changed).await.is_err() {
            return StatusCode::NO_CONTENT.into_response();
        }
    }
}

fn next_task(farm: &mut Farm) -> Option<Response> {
    if let Some(requested) = &farm.requested {
        return Some((StatusCode::LOCKED, Json(json!({"status_requested": requested}))).into_response());
    }
    if farm.status != "awake" {
        return Some(answer_error(409, "not awake"));
    }
    let states = [TaskState::Active, TaskState::Queued];
    let task = states.iter().find_map(|state| farm.tasks.iter().position(|task| task.state == *state))?;
    let task = &mut farm.tasks[task];
    task.state = TaskState::Active;
    Some(
        Json(json!({
            "uuid": task.id, "job": Uuid::nil(), "name": "test", "status": "active", "priority": 50,
            "job_priority": 50, "job_type": "test", "task_type": "misc", "commands": task.commands,
            "steps_completed": 0, "steps_total": 1,
        }))
        .into_response(),
    )
}

async fn task_update(
    State(manager): State<FakeManager>,
    Path(id): Path<Uuid>,
    Json(update): Json<Value>,
) -> Response {
    let mut farm = manager.farm();
    let log = update["log"].as_str().unwrap_or_default();
    if farm.refused_log.as_deref().is_some_and(|refused| log.contains(refused)) {
        return answer_error(400, "this log is refused");
    }
    match farm.task_mut(id) {
        Some(task) if task.state == TaskState::Active => {
            if matches!(update["taskStatus"].as_str(), Some("completed" | "failed")) {
                task.state = TaskState::Ended;
            }
            task.updates.push(update);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => answer_error(409, "not your task"),
    }
}

async fn version(State(manager): State<FakeManager>) -> Json<Value> {
    let mut version = json!({"name": "Fake", "version": "3.9", "shortversion": "3.9", "git": "v3.9"});
    if let Some(features) = &manager.farm().features {
        version["features"] = json!(features);
    }
    Json(version)
}

async fn frames(
    State(manager): State<FakeManager>,
    Path(id): Path<Uuid>,
    Json(body): Json<Value>,
) -> StatusCode {
    let frames = body["frames"].as_array().unwrap().iter().cloned();
    manager.farm().frames.extend(frames.map(|frame| (id, frame)));
    StatusCode::NO_CONTENT
}

async fn frame_progress(
    State(manager): State<FakeManager>,
    Path(id): Path<Uuid>,
    Json(body): Json<Value>,
) -> StatusCode {
    manager.farm().progress.push((id, body));
    StatusCode::NO_CONTENT
}

async fn output_produced(
    State(manager): State<FakeManager>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> StatusCode {
    assert_eq!(headers[header::CONTENT_TYPE], "image/jpeg");
    assert_eq!(headers[header::CONTENT_LENGTH].to_str().unwrap(), body.len().to_string());
    manager.farm().pictures.push((id, body.to_vec()));
    StatusCode::ACCEPTED
}

async fn worker_log(State(manager): State<FakeManager>, Json(body): Json<Value>) -> StatusCode {
    manager.farm().log.push(body);
    StatusCode::NO_CONTENT
}

async fn machine(State(manager): State<FakeManager>, Json(body): Json<Value>) -> StatusCode {
    manager.farm().machine.push(body);
    StatusCode::NO_CONTENT
}

async fn may_i_run(State(manager): State<FakeManager>, Path(id): Path<Uuid>) -> Json<Value> {
    let farm = manager.farm();
    let status_change = farm.requested.is_some();
    let active = farm.tasks.iter().any(|task| task.id == id && task.state == TaskState::Active);
    let reason = if status_change {
        "worker status change requested"
    } else if active {
        ""
    } else {
        "task is not active"
    };
    Json(json!({
        "mayKeepRunning": active && !status_change, "reason": reason, "statusChangeRequested": status_change,
    }))
}
