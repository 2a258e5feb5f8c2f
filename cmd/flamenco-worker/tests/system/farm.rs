//! A farm in a folder of its own: one manager, any number of workers, and what a test wants to know about them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use flamenco_client::Client;
use flamenco_client::api::operations::{
    FetchJobFramesQuery, FetchJobFramesResponse, FetchJobResponse, FetchJobTasksResponse, FetchTaskResponse,
    FetchWorkersResponse, GetJobTypeResponse, SetJobStatusResponse, SubmitJobResponse,
};
use flamenco_client::api::types::{
    Job, JobFrame, JobStatus, JobStatusChange, SubmittedJob, TaskStatus, TaskSummary, WorkerStatus,
    WorkerSummary,
};
use flamenco_store::check::Health;
use flamenco_store::{Location, Store, recount};
use flamenco_testkit::free_address;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::processes::{Process, manager_program, until, worker_program};
use crate::scene::{Scene, whole_frames};

/// How long programs may take to start, and whatever else takes a moment, on a machine that does much more than that.
pub const START: Duration = Duration::from_secs(60);
/// How long a job of a few frames may take there.
pub const RENDER: Duration = Duration::from_secs(300);
/// How long a program that is asked to stop may take.
pub const STOP: Duration = Duration::from_secs(60);
/// Less than the time after which a manager that is to stop cuts off who is still connected.
pub const PROMPT: Duration = Duration::from_secs(9);

/// The folder of a farm, and how to talk to its manager, running or not.
pub struct Farm {
    pub client: Client,
    folder: tempfile::TempDir,
    address: String,
}

impl Farm {
    /// Prepares the folder. `settings` are further lines of the manager's configuration.
    pub fn new(settings: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("flamenco-system-").tempdir().unwrap();
        let address = free_address().to_string();
        let client = Client::builder(format!("http://{address}/")).build().unwrap();
        let manager = folder.path().join("manager");
        fs::create_dir(&manager).unwrap();
        let configuration = format!(
            "_meta: {{ version: 3 }}\nautodiscoverable: false\nshaman: {{ enabled: false }}\n\
             shared_storage_path: {}\n{settings}\n",
            folder.path().display()
        );
        fs::write(manager.join("flamenco-manager.yaml"), configuration).unwrap();
        Self { client, folder, address }
    }

