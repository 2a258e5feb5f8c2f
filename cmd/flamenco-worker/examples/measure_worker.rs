//! Measures a worker with a real manager and a real Blender, and prints one line for each figure.
//!
//! ```sh
//! cargo build --release --package flamenco-worker --package flamenco-manager
//! cargo run --package flamenco-worker --example measure_worker -- target/release/flamenco-worker target/release/flamenco-manager
//! ```
//!
//! Linux: memory and time of the worker come from `/proc`.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use flamenco_client::Client;
use flamenco_client::api::operations::{FetchJobResponse, SubmitJobResponse};
use flamenco_client::api::types::{JobStatus, SubmittedJob};
use serde_json::{Value, json};
use tempfile::TempDir;
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
/// A job type that renders all frames in one task of one command.
const RENDER_TYPE: &str = r#"
const JOB_TYPE = { label: "Measure a render", settings: [
    { key: "blendfile", type: "string", required: true },
    { key: "output", type: "string", required: true },
    { key: "before", type: "string", required: true },
    { key: "frames", type: "int32", required: true },
] };
function compileJob(job) {
    const { blendfile, output, before, frames } = job.settings;
    const task = author.Task("render", "blender");
    task.addCommand(author.Command("blender-render", {
        exe: "blender", exeArgs: "-b -y", argsBefore: [], blendfile: blendfile,
        args: JSON.parse(before).concat(["-o", output, "-F", "PNG", "-s", "1", "-e", String(frames), "-a"]),
    }, frames));
    job.addTask(task);
}
"#;
/// Prints 100 MB in Blender, in lines as it prints itself.
const FLOOD: &str = r#"
line = "Fra:1 Mem:9.71M (Peak 9.71M) | Time:00:00.14 | Mem:0.00M, Peak:0.00M | Scene, ViewLayer | Sample 12"
for _ in range(100_000_000 // (len(line) + 1)):
    print(line)
"#;
/// How many frames a render has.
const FRAMES: i32 = 6;
/// How long the manager may take to answer for the first time.
const START_LIMIT: Duration = Duration::from_secs(60);
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
    /// Starts a program that logs into that file.
    fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let errors = output.try_clone().context("cannot share a log")?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        Ok(Self(command.spawn().with_context(|| format!("cannot start {command:?}"))?))
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.0.id());
        fs::read_to_string(&path).with_context(|| format!("cannot read {path}; has the program ended?"))
    }

    /// Resident memory in MiB.
    fn memory(&self) -> Result<f64> {
        let status = self.proc("status")?;
        let line =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in status")?;
        Ok(line.trim_end_matches("kB").trim().parse::<f64>().context("VmRSS is no number")? / 1024.0)
    }

    /// Time on processors so far, in seconds, without that of other programs it has started.
    fn cpu(&self) -> Result<f64> {
        let stat = self.proc("stat")?;
        // Fields 14 and 15; the name of the program, field 2, is in parentheses and may contain spaces.
        let fields = stat.rsplit_once(')').context("no name in stat")?.1.split_whitespace().skip(11).take(2);
        fields.map(|ticks| Ok(ticks.parse::<f64>().context("no number in stat")? / TICKS)).sum()
    }
}

struct Farm {
    client: Client,
    folder: TempDir,
    worker: Program,
    _manager: Program,
    /// What the worker has sent to the manager, in bytes.
    sent: Arc<AtomicU64>,
}

impl Farm {
    async fn start(worker: &Path, manager: &Path) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary directory")?;
        let path = |name: &str| folder.path().join(name);
        for name in ["manager/scripts", "worker", "shared"] {
            fs::create_dir_all(path(name)).with_context(|| format!("cannot make the directory {name}"))?;
        }
        let address = free_address().context("cannot find a free port")?;
        let config = format!(
            "_meta: {{ version: 3 }}\nautodiscoverable: false\nshaman: {{ enabled: false }}\nscripts_paths: [scripts]\n\
             shared_storage_path: {}\n",
            path("shared").display()
        );
        fs::write(path("manager/flamenco-manager.yaml"), config).context("cannot configure the manager")?;
        for (name, job_type) in [("measure", JOB_TYPE), ("measure-render", RENDER_TYPE)] {
            let file = path("manager/scripts").join(name).with_extension("js");
            fs::write(file, job_type).with_context(|| format!("cannot write the job type {name}"))?;
        }
        let mut command = Command::new(manager);
        command.current_dir(path("manager")).env("FLAMENCO_LISTEN", address.to_string());
        let manager = Program::start(&mut command, &path("manager.log"))?;
        let client = Client::builder(format!("http://{address}/")).build().context("cannot make a client")?;
        answered(&client, &path("manager.log")).await?;
        let (line, sent) = counted(address).await?;
        let mut command = Command::new(worker);
        command.current_dir(path("worker")).env("FLAMENCO_HOME", path("worker"));
        command.args(["-manager", &format!("http://{line}/")]);
        let worker = Program::start(&mut command, &path("worker.log"))?;
        Ok(Self { client, folder, worker, _manager: manager, sent })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the worker has sent so far, in bytes.
    fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    async fn submit(&self, job: Value) -> Result<Uuid> {
        let job: SubmittedJob = serde_json::from_value(job).context("this is no job")?;
        match self.client.submit_job(&job).await.context("cannot submit a job")? {
            SubmitJobResponse::Status200(job) => Ok(job.id),
            other => bail!("the manager refuses a job: {:?}", other.problem()),
        }
    }

