//! The manager under test.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use flamenco_domain::clock::FakeClock;
use flamenco_domain::ids::JobId;
use flamenco_domain::job::JobStatus;
use flamenco_manager_core::config::{Config, Environment};
use flamenco_manager_core::{Parts, Versions};
use flamenco_store::recount;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::jobs;
use crate::storage::Storage;

/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The time at which every fake clock starts, in microseconds since 1970: 2026-01-02 03:04:05 UTC.
pub(crate) const START: i64 = 1_767_323_045_000_000;

/// Describes a manager that is to be started.
pub struct Builder {
    backend: Backend,
    yaml: String,
    scripts: Vec<(String, String)>,
    change: Option<Change>,
}

/// What a test wants different about the parts of a manager.
type Change = Box<dyn Fn(&mut Parts) + Send + Sync>;

enum Backend {
    Sqlite,
    Postgres(String),
}

impl Builder {
    fn new(backend: Backend) -> Self {
        Self { backend, yaml: String::new(), scripts: Vec::new(), change: None }
    }

    /// Adds lines to the configuration: whole top-level keys.
    #[must_use]
    pub fn with_yaml(mut self, yaml: &str) -> Self {
        self.yaml.push_str(yaml);
        self.yaml.push('\n');
        self
    }

    /// Adds a job type; `file` ends in `.js`.
    #[must_use]
    pub fn with_script(mut self, file: &str, source: &str) -> Self {
        self.scripts.push((file.to_owned(), source.to_owned()));
        self
    }

    /// Changes what the manager is made of, at every start.
    #[must_use]
    pub fn with_parts(mut self, change: impl Fn(&mut Parts) + Send + Sync + 'static) -> Self {
        self.change = Some(Box::new(change));
        self
    }

    /// Starts it and waits until it answers.
    pub async fn start(self) -> TestManager {
        crate::log::start();
        let storage = match &self.backend {
            Backend::Sqlite => Storage::sqlite(),
            Backend::Postgres(url) => Storage::postgres(url).await,
        };
        let scripts = storage.folder().join("scripts");
        std::fs::create_dir(&scripts).expect("a folder for scripts");
        let plan = (jobs::PLAN_FILE.to_owned(), jobs::PLAN_SCRIPT.to_owned());
        for (file, source) in self.scripts.iter().chain([&plan]) {
            std::fs::write(scripts.join(file), source).expect("writing a script");
        }
        let mut manager = TestManager {
            running: None,
            clock: FakeClock::at(DateTime::from_timestamp_micros(START).expect("a time")),
            http: crate::plain_http()
                .redirect(reqwest::redirect::Policy::none())
                .timeout(PATIENCE)
                .build()
                .expect("an HTTP client"),
            yaml: self.yaml,
            change: self.change,
            storage,
        };
        manager.start_again().await;
        manager
    }
}

/// A configuration for tests: these lines, and what they do not say.
pub(crate) fn config(storage: &Storage, lines: &str) -> Config {
    let mut yaml = lines.to_owned();
    let defaults = [
        ("database", storage.database()),
        ("local_manager_storage_path", "local".to_owned()),
        ("shared_storage_path", "shared".to_owned()),
        ("scripts_paths", "[scripts]".to_owned()),
        ("autodiscoverable", "false".to_owned()),
    ];
    for (key, value) in defaults {
        if !lines.lines().any(|line| line.starts_with(&format!("{key}:"))) {
            writeln!(yaml, "{key}: {value}").expect("writing to a text");
        }
    }
    let file = storage.folder().join("flamenco-manager.yaml");
    let loaded = Config::parse(&yaml, &file, &Environment::default());
    loaded.unwrap_or_else(|error| panic!("the configuration of the test is wrong: {error}\n{yaml}")).config
}

/// A running manager, and what it leaves behind when it is stopped.
pub struct TestManager {
    running: Option<Running>,
    clock: FakeClock,
    pub(crate) http: reqwest::Client,
    yaml: String,
    change: Option<Change>,
    storage: Storage,
}

/// One run of the manager, on threads of its own, so that it can be killed.
struct Running {
    address: SocketAddr,
    cancel: CancellationToken,
    ended: JoinHandle<Result<(), String>>,
    runtime: Option<Runtime>,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for it is not possible here: this may run on a thread of another runtime.
            runtime.shutdown_background();
        }
    }
}

impl TestManager {
    /// With a fresh SQLite file.
    #[must_use]
    pub fn sqlite() -> Builder {
        Builder::new(Backend::Sqlite)
    }

    /// With a fresh schema of PostgreSQL; `None` without `TEST_DATABASE_URL`.
    #[must_use]
    pub fn postgres() -> Option<Builder> {
        let url = std::env::var("TEST_DATABASE_URL").ok().filter(|url| !url.is_empty())?;
        Some(Builder::new(Backend::Postgres(url)))
    }

    /// One of each that there is.
    #[must_use]
    pub fn each() -> Vec<Builder> {
        std::iter::once(Self::sqlite()).chain(Self::postgres()).collect()
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub const fn backend(&self) -> &'static str {
        self.storage.backend()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.running.as_ref().expect("the manager runs").address
    }

    /// Its URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// A typed client without credentials.
    #[must_use]
    pub fn client(&self) -> flamenco_client::Client {
        flamenco_client::Client::builder(self.url()).build().expect("a client")
    }

