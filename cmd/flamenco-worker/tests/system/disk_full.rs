//! The disk of the manager fills up: it says so, loses nothing, and goes on when there is room again.
//!
//! The manager gets a small disk of its own, a memory file system in a mount namespace that ends with it. That needs
//! no more rights than a user has where user namespaces are allowed.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use flamenco_client::Client;
use flamenco_client::api::operations::{
    FetchJobsResponse, ScheduleTaskQuery, ScheduleTaskResponse, TaskUpdateResponse,
};
use flamenco_client::api::types::{AssignedTask, TaskStatus, TaskUpdate};
use flamenco_store::{Location, Store, recount};
use serde_json::{Value, json};

use crate::farm::{Farm, START, STOP};
use crate::processes::{Process, manager_program, until};
use crate::stop::signed_on;

const DISK: &str = "16m";

/// A manager on a disk of its own, with the configuration and the job type of the farm on it.
struct OnSmallDisk {
    manager: Process,
    /// The disk, as this process can reach it.
    disk: PathBuf,
}

impl OnSmallDisk {
    async fn start(farm: &Farm) -> Self {
        let folder = farm.path("manager");
        let mut command = Command::new("unshare");
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            command.args(["--user", "--map-root-user"]);
        }
        let script = "mkdir ../kept && cp -r . ../kept && mount -t tmpfs -o size=\"$1\" tmpfs \"$PWD\" && cd \"$PWD\" \
                      && cp -r ../kept/. . && exec \"$2\"";
        command.args(["--mount", "sh", "-c", script, "sh", DISK]).arg(manager_program());
        command.current_dir(&folder).env("FLAMENCO_LISTEN", farm.address());
        command.env_remove("FLAMENCO_DATABASE").env_remove("FLAMENCO_SHARED_STORAGE");
        let manager = Process::start(command, farm.path("manager.log"));
        until("the manager answers", START, async || farm.client.get_version().await.ok()).await;
        let inside = folder.strip_prefix("/").unwrap();
        let disk = Path::new("/proc").join(manager.id().to_string()).join("root").join(inside);
        assert!(disk.join("flamenco-manager.sqlite").is_file(), "its database is on that disk");
        Self { manager, disk }
    }

    /// Leaves not a byte free.
    fn fill(&self) {
        let mut ballast = File::options().create(true).append(true).open(self.disk.join("ballast")).unwrap();
        for size in [1 << 20, 4096, 1] {
            let block = vec![b'x'; size];
            while ballast.write_all(&block).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.disk.join("ballast")).unwrap();
    }
}

/// Status, and what `Retry-After` says.
async fn send(request: reqwest::RequestBuilder) -> (u16, Option<String>, Value) {
    let answer = request.send().await.unwrap();
    let retry = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    let status = answer.status().as_u16();
    (status, retry, answer.json().await.unwrap_or_default())
}

/// Asks again and again, giving the number of successes before the disk was full; then the answer must be 503.
async fn until_full(what: &str, mut request: impl FnMut(usize) -> reqwest::RequestBuilder) -> usize {
    for number in 0..5_000 {
        let (status, retry, body) = send(request(number)).await;
        if status >= 300 {
            assert_eq!((status, &body["code"]), (503, &json!(503)), "{what}: {body}");
            assert_eq!(retry.as_deref(), Some("1"), "{what}");
            return number;
        }
    }
    panic!("{what}: the disk does not become full");
}

async fn jobs(client: &Client) -> usize {
    match client.fetch_jobs(&Default::default()).await.unwrap() {
        FetchJobsResponse::Status200(list) => list.jobs.len(),
        other => panic!("{other:?}"),
    }
}

async fn take(worker: &Client) -> AssignedTask {
    match worker.schedule_task(&ScheduleTaskQuery { wait: None }).await.unwrap() {
        ScheduleTaskResponse::Status200(task) => task,
        other => panic!("{other:?}"),
    }
}

fn png() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 640, 360);
    encoder.set_color(png::ColorType::Grayscale);
    // Noise, so that what is made of it takes room.
    let pixels: Vec<u8> = (0..640_u32 * 360).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    bytes
}