    async fn submit_scripts(&self, scripts: &[String]) -> Result<Uuid> {
        self.submit(json!({
            "name": "measure", "type": "measure", "submitter_platform": "linux",
            "settings": { "scripts": json!(scripts).to_string() },
        }))
        .await
    }

    async fn is_completed(&self, job: Uuid) -> Result<bool> {
        match self.client.fetch_job(job).await.context("cannot ask for a job")? {
            FetchJobResponse::Status200(job) => {
                let log = || fs::read_to_string(self.path("worker.log")).unwrap_or_default();
                ensure!(
                    job.status != JobStatus::Failed,
                    "a job failed: {}; the worker said:\n{}",
                    job.activity,
                    log()
                );
                Ok(job.status == JobStatus::Completed)
            }
            other => bail!("the manager does not show a job: {:?}", other.problem()),
        }
    }

    async fn until_completed(&self, job: Uuid) -> Result<()> {
        while !self.is_completed(job).await? {
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

fn free_address() -> std::io::Result<SocketAddr> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Waits until the manager answers.
async fn answered(client: &Client, log: &Path) -> Result<()> {
    let started = Instant::now();
    while let Err(error) = client.get_version().await {
        if started.elapsed() > START_LIMIT {
            let log = fs::read_to_string(log).unwrap_or_default();
            return Err(error).with_context(|| format!("the manager does not answer; it said:\n{log}"));
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// A line to the manager that counts what goes there.
async fn counted(manager: SocketAddr) -> Result<(SocketAddr, Arc<AtomicU64>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen")?;
    let address = listener.local_addr().context("cannot tell where it listens")?;
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    tokio::spawn(async move {
        // A connection that cannot be carried is closed, and the worker makes another.
        while let Ok((near, _)) = listener.accept().await {
            if let Ok(far) = TcpStream::connect(manager).await {
                carry(near, far, Arc::clone(&counter));
            }
        }
    });
    Ok((address, sent))
}

/// Passes on what comes, both ways, and counts what goes to the far end.
fn carry(near: TcpStream, far: TcpStream, counter: Arc<AtomicU64>) {
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((mut near_read, mut near_write), (mut far_read, mut far_write)) =
        (near.into_split(), far.into_split());
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

/// Since 1970, in nanoseconds, as `date +%s%N` has it.
fn now_ns() -> Result<i64> {
    let now = SystemTime::UNIX_EPOCH.elapsed().context("the clock is before 1970")?;
    i64::try_from(now.as_nanos()).context("the clock is after 2262")
}

/// The number in each line of a file.
fn numbers(path: &Path) -> Result<Vec<i64>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let number = |line: &str| line.parse().with_context(|| format!("{line:?} is no number"));
    text.lines().map(number).collect()
}

fn median_ms(mut nanoseconds: Vec<i64>) -> Result<f64> {
    ensure!(!nanoseconds.is_empty(), "nothing was measured");
    nanoseconds.sort_unstable();
    Ok(nanoseconds[nanoseconds.len() / 2] as f64 / 1e6)
}

async fn idle(farm: &Farm) -> Result<()> {
    // Until it has settled.
    sleep(Duration::from_secs(10)).await;
    let (cpu, sent) = (farm.worker.cpu()?, farm.sent());
    sleep(Duration::from_secs(20)).await;
    let cpu = (farm.worker.cpu()? - cpu) / 20.0 * 100.0;
    println!("memory, idle                          {:8.1} MiB", farm.worker.memory()?);
    println!("processor, idle, with statistics      {cpu:8.2} % of one");
    println!("sent, idle                            {:8.0} bytes/s", (farm.sent() - sent) as f64 / 20.0);
    Ok(())
}

/// How the worker did while a job ran.
struct Run {
    seconds: f64,
    /// Processor time of the worker, in seconds.
    cpu: f64,
    /// Most memory of the worker, in MiB.
    peak: f64,
}

async fn watched(farm: &Farm, job: Uuid) -> Result<Run> {
    let (cpu, started, mut peak) = (farm.worker.cpu()?, Instant::now(), 0.0_f64);
    while !farm.is_completed(job).await? {
        peak = peak.max(farm.worker.memory()?);
        sleep(Duration::from_millis(50)).await;
    }
    Ok(Run { seconds: started.elapsed().as_secs_f64(), cpu: farm.worker.cpu()? - cpu, peak })
}

async fn latency(farm: &Farm) -> Result<()> {
    let mut took = Vec::new();
    for number in 0..20 {
        // Some time for the worker to be waiting again.
        sleep(Duration::from_millis(700)).await;
        let file = farm.path(&format!("started-{number}"));
        let begin = now_ns()?;
        let job = farm.submit_scripts(&[format!("date +%s%N > {}", file.display())]).await?;
        farm.until_completed(job).await?;
        took.push(numbers(&file)?.first().context("the command wrote nothing")? - begin);
    }
    println!("submission to first command, median   {:8.1} ms of 20", median_ms(took)?);
    Ok(())
}

async fn gaps(farm: &Farm) -> Result<()> {
    let file = farm.path("times");
    let stamp = format!("date +%s%N >> {}", file.display());
    let job = farm.submit_scripts(&vec![format!("{stamp}; {stamp}"); 50]).await?;
    farm.until_completed(job).await?;
    let times = numbers(&file)?;
    ensure!(times.len() == 100, "50 tasks wrote {} times", times.len());
    // The end of each and the begin of the next.
    let gaps = times[1..times.len() - 1].chunks(2).map(|pair| pair[1] - pair[0]).collect();
    println!("end of a task to begin of the next    {:8.1} ms, median of 49", median_ms(gaps)?);
    Ok(())
}

/// A job that renders [`FRAMES`] frames of 1920x1080; `before` are arguments of Blender that come first.
async fn render(farm: &Farm, folder: &str, before: &[&str]) -> Result<Uuid> {
    let blendfile = farm.path("scene.blend");
    if !blendfile.exists() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/src/demo/scene.py");
        let mut blender = Command::new("blender");
        blender.args(["--background", "--factory-startup", "--python-exit-code", "1", "--python"]);
        blender.arg(script).arg("--").arg(&blendfile).args(["--samples", "4", "--size", "1920x1080"]);
        let made = blender.stdout(Stdio::null()).status().context("cannot start Blender")?;
        ensure!(made.success(), "Blender cannot make a scene: {made}");
    }
    farm.submit(json!({
        "name": folder, "type": "measure-render", "submitter_platform": "linux",
        "settings": {
            "blendfile": blendfile, "before": json!(before).to_string(), "frames": FRAMES,
            "output": farm.path("shared").join(folder).join("######"),
        },
    }))
    .await
}

async fn frames(farm: &Farm) -> Result<()> {
    let sent = farm.sent();
    let job = render(farm, "frames", &[]).await?;
    let run = watched(farm, job).await?;
    // What follows the end of the task: the last pictures.
    sleep(Duration::from_secs(3)).await;
    let each = (farm.sent() - sent) as f64 / f64::from(FRAMES);
    println!("sent for a frame of 1920x1080         {each:8.0} bytes, picture and log included");
    println!("processor while Blender renders       {:8.2} % of one", run.cpu / run.seconds * 100.0);
    println!("memory, most during {FRAMES} frames          {:8.1} MiB", run.peak);
    Ok(())
}

/// A render that prints 100 MB, as fast as Blender can.
async fn flood(farm: &Farm) -> Result<()> {
    let script = farm.path("flood.py");
    fs::write(&script, FLOOD).context("cannot write the script that prints")?;
    let script = script.to_str().context("the temporary directory has a strange name")?;
    let job = render(farm, "flood", &["--python", script]).await?;
    let run = watched(farm, job).await?;
    println!("memory, most, render with 100 MB      {:8.1} MiB", run.peak);
    println!(
        "100 MB of output took                 {:8.2} s, and the worker {:.2} s of processor",
        run.seconds, run.cpu
    );
    println!("processor, Blender at full speed      {:8.1} % of one", run.cpu / run.seconds * 100.0);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut programs = std::env::args_os()
        .skip(1)
        .map(|path| fs::canonicalize(&path).with_context(|| format!("there is no {}", path.display())));
    let (Some(worker), Some(manager)) = (programs.next(), programs.next()) else {
        bail!("usage: measure_worker FLAMENCO-WORKER FLAMENCO-MANAGER");
    };
    let farm = Farm::start(&worker?, &manager?).await?;
    idle(&farm).await?;
    latency(&farm).await?;
    gaps(&farm).await?;
    frames(&farm).await?;
    flood(&farm).await
}