    /// Lets the manager be found on the network, from its next start on.
    pub fn discoverable(&self) {
        let file = self.path("manager").join("flamenco-manager.yaml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(file, text.replace("autodiscoverable: false", "autodiscoverable: true")).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// A manager in this folder that is not waited for.
    pub fn spawn_manager(&self) -> Process {
        self.spawn_manager_as(&manager_program())
    }

    /// The same, with further arguments.
    pub fn spawn_manager_with(&self, arguments: &[&str]) -> Process {
        let mut command = Command::new(manager_program());
        command.args(arguments);
        self.spawn(command)
    }

    /// The same, started by another path.
    pub fn spawn_manager_as(&self, program: &Path) -> Process {
        self.spawn(Command::new(program))
    }

    fn spawn(&self, mut command: Command) -> Process {
        command.current_dir(self.path("manager")).env("FLAMENCO_LISTEN", &self.address);
        command.env_remove("FLAMENCO_DATABASE").env_remove("FLAMENCO_SHARED_STORAGE");
        Process::start(command, self.path("manager.log"))
    }

    /// Starts the manager and waits until it answers.
    pub async fn start_manager(&self) -> Process {
        let manager = self.spawn_manager();
        until("the manager answers", START, async || self.client.get_version().await.ok()).await;
        manager
    }

    /// Starts a worker and waits until it is awake. One that has run before under this name goes on as that worker.
    pub async fn start_worker(&self, name: &str) -> Process {
        self.start_worker_at(name, self.client.base_url()).await
    }

    /// The same, with another way to the manager.
    pub async fn start_worker_at(&self, name: &str, manager: &str) -> Process {
        let home = self.path(name);
        fs::create_dir_all(&home).unwrap();
        let mut command = Command::new(worker_program());
        command.current_dir(&home).args(["-manager", manager]);
        command.env("FLAMENCO_HOME", &home).env("FLAMENCO_WORKER_NAME", name);
        let worker = Process::start(command, self.path(&format!("{name}.log")));
        until(&format!("{name} is awake"), START, async || {
            (self.worker(name).await?.status == WorkerStatus::Awake).then_some(())
        })
        .await;
        worker
    }

    /// What the manager knows of a worker, if it answers and knows it.
    pub async fn worker(&self, name: &str) -> Option<WorkerSummary> {
        match self.client.fetch_workers(&Default::default()).await.ok()? {
            FetchWorkersResponse::Status200(list) => {
                list.workers.into_iter().find(|worker| worker.name == name)
            }
            other => panic!("{:?}", other.problem()),
        }
    }

    /// The label of a job type, if the manager has it.
    pub async fn job_type_label(&self, name: &str) -> Option<String> {
        match self.client.get_job_type(name).await.unwrap() {
            GetJobTypeResponse::Status200(job_type) => Some(job_type.label),
            _ => None,
        }
    }

    pub async fn submit(&self, job: serde_json::Value) -> Job {
        let job: SubmittedJob = serde_json::from_value(job).unwrap();
        match self.client.submit_job(&job).await.unwrap() {
            SubmitJobResponse::Status200(job) => job,
            other => panic!("{:?}", other.problem()),
        }
    }

    /// Makes a blend file and submits a job that renders it.
    pub async fn submit_render(&self, scene: &Scene, frames: usize, frames_per_task: usize) -> Rendering {
        let blendfile = self.path("scene.blend");
        scene.save(&blendfile);
        let renders = self.path("renders");
        let job = self
            .submit(json!({
                "name": "system test",
                "type": "simple-blender-render",
                "submitter_platform": "linux",
                "settings": {
                    "frames": format!("1-{frames}"),
                    "chunk_size": frames_per_task,
                    "render_output_root": renders,
                    "add_path_components": 0,
                    "render_output_path": renders.join("job/{timestamp}/######"),
                    "blendfile": blendfile,
                    "fps": 24.0,
                    "format": "PNG",
                    "image_file_extension": ".png",
                    "has_previews": false,
                    "scene": "Scene",
                },
            }))
            .await;
        let output = job.settings.as_ref().unwrap().0["render_output_path"].as_str().unwrap();
        let directory = Path::new(output).parent().unwrap().to_owned();
        Rendering { id: job.id, blendfile, directory }
    }

    /// The status of a job, if the manager answers.
    pub async fn job_status(&self, id: Uuid) -> Option<JobStatus> {
        match self.client.fetch_job(id).await.ok()? {
            FetchJobResponse::Status200(job) => Some(job.status),
            other => panic!("{:?}", other.problem()),
        }
    }

    pub async fn set_job_status(&self, id: Uuid, status: JobStatus) {
        let change = JobStatusChange { status, reason: "wanted by a test".to_owned() };
        let answer = self.client.set_job_status(id, &change).await.unwrap();
        assert!(matches!(answer, SetJobStatusResponse::Status204), "{answer:?}");
    }

    /// Waits until a job has a status. When it gets stuck or fails, says what its tasks did.
    pub async fn until_job_is(&self, id: Uuid, wanted: JobStatus, limit: Duration) {
        let ends = [JobStatus::Completed, JobStatus::Failed, JobStatus::Canceled];
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let status = self.job_status(id).await;
            if status == Some(wanted) {
                return;
            }
            let is_over = status.is_some_and(|status| ends.contains(&status));
            if is_over || tokio::time::Instant::now() > deadline {
                panic!("the job is {status:?} instead of {wanted}: {}", self.describe(id).await);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn describe(&self, id: Uuid) -> String {
        let mut text = String::new();
        for task in self.tasks(id).await {
            let activity = match self.client.fetch_task(task.id).await {
                Ok(FetchTaskResponse::Status200(task)) => task.activity,
                other => format!("{other:?}"),
            };
            let worker = task.worker.map(|worker| worker.name);
            text += &format!("\n{} {} {worker:?} {activity}", task.name, task.status);
        }
        text
    }

    pub async fn tasks(&self, job: Uuid) -> Vec<TaskSummary> {
        match self.client.fetch_job_tasks(job, &Default::default()).await.unwrap() {
            FetchJobTasksResponse::Status200(summary) => summary.tasks,
            other => panic!("{:?}", other.problem()),
        }
    }

    /// The names and the statuses of a job's tasks.
    pub async fn statuses(&self, job: Uuid) -> BTreeMap<String, TaskStatus> {
        self.tasks(job).await.into_iter().map(|task| (task.name, task.status)).collect()
    }

    /// Waits until a task is active and some frames are saved, and gives the task. Frames are looked at last: what the
    /// test does next comes right after one was saved, and not while the next one is being written.
    pub async fn until_rendering(&self, rendering: &Rendering, frames: usize) -> TaskSummary {
        until("a task renders and frames were saved", RENDER, async || {
            let task =
                self.tasks(rendering.id).await.into_iter().find(|task| task.status == TaskStatus::Active)?;
            (whole_frames(&rendering.directory).len() >= frames).then_some(task)
        })
        .await
    }

    /// The frames of a job that workers reported.
    pub async fn frames(&self, job: Uuid) -> Vec<JobFrame> {
        match self.client.fetch_job_frames(job, &FetchJobFramesQuery::default()).await.unwrap() {
            FetchJobFramesResponse::Status200(page) => page.frames,
            other => panic!("{:?}", other.problem()),
        }
    }

    /// The log of a task's last run, from the disk.
    pub fn task_log(&self, job: Uuid, task: Uuid) -> String {
        let folder =
            self.path("manager/flamenco-manager-storage").join(format!("job-{}", &job.to_string()[..4]));
        let file = folder.join(job.to_string()).join(format!("task-{task}.txt"));
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    /// Gives the manager the job type whose setting says which tasks there are. Needs `scripts_paths: [scripts]`.
    pub fn add_plan_job_type(&self) {
        let scripts = self.path("manager/scripts");
        fs::create_dir(&scripts).unwrap();
        fs::write(scripts.join(flamenco_testkit::PLAN_FILE), flamenco_testkit::PLAN_SCRIPT).unwrap();
    }

    /// Where the manager keeps task logs.
    pub fn local_storage(&self) -> PathBuf {
        self.path("manager/flamenco-manager-storage")
    }

    /// The file of the database.
    pub fn database(&self) -> PathBuf {
        self.path("manager/flamenco-manager.sqlite")
    }

    /// Looks for anything in the database of a stopped manager that does not add up.
    pub async fn check_database(&self) {
        check_database(&Location::Sqlite(self.database())).await;
    }
}

/// Looks for damage, and for anything that does not add up.
pub async fn check_database(location: &Location) {
    let store = Store::open(location, Arc::new(|_| {})).await.unwrap();
    assert_eq!(store.check(&CancellationToken::new()).await, Health::Sound);
    assert_eq!(recount::differences(store.read()).await.unwrap(), Vec::<String>::new());
    store.close().await;
}

/// A job that renders.
pub struct Rendering {
    pub id: Uuid,
    pub blendfile: PathBuf,
    /// Where the frames go.
    pub directory: PathBuf,
}