#[tokio::test]
async fn a_full_disk_is_told_and_survived() {
    let farm = Farm::new("scripts_paths: [scripts]");
    farm.add_plan_job_type();
    let small = OnSmallDisk::start(&farm).await;
    let http = flamenco_testkit::plain_http().build().unwrap();
    let api = format!("{}api/v3", farm.client.base_url());
    let plan: Value = (0..3).map(|task| json!({ "name": format!("t{task}"), "type": "misc" })).collect();
    let job = farm.submit(flamenco_testkit::TestManager::submission("first", &plan)).await;
    let (worker, credentials) = signed_on(&farm.client).await;
    let task = take(&worker).await;
    let url = format!("{api}/worker/task/{}", task.uuid);
    let as_worker =
        |request: reqwest::RequestBuilder| request.basic_auth(&credentials.0, Some(&credentials.1));
    let picture = || {
        let request = as_worker(http.post(format!("{url}/output-produced")));
        request.header("content-type", "image/png").body(png())
    };
    let configuration = format!("{api}/configuration/file");
    let settings: Value = http.get(&configuration).send().await.unwrap().json().await.unwrap();
    let before = fs::read_to_string(small.disk.join("flamenco-manager.yaml")).unwrap();
    assert_eq!(send(picture()).await.0, 202);

    small.fill();
    let line = |number: usize| format!("{number} {}", "x".repeat(1000));
    let logged =
        until_full("a task log", |number| as_worker(http.post(&url)).json(&json!({ "log": line(number) })))
            .await;
    until_full("a picture", |_| picture()).await;
    until_full("the configuration", |_| http.put(&configuration).json(&settings)).await;
    let large = "x".repeat(100_000);
    let mut submission = flamenco_testkit::TestManager::submission("more", &plan);
    submission["metadata"] = json!({ "large": large });
    let submitted = until_full("the database", |_| http.post(format!("{api}/jobs")).json(&submission)).await;

    // Looking is possible all the time, and what was refused is not there.
    assert_eq!(jobs(&farm.client).await, 1 + submitted);
    assert_eq!(fs::read_to_string(small.disk.join("flamenco-manager.yaml")).unwrap(), before);
    let left: Vec<_> = fs::read_dir(&small.disk).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{left:?}");

    small.make_room();
    let done = TaskUpdate {
        task_status: Some(TaskStatus::Completed),
        log: Some("the end".to_owned()),
        ..TaskUpdate::default()
    };
    until("the manager works again", START, async || {
        let answer = worker.task_update(task.uuid, &done).await.unwrap();
        matches!(answer, TaskUpdateResponse::Status204).then_some(())
    })
    .await;
    assert_eq!(send(picture()).await.0, 202);
    assert_eq!(send(http.put(&configuration).json(&settings)).await.0, 204);
    assert_eq!(send(http.post(format!("{api}/jobs")).json(&submission)).await.0, 200);
    assert_eq!(jobs(&farm.client).await, 2 + submitted);
    assert_ne!(take(&worker).await.uuid, task.uuid);

    let folder = format!("flamenco-manager-storage/job-{}/{}", &job.id.to_string()[..4], job.id);
    let log = fs::read_to_string(small.disk.join(folder).join(format!("task-{}.txt", task.uuid))).unwrap();
    for number in 0..logged {
        assert!(log.lines().any(|is| is == line(number)), "line {number} of {logged} is missing");
    }
    assert!(log.lines().any(|line| line == "the end"));
    check_copy(&farm, &small).await;
    let (status, _) = small.manager.terminate(STOP).await;
    assert!(status.success());
}

/// The disk goes with the manager, so a copy is looked at while nothing happens.
async fn check_copy(farm: &Farm, small: &OnSmallDisk) {
    let copy = farm.path("copy.sqlite");
    for suffix in ["", "-wal"] {
        let from = small.disk.join(format!("flamenco-manager.sqlite{suffix}"));
        fs::copy(from, farm.path(&format!("copy.sqlite{suffix}"))).unwrap();
    }
    let store = Store::open(&Location::Sqlite(copy), Arc::new(|_| {})).await.unwrap();
    let cancel = tokio_util::sync::CancellationToken::new();
    assert_eq!(store.check(&cancel).await, flamenco_store::check::Health::Sound);
    assert_eq!(recount::differences(store.read()).await.unwrap(), Vec::<String>::new());
    store.close().await;
}
