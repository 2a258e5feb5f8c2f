//! A farm on a bad day: simulated workers on a network that loses, repeats and delays what they say, while whoever
//! runs the test kills the manager.
//!
//! The workers speak the wire and do what a good worker does: they say everything again until it is answered, and
//! after a crash they sign on and take what they are given. What was answered with success is written down, and
//! [`Chaos::check`] compares it with what the manager has in the end.
//!
//! The seed decides what the workers do. How that meets the kills depends on the machine, so a seed gives the same bad
//! day again, but not to the millisecond.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use flamenco_api::operations::{
    FetchJobResponse, FetchJobTasksResponse, MayWorkerRunResponse, RegisterWorkerResponse, ScheduleTaskQuery,
    ScheduleTaskResponse, SubmitJobResponse,
};
use flamenco_api::types::{
    AssignedTask, JobStatus, LogPosition, TaskStatus, TaskUpdate, WorkerRegistration, WorkerSignOn,
    WorkerStateChanged, WorkerStatus,
};
use flamenco_client::Client;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use uuid::Uuid;

use crate::{PLAN_JOB_TYPE, TestManager};

/// Without any progress for this long, something hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// How bad the day is.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What the chances are drawn from.
    pub seed: u64,
    /// Simulated workers.
    pub workers: usize,
    /// Tasks of the job.
    pub tasks: usize,
    /// How often the manager is killed.
    pub kills: usize,
    /// Whether workers may lose their task, because the clock jumps over their timeout.
    pub timeouts: bool,
    /// How long a worker is silent before it reports, at most, in milliseconds.
    pub silence: u64,
}

impl Plan {
    /// This plan, but for what the environment says: `CHAOS_SEED`, `CHAOS_WORKERS`, `CHAOS_TASKS`, `CHAOS_KILLS`. A
    /// seed that nobody gave is drawn, and printed in any case.
    #[must_use]
    pub fn or_from_environment(mut self) -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let size = |name: &str, default: usize| {
            number(name).and_then(|number| usize::try_from(number).ok()).unwrap_or(default)
        };
        self.seed = number("CHAOS_SEED").unwrap_or_else(|| rand::rng().random());
        self.workers = size("CHAOS_WORKERS", self.workers);
        self.tasks = size("CHAOS_TASKS", self.tasks);
        self.kills = size("CHAOS_KILLS", self.kills);
        println!("{self:?}; to have this day again: CHAOS_SEED={}", self.seed);
        self
    }
}

/// What was answered with success, by a manager that must not forget it.
#[derive(Debug, Default)]
struct Acknowledged {
    /// Who completed a task.
    completed: HashMap<Uuid, Uuid>,
    /// Task and line of its log.
    logged: Vec<(Uuid, String)>,
    /// Who began each task, each time.
    taken: HashMap<Uuid, Vec<Uuid>>,
    /// What must not happen.
    violations: Vec<String>,
}

struct Shared {
    plan: Plan,
    /// Where the manager is at the moment.
    url: RwLock<String>,
    seen: Mutex<Acknowledged>,
    /// Completions so far.
    progress: AtomicUsize,
    over: AtomicBool,
}

/// The workers and their job.
pub struct Chaos {
    shared: Arc<Shared>,
    job: Uuid,
    workers: Vec<tokio::task::JoinHandle<()>>,
}

