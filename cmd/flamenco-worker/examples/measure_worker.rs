//! Measures a worker with a real manager and a real Blender, and prints one line for each figure.
//!
//! ```sh
//! cargo build --release --package flamenco-worker --package flamenco-manager
//! cargo run --package flamenco-worker --example measure_worker -- target/release/flamenco-worker target/release/flamenco-manager
//! ```
//!
//! Linux: memory and time of the worker come from `/proc`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot go on ends with the reason"
)]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flamenco_client::Client;
use flamenco_client::api::operations::{FetchJobResponse, SubmitJobResponse};
use flamenco_client::api::types::{JobStatus, SubmittedJob};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use uuid::Uuid;

/// A job type that runs shell scripts, one a task.
const JOB_TYPE: &str = r#"
const JOB_TYPE = { label: "Measure", settings: [{ key: "scripts", type: "string", required: true, visible: "hidden" }] };
function compileJob(job) {
    JSON.parse(job.settings.scripts).forEach((script, index) => {
        const task = author.Task(`task-${index}`, "misc");
        task.addCommand(author.Command("exec", { exe: "/bin/sh", args: ["-c", script] }));
        job.addTask(task);
    });
}
"#;
const MIB: f64 = 1024.0 * 1024.0;
/// Clock ticks a second in `/proc`, on every Linux there is.
const TICKS: f64 = 100.0;

/// A program that ends with this one.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.0.id())).unwrap()
    }

    /// Resident memory in MiB.
    fn memory(&self) -> f64 {
        let pages: f64 = self.proc("statm").split_whitespace().nth(1).unwrap().parse().unwrap();
        pages * 4096.0 / MIB
    }

    /// Time on processors so far, in seconds, without that of other programs it has started.
    fn cpu(&self) -> f64 {
        let stat = self.proc("stat");
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS
    }
}

struct Farm {
    client: Client,
    folder: tempfile::TempDir,
    worker: Program,
    _manager: Program,
    /// What the worker has sent to the manager, in bytes.
    sent: Arc<AtomicU64>,
}

impl Farm {
    async fn start(worker: &Path, manager: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["manager/scripts", "worker", "shared"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        let address = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let config = format!(
            "_meta: {{ version: 3 }}\nautodiscoverable: false\nshaman: {{ enabled: false }}\nscripts_paths: [scripts]\n\
             shared_storage_path: {}\n",
            path("shared").display()
        );
        fs::write(path("manager/flamenco-manager.yaml"), config).unwrap();
        fs::write(path("manager/scripts/measure.js"), JOB_TYPE).unwrap();
        let mut command = Command::new(manager);
        let manager =
            Program::start(command.current_dir(path("manager")).env("FLAMENCO_LISTEN", address.to_string()));
        let client = Client::builder(format!("http://{address}/")).build().unwrap();
        while client.get_version().await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
        let (line, sent) = counted(address).await;
        let mut command = Command::new(worker);
        command.current_dir(path("worker")).env("FLAMENCO_HOME", path("worker"));
        let worker = Program::start(command.args(["-manager", &format!("http://{line}/")]));
        Self { client, folder, worker, _manager: manager, sent }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn submit(&self, job: Value) -> Uuid {
        let job: SubmittedJob = serde_json::from_value(job).unwrap();
        match self.client.submit_job(&job).await.unwrap() {
            SubmitJobResponse::Status200(job) => job.id,
            other => panic!("{:?}", other.problem()),
        }
    }

    async fn submit_scripts(&self, scripts: &[String]) -> Uuid {
        self.submit(json!({
            "name": "measure", "type": "measure", "submitter_platform": "linux",
            "settings": { "scripts": json!(scripts).to_string() },
        }))
        .await
    }

    async fn is_completed(&self, job: Uuid) -> bool {
        match self.client.fetch_job(job).await.unwrap() {
            FetchJobResponse::Status200(job) => {
                assert_ne!(job.status, JobStatus::Failed, "{}", job.activity);
                job.status == JobStatus::Completed
            }
            other => panic!("{:?}", other.problem()),
        }
    }

    async fn until_completed(&self, job: Uuid) {
        while !self.is_completed(job).await {
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A line to the manager that counts what goes there.
async fn counted(manager: SocketAddr) -> (SocketAddr, Arc<AtomicU64>) {
    let (listener, sent) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Arc::new(AtomicU64::new(0)));
    let (address, counter) = (listener.local_addr().unwrap(), Arc::clone(&sent));
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(manager).await.unwrap();
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            let ((mut near_read, mut near_write), (mut far_read, mut far_write)) =
                (near.into_split(), far.into_split());
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                while let Ok(length @ 1..) = near_read.read(&mut buffer).await {
                    counter.fetch_add(length as u64, Ordering::Relaxed);
                    if far_write.write_all(&buffer[..length]).await.is_err() {
                        break;
                    }
                }
            });
            tokio::spawn(async move { tokio::io::copy(&mut far_read, &mut near_write).await });
        }
    });
    (address, sent)
}

fn now_ns() -> i128 {
    i128::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos()).unwrap()
}

