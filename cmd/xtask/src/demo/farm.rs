//! The manager, its worker, and the blend file they get.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use flamenco_client::Client;
use flamenco_client::api::{operations, types};

use crate::address::free_address;
use crate::children::Child;

const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How long the programs may take to start.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Settings of the person who runs the demo, which are for another farm.
const FOREIGN_SETTINGS: &[&str] = &[
    "FLAMENCO_LISTEN",
    "FLAMENCO_DATABASE",
    "FLAMENCO_SHARED_STORAGE",
    "FLAMENCO_HOME",
    "FLAMENCO_WORKER_NAME",
];

/// Where the two programs are.
pub struct Programs {
    manager: PathBuf,
    worker: PathBuf,
}

impl Programs {
    /// Finds them in a directory.
    pub fn find(directory: &Path) -> Result<Self> {
        let find = |name: &str| {
            let path = directory.join(name);
            ensure!(path.is_file(), "{} is missing; build it with `make`", path.display());
            path.canonicalize().with_context(|| format!("cannot find {}", path.display()))
        };
        Ok(Self { manager: find("flamenco-manager")?, worker: find("flamenco-worker")? })
    }

    /// The sizes of the two files, for people.
    pub fn sizes(&self) -> String {
        let size =
            |path: &Path| fs::metadata(path).map_or_else(|_| "?".to_owned(), |data| megabytes(data.len()));
        format!("manager {}, worker {}", size(&self.manager), size(&self.worker))
    }
}

/// The running programs. Dropping it stops the worker first, so that it can sign off.
pub struct Farm {
    worker: Child,
    manager: Child,
    client: Client,
}

impl Farm {
    /// Starts both programs in their own directories of the folder.
    pub fn start(programs: &Programs, folder: &Path) -> Result<Self> {
        let address = free_address()?;
        let client = Client::builder(format!("http://{address}/")).user_agent("flamenco-demo").build()?;
        let directory = folder.join("manager");
        fs::write(directory.join("flamenco-manager.yaml"), configuration(folder)?)?;

        let mut manager = program(&programs.manager, &directory);
        manager.env("FLAMENCO_LISTEN", &address);
        let manager = Child::start("the manager", manager, &folder.join("manager.log"))?;

        let directory = folder.join("worker");
        let mut worker = program(&programs.worker, &directory);
        worker.args(["-manager", client.base_url()]);
        worker.env("FLAMENCO_HOME", &directory).env("FLAMENCO_WORKER_NAME", "demo-worker");
        let worker = Child::start("the worker", worker, &folder.join("worker.log"))?;
        Ok(Self { worker, manager, client })
    }

    /// Waits until the manager answers and knows an awake worker.
    pub async fn until_ready(&mut self) -> Result<()> {
        let deadline = tokio::time::Instant::now() + START_LIMIT;
        while !self.has_awake_worker().await {
            if let Some(ended) = self.ended() {
                bail!("{ended}");
            }
            let is_late = tokio::time::Instant::now() > deadline;
            ensure!(!is_late, "no worker signed on within {} s", START_LIMIT.as_secs());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    async fn has_awake_worker(&self) -> bool {
        match self.client.fetch_workers(&Default::default()).await {
            Ok(operations::FetchWorkersResponse::Status200(list)) => {
                list.workers.iter().any(|worker| worker.status == types::WorkerStatus::Awake)
            }
            // Not started yet, or on its way.
            _ => false,
        }
    }

    /// Waits until one of the programs ends, which it should not, and says which.
    pub async fn until_program_ends(&mut self) -> String {
        loop {
            if let Some(ended) = self.ended() {
                return ended;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    fn ended(&mut self) -> Option<String> {
        [&mut self.manager, &mut self.worker]
            .into_iter()
            .find_map(|child| child.ended().map(|status| format!("{} ended with {status}", child.name())))
    }

    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Where the manager is; ends with a slash.
    pub fn address(&self) -> &str {
        self.client.base_url()
    }

    /// The memory of both programs, for people.
    pub fn memory(&self) -> String {
        let memory = |child: &Child| child.memory().map_or_else(|| "?".to_owned(), megabytes);
        format!("manager {}, worker {}", memory(&self.manager), memory(&self.worker))
    }

    /// Prints the end of both logs.
    pub fn print_logs(&self) {
        self.manager.print_log();
        self.worker.print_log();
    }
}

fn program(path: &Path, directory: &Path) -> Command {
    let mut command = Command::new(path);
    command.current_dir(directory);
    for name in FOREIGN_SETTINGS {
        command.env_remove(name);
    }
    command
}

/// What the manager is told. JSON strings are YAML strings, too, whatever is in the path.
fn configuration(folder: &Path) -> Result<String> {
    let folder = folder.to_str().context("the path of the folder has to be UTF-8")?;
    Ok(format!(
        "_meta: {{ version: 3 }}\nmanager_name: Demo farm\nautodiscoverable: false\nshared_storage_path: {}\n\
         shaman: {{ enabled: false }}\n",
        serde_json::to_string(folder)?
    ))
}

/// Lets Blender make the blend file.
pub async fn make_scene(root: &Path, blendfile: &Path, frames: usize) -> Result<()> {
    let script = root.join("cmd/xtask/src/demo/scene.py");
    let mut blender = tokio::process::Command::new("blender");
    blender.args(["--background", "--factory-startup", "--python-exit-code", "1", "--python"]).arg(&script);
    blender.arg("--").arg(blendfile).arg("--frames").arg(frames.to_string());
    blender.stdin(Stdio::null()).kill_on_drop(true);
    let output =
        blender.output().await.context("cannot start Blender; install it with `apt-get install blender`")?;
    if !output.status.success() || !blendfile.is_file() {
        eprintln!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("Blender could not make {}", blendfile.display());
    }
    Ok(())
}

/// Bytes as a number of millions of them.
fn megabytes(bytes: u64) -> String {
    let tenths = (bytes + 50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded() {
        for (bytes, want) in [(0, "0.0 MB"), (49_999, "0.0 MB"), (50_000, "0.1 MB"), (21_960_000, "22.0 MB")]
        {
            assert_eq!(megabytes(bytes), want, "{bytes}");
        }
    }

    #[test]
    fn the_configuration_is_yaml_whatever_the_path() {
        let text = configuration(Path::new("/tmp/it's: a \"test\" #1")).unwrap();
        let value: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap();
        assert_eq!(value["shared_storage_path"].as_str(), Some("/tmp/it's: a \"test\" #1"));
        assert_eq!(value["shaman"]["enabled"].as_bool(), Some(false));
    }

    #[test]
    fn a_missing_program_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Programs::find(folder.path()).err().unwrap().to_string();
        assert!(error.contains("flamenco-manager is missing; build it with `make`"), "{error}");
    }
}