    /// Its clock.
    #[must_use]
    pub const fn clock(&self) -> &FakeClock {
        &self.clock
    }

    /// What its clock shows.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        flamenco_domain::clock::Clock::now(&self.clock)
    }

    /// The folder of its configuration, logs and scripts.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.storage.folder()
    }

    /// Where it keeps task logs.
    #[must_use]
    pub fn local_storage(&self) -> PathBuf {
        self.folder().join("local")
    }

    fn config(&self) -> Config {
        config(&self.storage, &self.yaml)
    }

    /// Starts a manager on the same database and files, after [`Self::stop_running`] or [`Self::kill`]. It has another port.
    pub async fn start_again(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime for the manager");
        let bound = runtime.spawn(TcpListener::bind(("127.0.0.1", 0))).await;
        let listener = bound.expect("the runtime works").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let cancel = CancellationToken::new();
        let versions = Versions { short: "1.2.3".into(), long: "1.2.3-test".into(), git: "abcdef".into() };
        let mut parts = Parts { clock: Arc::new(self.clock.clone()), ..Parts::new(versions) };
        if let Some(change) = &self.change {
            change(&mut parts);
        }
        let run = flamenco_manager_core::run(self.config(), listener, parts, cancel.clone());
        let mut ended = runtime.spawn(async move { run.await.map_err(|error| error.to_string()) });
        let ready = self.http.get(format!("http://{address}/api/v3/version")).send();
        tokio::select! {
            answer = ready => assert!(answer.expect("the manager answers").status().is_success()),
            result = &mut ended => panic!("the manager did not start: {result:?}"),
        }
        self.running = Some(Running { address, cancel, ended, runtime: Some(runtime) });
    }

    /// Asks the manager to stop, and waits for it. What it maintains must be right then.
    pub async fn stop_running(&mut self) {
        let mut running = self.running.take().expect("the manager runs");
        running.cancel.cancel();
        let ended = tokio::time::timeout(PATIENCE, &mut running.ended).await;
        let result = ended.expect("the manager stops in time").expect("the manager does not panic");
        assert_eq!(result, Ok(()), "the manager stops without an error");
        drop(running);
        self.check_soundness().await;
    }

    /// Ends the manager in the middle of whatever it does, as far as that is possible within one process.
    pub fn kill(&mut self) {
        drop(self.running.take().expect("the manager runs"));
    }

    /// Stops and starts it.
    pub async fn restart(&mut self) {
        self.stop_running().await;
        self.start_again().await;
    }

    /// Stops the manager for good, and fails when something it maintains differs from what is there.
    pub async fn stop(mut self) {
        self.stop_running().await;
        self.storage.remove().await;
    }

    /// Asks the manager to stop, but does not wait.
    pub fn cancel(&self) {
        self.running.as_ref().expect("the manager runs").cancel.cancel();
    }

    async fn check_soundness(&self) {
        let store = self.storage.open().await;
        let found = recount::differences(store.read()).await.expect("the database can be read");
        store.close().await;
        assert!(found.is_empty(), "what is maintained differs from what is there:\n{}", found.join("\n"));
    }

    /// Stores a job with one task behind the manager's back, with a checkout that the manager may not accept; it must not
    /// run.
    pub async fn force_job_with_checkout(&self, checkout: &str) -> uuid::Uuid {
        assert!(self.running.is_none(), "this is only for a manager that does not run");
        let store = self.storage.open().await;
        let task = flamenco_store::submit::NewTask {
            id: flamenco_domain::ids::TaskId::random(),
            name: "task".into(),
            task_type: "blender".into(),
            priority: 50,
            commands: Vec::new(),
            dependencies: Vec::new(),
        };
        let job = flamenco_store::submit::NewJob {
            id: JobId::random(),
            name: "old".into(),
            job_type: jobs::PLAN_JOB_TYPE.into(),
            priority: 50,
            status: JobStatus::Queued,
            settings: serde_json::Map::new(),
            metadata: serde_json::Map::new(),
            shaman_checkout_id: checkout.into(),
            worker_tag: None,
            tasks: vec![task],
            created: self.now(),
            original: None,
        };
        let stored = flamenco_store::submit::submit(&store, job).await.expect("the job is stored");
        store.close().await;
        stored.summary.id.0
    }

    /// Puts a job in a status behind the manager's back, as if it had been killed on the way; it must not run.
    pub async fn force_job_status(&self, job: uuid::Uuid, status: JobStatus) {
        assert!(self.running.is_none(), "this is only for a manager that does not run");
        force_job_status(&self.storage, JobId(job), status).await;
    }
}

/// Stores a status of a job, and nothing of what belongs to it.
pub(crate) async fn force_job_status(storage: &Storage, id: JobId, status: JobStatus) {
    let store = storage.open().await;
    let forced: Result<(), flamenco_store::Error> = store
        .write(move |tx| {
            Box::pin(async move {
                let found = flamenco_store::jobs::lock(tx, id).await?;
                let mut job = found.expect("the job exists");
                job.status = status;
                flamenco_store::jobs::save(tx, &job, true).await
            })
        })
        .await;
    forced.expect("the status is stored");
    store.close().await;
}
