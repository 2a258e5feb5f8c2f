//! `cargo xtask demo`: a farm of one manager and one worker renders a small job, before your eyes.
//!
//! Everything is below one folder, nothing of it is anywhere else: configuration, database, logs, the blend file, the
//! frames. The programs are the real ones, the job goes through the API, and Blender and FFmpeg do the work.

mod farm;
mod folder;
mod watch;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use flamenco_client::Client;
use flamenco_client::api::{operations, types};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use farm::Farm;

const FRAMES: usize = 24;
const FRAMES_PER_TASK: usize = 3;
const FRAMES_PER_SECOND: f64 = 24.0;
/// Longer than any machine needs; whoever waits for this has a farm that hangs.
const PATIENCE: Duration = Duration::from_secs(600);

/// What `cargo xtask demo` is told.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where everything goes; target/demo if not given. It is emptied first.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Do not empty the folder: go on with the database, the worker and the jobs of the run before.
    #[arg(long)]
    keep: bool,
    /// The directory that has flamenco-manager and flamenco-worker; that of the repository if not given.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Stop when the job is completed, instead of serving the web page until Ctrl-C. This is the default when standard
    /// input is no terminal.
    #[arg(long)]
    once: bool,
}

/// Runs the demo.
///
/// # Errors
/// When a program is missing, or the job does not complete. The last lines of the logs have been printed then.
pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(async {
        tokio::select! {
            result = demo(root, arguments) => result,
            name = stop_signal() => {
                // Dropping the farm has stopped its programs.
                println!("\n{name}: stopped.");
                Ok(())
            }
        }
    })
}

async fn demo(root: &Path, arguments: &Arguments) -> Result<()> {
    let start = Instant::now();
    let programs = arguments.programs.clone().unwrap_or_else(|| root.to_owned());
    let programs = farm::Programs::find(&programs)?;
    let folder = arguments.folder.clone().unwrap_or_else(|| root.join("target/demo"));
    let folder = folder::prepare(&folder, arguments.keep)?;
    println!("Everything is below {}", folder.display());

    let blendfile = folder.join("scene/demo.blend");
    let mut farm = Farm::start(&programs, &folder)?;
    let result = async {
        tokio::try_join!(farm::make_scene(root, &blendfile, FRAMES), farm.until_ready())?;
        println!("The web page is at {}", farm.address());
        render(&mut farm, &folder, &blendfile, start).await
    }
    .await;
    let job = match result {
        Ok(job) => job,
        Err(error) => {
            farm.print_logs();
            return Err(error);
        }
    };
    summary(&programs, &farm, &job, start);
    if arguments.once || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    println!("\nPress Ctrl-C to stop the farm.");
    let ended = farm.until_program_ends().await;
    farm.print_logs();
    bail!("{ended}")
}

/// A job that was completed, and what it made.
struct Rendered {
    id: uuid::Uuid,
    frames: Vec<PathBuf>,
    video: PathBuf,
}

/// Submits the job, prints what happens until it is completed, and checks what it has made.
async fn render(farm: &mut Farm, folder: &Path, blendfile: &Path, start: Instant) -> Result<Rendered> {
    let job = submit(farm.client(), folder, blendfile).await?;
    println!("Job {:?} submitted: {FRAMES} frames, {FRAMES_PER_TASK} in a task", job.name);
    let output = setting(&job, "render_output_path")?;
    let frames = output.parent().context("the output path of the job has no directory")?.to_owned();

    let mut watch = watch::Watch::new(farm.client().clone(), job.id, frames.clone(), start);
    let deadline = tokio::time::sleep(PATIENCE);
    tokio::pin!(deadline);
    tokio::select! {
        result = watch.until_done() => result?,
        ended = farm.until_program_ends() => bail!("{ended}"),
        () = &mut deadline => bail!("the job did not complete within {} s", PATIENCE.as_secs()),
    }

    let frames = watch::frames_in(&frames);
    if frames.len() != FRAMES {
        bail!("the job is completed, but has {} frames instead of {FRAMES}", frames.len());
    }
    let video = video_of(farm.client(), job.id).await?;
    let size =
        std::fs::metadata(&video).with_context(|| format!("there is no video {}", video.display()))?.len();
    if size == 0 {
        bail!("the video {} is empty", video.display());
    }
    Ok(Rendered { id: job.id, frames, video })
}

async fn submit(client: &Client, folder: &Path, blendfile: &Path) -> Result<types::Job> {
    let renders = folder.join("renders");
    let job: types::SubmittedJob = serde_json::from_value(json!({
        "name": "Demo",
        "type": "simple-blender-render",
        "priority": 50,
        "submitter_platform": "linux",
        "metadata": { "project": "demo" },
        "settings": {
            "frames": format!("1-{FRAMES}"),
            "chunk_size": FRAMES_PER_TASK,
            "render_output_root": renders,
            "add_path_components": 0,
            "render_output_path": renders.join("demo/{timestamp}/######"),
            "blendfile": blendfile,
            "fps": FRAMES_PER_SECOND,
            "format": "PNG",
            "image_file_extension": ".png",
            "has_previews": false,
            "scene": "Scene",
        },
    }))?;
    match client.submit_job(&job).await? {
        operations::SubmitJobResponse::Status200(job) => Ok(job),
        other => bail!("the manager refused the job: {}", refusal(other.problem())),
    }
}

/// A setting of a job that is a path.
fn setting(job: &types::Job, key: &str) -> Result<PathBuf> {
    let value =
        job.settings.as_ref().and_then(|settings| settings.0.get(key)).and_then(|value| value.as_str());
    value.map(PathBuf::from).with_context(|| format!("the job has no setting {key}"))
}

/// The file that the job's last task writes.
async fn video_of(client: &Client, job: uuid::Uuid) -> Result<PathBuf> {
    for summary in watch::tasks_of(client, job).await? {
        if summary.name != "preview-video" {
            continue;
        }
        let operations::FetchTaskResponse::Status200(task) = client.fetch_task(summary.id).await? else {
            continue;
        };
        let mut files =
            task.commands.iter().filter_map(|command| command.parameters.get("outputFile")?.as_str());
        if let Some(file) = files.next_back() {
            return Ok(PathBuf::from(file));
        }
    }
    bail!("the job has no task that makes a video")
}

fn summary(programs: &farm::Programs, farm: &Farm, job: &Rendered, start: Instant) {
    let (first, last) = (job.frames.first(), job.frames.last().and_then(|path| path.file_name()));
    println!("\nDone after {:.1} s.", start.elapsed().as_secs_f64());
    if let (Some(first), Some(last)) = (first, last) {
        println!("  frames    {} … {}", first.display(), last.display());
    }
    println!("  video     {}", job.video.display());
    println!("  web page  {}app/jobs/{}", farm.address(), job.id);
    println!("  memory    {}", farm.memory());
    println!("  programs  {}", programs.sizes());
}

/// What a manager has said against a request.
fn refusal(problem: Option<flamenco_client::api::Problem>) -> String {
    problem.map_or_else(
        || "it gave no reason".to_owned(),
        |problem| format!("{} {}", problem.status, problem.message),
    )
}

/// Waits for a signal that asks this program to stop, and names it.
async fn stop_signal() -> &'static str {
    let wait = async |kind| match signal(kind) {
        Ok(mut signal) => drop(signal.recv().await),
        // Then it ends this program the usual way, and takes the farm down with it less gently.
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = wait(SignalKind::interrupt()) => "Interrupted",
        () = wait(SignalKind::terminate()) => "Terminated",
        () = wait(SignalKind::hangup()) => "Hung up",
    }
}