impl Chaos {
    /// Submits the job to the manager at `url`, and starts the workers.
    pub async fn start(plan: Plan, url: String) -> Self {
        let client = Client::builder(url.clone()).build().expect("a client");
        let tasks: serde_json::Value = (0..plan.tasks)
            .map(|number| {
                // Every tenth waits for the one before it; the steps show whether progress is kept.
                let after: Vec<usize> = if number % 10 == 9 { vec![number - 1] } else { vec![] };
                let commands = json!([{ "name": "c", "steps": 3 }]);
                json!({ "name": format!("t{number}"), "after": after, "commands": commands })
            })
            .collect();
        let submission = TestManager::submission("chaos", &tasks);
        let submission = serde_json::from_value(submission).expect("a submission");
        let job = match client.submit_job(&submission).await.expect("submitting") {
            SubmitJobResponse::Status200(job) => job.id,
            other => panic!("submitting a job of type {PLAN_JOB_TYPE}: {other:?}"),
        };
        let shared = Arc::new(Shared {
            plan,
            url: RwLock::new(url),
            seen: Mutex::default(),
            progress: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let workers = (0..plan.workers).map(|number| {
            let mut worker = Worker::new(Arc::clone(&shared), number);
            tokio::spawn(async move { worker.live().await })
        });
        Self { workers: workers.collect(), shared, job }
    }

    /// The manager was started again, there.
    pub fn moved(&self, url: String) {
        *self.shared.url.write().expect("nobody panicked") = url;
    }

    /// Waits until this share of the tasks is completed, from 0 to 1, as far as the workers know.
    pub async fn until_completed(&self, share: f64) {
        let wanted = (self.shared.plan.tasks as f64 * share) as usize;
        let (mut before, mut since) = (0, std::time::Instant::now());
        loop {
            let now = self.shared.progress.load(Ordering::SeqCst);
            if now >= wanted || self.workers.iter().all(tokio::task::JoinHandle::is_finished) {
                return;
            }
            if now > before {
                (before, since) = (now, std::time::Instant::now());
            }
            assert!(
                since.elapsed() < PATIENCE,
                "seed {}: nothing goes on after {now} of {} tasks",
                self.shared.plan.seed,
                self.shared.plan.tasks
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for the end of the job, then compares what the manager says and has in `storage` with what it answered.
    /// Gives the number of tasks that more than one worker began.
    pub async fn check(self, storage: &Path) -> usize {
        let client = Client::builder(self.shared.url.read().expect("nobody panicked").clone()).build();
        let client = client.expect("a client");
        self.until_the_end(&client).await;
        self.shared.over.store(true, Ordering::SeqCst);
        for worker in self.workers {
            worker.await.expect("a worker does not panic");
        }
        let seed = self.shared.plan.seed;
        let seen = std::mem::take(&mut *self.shared.seen.lock().expect("nobody panicked"));
        assert_eq!(seen.violations, Vec::<String>::new(), "seed {seed}");

        let tasks = match client.fetch_job_tasks(self.job, &Default::default()).await.expect("the tasks") {
            FetchJobTasksResponse::Status200(summary) => summary.tasks,
            other => panic!("{other:?}"),
        };
        assert_eq!(tasks.len(), self.shared.plan.tasks, "seed {seed}");
        for task in &tasks {
            assert_eq!(task.status, TaskStatus::Completed, "seed {seed}: {task:?}");
            if let Some(worker) = seen.completed.get(&task.id) {
                let has = task.worker.as_ref().map(|worker| worker.id.clone());
                assert_eq!(has, Some(worker.to_string()), "seed {seed}: who completed {task:?}");
            }
        }
        let lines = check_logs(&seen, storage, self.job, self.shared.plan);
        let several = |by: &&Vec<Uuid>| by.iter().collect::<BTreeSet<_>>().len() > 1;
        let begun_again = seen.taken.values().filter(several).count();
        let completed = tasks.len();
        println!(
            "{completed} tasks completed, {lines} acknowledged lines found, {begun_again} tasks begun by several"
        );
        begun_again
    }

    async fn until_the_end(&self, client: &Client) {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            if let Ok(FetchJobResponse::Status200(job)) = client.fetch_job(self.job).await {
                if job.status == JobStatus::Completed {
                    assert_eq!(job.steps_completed, job.steps_total, "seed {}", self.shared.plan.seed);
                    return;
                }
                let late = std::time::Instant::now() > deadline;
                assert!(!late, "seed {}: the job does not end: {job:?}", self.shared.plan.seed);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Finds every acknowledged line in the log of its task once, and each completion at most once. A log that
/// was begun anew, since the task was taken from its worker, is not looked at.
fn check_logs(seen: &Acknowledged, storage: &Path, job: Uuid, plan: Plan) -> usize {
    let seed = plan.seed;
    let folder = storage.join(format!("job-{}", &job.to_string()[..4])).join(job.to_string());
    let mut logs: BTreeMap<Uuid, String> = BTreeMap::new();
    let mut found = 0;
    for (task, line) in &seen.logged {
        if plan.timeouts && seen.taken.get(task).is_some_and(|by| by.len() > 1) {
            continue;
        }
        let log = logs.entry(*task).or_insert_with(|| {
            let file = folder.join(format!("task-{task}.txt"));
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        });
        let times = log.lines().filter(|is| is == line).count();
        assert_eq!(times, 1, "seed {seed}: how often {line:?} is in the log of {task}:\n{log}");
        found += 1;
    }
    for (task, log) in logs {
        let times = log.matches("active -> completed").count();
        assert!(times <= 1, "seed {seed}: {task} was completed {times} times:\n{log}");
    }
    found
}

/// What became of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answered {
    Accepted,
    /// The task is not this worker's any more.
    Refused,
    /// All is over.
    Never,
}

/// One simulated worker.
struct Worker {
    shared: Arc<Shared>,
    random: StdRng,
    number: usize,
    /// Where its next line belongs in all that it logs.
    position: LogPosition,
    /// What was answered long ago, and is on its way once more.
    stale: Vec<(Uuid, TaskUpdate)>,
    id: Option<Uuid>,
    secret: String,
    url: String,
    client: Client,
}

impl Worker {
    fn new(shared: Arc<Shared>, number: usize) -> Self {
        let url = shared.url.read().expect("nobody panicked").clone();
        Self {
            random: StdRng::seed_from_u64(shared.plan.seed.wrapping_add(number as u64)),
            client: Client::builder(url.clone()).build().expect("a client"),
            number,
            position: LogPosition { stream: Uuid::new_v4(), offset: 0 },
            stale: Vec::new(),
            id: None,
            secret: format!("secret of {number}"),
            url,
            shared,
        }
    }

    fn is_over(&self) -> bool {
        self.shared.over.load(Ordering::SeqCst)
    }

    fn violation(&self, what: String) {
        let what = format!("worker {}: {what}", self.number);
        self.shared.seen.lock().expect("nobody panicked").violations.push(what);
    }

    /// A client for where the manager is now.
    fn client(&mut self) -> Client {
        let url = self.shared.url.read().expect("nobody panicked").clone();
        if url != self.url {
            self.url.clone_from(&url);
            let client = Client::builder(url).build().expect("a client");
            self.client = match self.id {
                Some(id) => client.with_credentials(id.to_string(), &self.secret),
                None => client,
            };
        }
        self.client.clone()
    }

    async fn pause(&mut self, longest: u64) {
        let pause = self.random.random_range(0..=longest);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    async fn live(&mut self) {
        self.register().await;
        self.sign_on().await;
        while !self.is_over() {
            self.send_something_stale().await;
            let client = self.client();
            let asked = client.schedule_task(&ScheduleTaskQuery { wait: Some(1) });
            // Sometimes the answer gets lost; the task is this worker's all the same.
            let answer = if self.random.random_bool(0.05) {
                tokio::time::timeout(Duration::from_millis(self.random.random_range(0..10)), asked).await
            } else {
                Ok(asked.await)
            };
            match answer {
                Ok(Ok(ScheduleTaskResponse::Status200(task))) => self.run(&task).await,
                Ok(Ok(ScheduleTaskResponse::Status204)) | Err(_) => {}
                // It was taken for dead.
                Ok(Ok(ScheduleTaskResponse::Status409(_) | ScheduleTaskResponse::Status423(_))) => {
                    self.sign_on().await;
                }
                Ok(Ok(other)) if other.status().as_u16() == 503 => self.pause(50).await,
                Ok(Ok(other)) => self.violation(format!("asks for work: {other:?}")),
                Ok(Err(_)) => self.pause(50).await,
            }
        }
    }

    async fn register(&mut self) {
        let body = WorkerRegistration {
            name: format!("chaos {}", self.number),
            platform: "linux".to_owned(),
            secret: self.secret.clone(),
            supported_task_types: vec!["blender".to_owned()],
        };
        while !self.is_over() {
            let client = self.client();
            match client.register_worker(&body).await {
                Ok(RegisterWorkerResponse::Status200(worker)) => {
                    self.id = Some(worker.uuid);
                    self.client = client.with_credentials(worker.uuid.to_string(), &self.secret);
                    return;
                }
                Ok(other) if other.status().as_u16() != 503 => {
                    self.violation(format!("registers: {other:?}"))
                }
                _ => self.pause(50).await,
            }
        }
    }

    async fn sign_on(&mut self) {
        let body = WorkerSignOn {
            name: format!("chaos {}", self.number),
            software_version: "0".to_owned(),
            can_restart: None,
            supported_task_types: vec!["blender".to_owned()],
        };
        let awake = WorkerStateChanged { status: WorkerStatus::Awake };
        while !self.is_over() {
            let client = self.client();
            if client.sign_on(&body).await.is_ok_and(|answer| answer.status().is_success())
                && client.worker_state_changed(&awake).await.is_ok_and(|answer| answer.status().is_success())
            {
                return;
            }
            self.pause(50).await;
        }
    }

    /// Runs a task as a good worker does, unless it crashes.
    async fn run(&mut self, task: &AssignedTask) {
        let me = self.id.unwrap_or_default();
        self.shared.seen.lock().expect("nobody panicked").taken.entry(task.uuid).or_default().push(me);
        let status = |status| TaskUpdate { task_status: Some(status), ..TaskUpdate::default() };
        let mut updates = vec![status(TaskStatus::Active)];
        for steps in 1..3 {
            let line = format!("line at {} of worker {}\n", self.position.offset, self.number);
            let (log_position, steps_completed) = (Some(self.position.clone()), Some(steps));
            self.position.offset += i64::try_from(line.len()).expect("a line is short");
            let log = Some(line);
            updates.push(TaskUpdate { log, log_position, steps_completed, ..TaskUpdate::default() });
        }
        updates.push(status(TaskStatus::Completed));
        for update in updates {
            self.pause(self.shared.plan.silence).await;
            if self.random.random_bool(0.01) {
                // It forgets all about the task, and is given it again when it asks.
                return self.sign_on().await;
            }
            if self.random.random_bool(0.1) && !self.may_run(task).await {
                return;
            }
            match self.deliver(task.uuid, &update).await {
                Answered::Accepted => self.note(task.uuid, me, &update),
                Answered::Refused if self.shared.plan.timeouts => return,
                Answered::Refused => {
                    return self.violation(format!("{update:?} for its own {task:?} is refused"));
                }
                Answered::Never => return,
            }
        }
    }

    /// Writes down what was acknowledged.
    fn note(&mut self, task: Uuid, me: Uuid, update: &TaskUpdate) {
        let mut seen = self.shared.seen.lock().expect("nobody panicked");
        seen.logged.extend(update.log.iter().map(|line| (task, line.trim_end().to_owned())));
        if update.task_status == Some(TaskStatus::Completed) {
            match seen.completed.insert(task, me) {
                Some(other) if other != me => {
                    seen.violations.push(format!("{task} was completed by {other} and by {me}"));
                }
                _ => {}
            }
            self.shared.progress.store(seen.completed.len(), Ordering::SeqCst);
        }
        drop(seen);
        if self.random.random_bool(0.05) {
            self.stale.push((task, update.clone()));
        }
    }

    async fn may_run(&mut self, task: &AssignedTask) -> bool {
        match self.client().may_worker_run(task.uuid).await {
            Ok(MayWorkerRunResponse::Status200(answer)) => {
                if !answer.may_keep_running && !self.shared.plan.timeouts {
                    self.violation(format!("may not go on with {task:?}: {answer:?}"));
                }
                answer.may_keep_running
            }
            // Nobody said no.
            _ => true,
        }
    }

    /// Says something until it is answered, on a network that loses, delays and repeats.
    async fn deliver(&mut self, task: Uuid, update: &TaskUpdate) -> Answered {
        while !self.is_over() {
            let chance = self.random.random_range(0..100);
            let client = self.client();
            if chance < 5 {
                // Lost on its way there.
                self.pause(10).await;
                continue;
            }
            if chance < 10 {
                // Lost on its way back: whether it arrived is unknown.
                let patience = Duration::from_micros(self.random.random_range(0..5_000));
                let _ = tokio::time::timeout(patience, client.task_update(task, update)).await;
                continue;
            }
            if chance < 20 {
                self.pause(30).await;
            }
            let status = match client.task_update(task, update).await {
                Ok(answer) => answer.status().as_u16(),
                Err(_) => {
                    self.pause(50).await;
                    continue;
                }
            };
            match status {
                204 if chance >= 90 => {
                    self.repeat(task, update).await;
                    return Answered::Accepted;
                }
                204 => return Answered::Accepted,
                409 => return Answered::Refused,
                503 => self.pause(50).await,
                other => self.violation(format!("{update:?} is answered with {other}")),
            }
        }
        Answered::Never
    }

    /// The same once more. Nothing may change.
    async fn repeat(&mut self, task: Uuid, update: &TaskUpdate) {
        if let Ok(answer) = self.client().task_update(task, update).await
            && !matches!(answer.status().as_u16(), 204 | 409 | 503)
        {
            self.violation(format!("{update:?} once more is answered with {}", answer.status()));
        }
    }

    async fn send_something_stale(&mut self) {
        if !self.stale.is_empty() && self.random.random_bool(0.2) {
            let which = self.random.random_range(0..self.stale.len());
            let (task, update) = self.stale.swap_remove(which);
            self.repeat(task, &update).await;
        }
    }
}