fn numbers(path: &Path) -> Vec<i128> {
    fs::read_to_string(path).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

fn median_ms(mut nanoseconds: Vec<i128>) -> f64 {
    nanoseconds.sort_unstable();
    nanoseconds[nanoseconds.len() / 2] as f64 / 1e6
}

async fn idle(farm: &Farm) {
    sleep(Duration::from_secs(10)).await;
    let before = farm.worker.cpu();
    let sent = farm.sent.load(Ordering::Relaxed);
    sleep(Duration::from_secs(20)).await;
    let cpu = (farm.worker.cpu() - before) / 20.0 * 100.0;
    println!("memory, idle                          {:8.1} MiB", farm.worker.memory());
    println!("processor, idle, with statistics      {cpu:8.2} %");
    println!(
        "sent, idle                            {:8.0} bytes/s",
        (farm.sent.load(Ordering::Relaxed) - sent) as f64 / 20.0
    );
}

async fn flood(farm: &Farm) {
    // As Blender prints: lines of 100 bytes, 100 MB in all.
    let line =
        "Fra:1 Mem:9.71M (Peak 9.71M) | Time:00:00.14 | Mem:0.00M, Peak:0.00M | Scene, ViewLayer | Sample 12";
    let script = format!("yes '{line}' | head -c 100000000");
    let (cpu, started, mut peak) = (farm.worker.cpu(), Instant::now(), 0.0_f64);
    let job = farm.submit_scripts(&[script]).await;
    while !farm.is_completed(job).await {
        peak = peak.max(farm.worker.memory());
        sleep(Duration::from_millis(50)).await;
    }
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), farm.worker.cpu() - cpu);
    println!("memory, most during 100 MB of output  {peak:8.1} MiB");
    println!("100 MB of output took                 {seconds:8.2} s, and the worker {cpu:.2} s of processor");
    println!("processor, at full speed              {:8.1} % of one", cpu / seconds * 100.0);
}

async fn latency(farm: &Farm) {
    let mut took = Vec::new();
    for number in 0..20 {
        // Some time for the worker to be waiting again.
        sleep(Duration::from_millis(700)).await;
        let file = farm.path(&format!("started-{number}"));
        let begin = now_ns();
        let job = farm.submit_scripts(&[format!("date +%s%N > {}", file.display())]).await;
        farm.until_completed(job).await;
        took.push(numbers(&file)[0] - begin);
    }
    println!("submission to first command, median   {:8.1} ms of 20", median_ms(took));
}

async fn gaps(farm: &Farm) {
    let file = farm.path("times");
    let stamp = format!("date +%s%N >> {}", file.display());
    let job = farm.submit_scripts(&vec![format!("{stamp}; {stamp}"); 50]).await;
    farm.until_completed(job).await;
    let times = numbers(&file);
    // The end of each and the begin of the next.
    let gaps = times[1..times.len() - 1].chunks(2).map(|pair| pair[1] - pair[0]).collect();
    println!("end of a task to begin of the next    {:8.1} ms, median of 49", median_ms(gaps));
}

async fn frames(farm: &Farm) {
    let blendfile = farm.path("scene.blend");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/src/demo/scene.py");
    let arguments = ["--background", "--factory-startup", "--python-exit-code", "1", "--python"];
    let mut blender = Command::new("blender");
    blender.args(arguments).arg(script).arg("--").arg(&blendfile);
    let made = blender.args(["--samples", "4", "--size", "1920x1080"]).stdout(Stdio::null()).status();
    assert!(made.expect("Blender starts").success());
    let before = farm.sent.load(Ordering::Relaxed);
    let cpu = farm.worker.cpu();
    let count = 6_i32;
    let job = farm
        .submit(json!({
            "name": "frames", "type": "simple-blender-render", "submitter_platform": "linux",
            "settings": {
                "frames": format!("1-{count}"), "chunk_size": count, "render_output_root": farm.path("shared"),
                "add_path_components": 0, "render_output_path": farm.path("shared").join("job/######"),
                "blendfile": blendfile, "fps": 24.0, "format": "PNG", "image_file_extension": ".png",
                "has_previews": false, "scene": "Scene",
            },
        }))
        .await;
    let started = Instant::now();
    farm.until_completed(job).await;
    let seconds = started.elapsed().as_secs_f64();
    sleep(Duration::from_secs(3)).await;
    let sent = (farm.sent.load(Ordering::Relaxed) - before) as f64;
    println!(
        "sent for a frame of 1920x1080         {:8.0} bytes, picture and log included",
        sent / f64::from(count)
    );
    println!(
        "processor while Blender renders       {:8.2} % of one",
        (farm.worker.cpu() - cpu) / seconds * 100.0
    );
    println!("memory, after {count} frames                 {:8.1} MiB", farm.worker.memory());
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args_os().skip(1).map(|path| fs::canonicalize(path).expect("a program"));
    let (Some(worker), Some(manager)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: measure FLAMENCO-WORKER FLAMENCO-MANAGER");
        std::process::exit(2);
    };
    let farm = Farm::start(&worker, &manager).await;
    idle(&farm).await;
    latency(&farm).await;
    gaps(&farm).await;
    flood(&farm).await;
    frames(&farm).await;
}
