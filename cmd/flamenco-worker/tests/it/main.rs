//! The program itself: command line, signals, and sudden death.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../../../internal/worker/tests/it/fake_manager.rs"]
#[allow(dead_code, reason = "shared with the tests of the worker's library, which use more of it")]
mod fake_manager;
mod network;

use std::path::Path;
use std::process::{ExitStatus, Output};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use fake_manager::{FakeManager, TaskState};

fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flamenco-worker"));
    command.current_dir(directory).env("FLAMENCO_HOME", directory.join("home")).kill_on_drop(true);
    command
}

async fn run_to_end(directory: &Path, arguments: &[&str]) -> Output {
    timeout(Duration::from_secs(20), program(directory).args(arguments).output()).await.unwrap().unwrap()
}

struct Worker {
    process: Child,
}

impl Worker {
    fn start(manager: &FakeManager, directory: &TempDir) -> Self {
        let process =
            program(directory.path()).arg("-quiet").arg("-manager").arg(manager.url()).spawn().unwrap();
        Self { process }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id().unwrap()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    async fn end(mut self) -> ExitStatus {
        timeout(Duration::from_secs(20), self.process.wait()).await.expect("the worker does not end").unwrap()
    }
}

/// Waits until the process whose id is in that file has ended.
async fn assert_ends(pid_file: &Path) {
    let pid = std::fs::read_to_string(pid_file).unwrap();
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(5) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
        if status.is_empty() || status.contains("State:\tZ") {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("process {pid} is still running");
}

fn contains(file: &Path, text: &str) -> bool {
    let bytes = std::fs::read(file).unwrap_or_default();
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn help_and_version_explain_themselves() {
    let directory = tempfile::tempdir().unwrap();
    for help in ["-help", "--help"] {
        let output = run_to_end(directory.path(), &[help]).await;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success());
        for part in ["--manager", "FLAMENCO_HOME", "flamenco-worker.yaml", "restart"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
    let output = run_to_end(directory.path(), &["-version"]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), env!("CARGO_PKG_VERSION"));
    assert!(!directory.path().join("home").exists(), "nothing is created");
}

#[tokio::test]
async fn a_start_that_cannot_work_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let fails = async |arguments: &[&str], code: i32| {
        let output = run_to_end(directory.path(), arguments).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    assert!(fails(&["-no-such-flag"], 2).await.contains("Usage"));
    assert!(fails(&["-manager", "ftp://host/"], 1).await.contains("http://"));
    std::fs::write(directory.path().join("flamenco-worker.yaml"), "worker_name: x\ntask_types: 3\n").unwrap();
    let text = fails(&["-manager", "host"], 1).await;
    assert!(text.contains("flamenco-worker.yaml:2:13"), "{text}");
}

#[tokio::test]
async fn the_configuration_file_is_used() {
    let manager = FakeManager::start().await;
    let directory = tempfile::tempdir().unwrap();
    let text = format!("manager_url: {}\nworker_name: from-file\ntask_types: [misc]\n", manager.address);
    std::fs::write(directory.path().join("flamenco-worker.yaml"), text).unwrap();
    let mut process = program(directory.path()).args(["-quiet", "-restart-exit-code", "47"]).spawn().unwrap();
    manager.until("awake", |farm| (farm.status == "awake").then_some(())).await;
    let sign_on = manager.farm().sign_ons[0].clone();
    assert_eq!((&sign_on["name"], &sign_on["can_restart"]), (&json!("from-file"), &json!(true)));
    manager.request_status("restart");
    assert_eq!(process.wait().await.unwrap().code(), Some(47));
    assert_eq!(manager.farm().status, "offline");
}

#[tokio::test]
async fn a_signal_stops_the_task_and_signs_off() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let manager = FakeManager::start().await;
        let directory = tempfile::tempdir().unwrap();
        let pid_file = directory.path().join("pid");
        let worker = Worker::start(&manager, &directory);
        let script = format!("sleep 1000 & echo $! > {}; echo started; wait", pid_file.display());
        let task = manager.add_script(&script);
        manager.until("output", |farm| farm.task(task).log().contains("> started").then_some(())).await;
        worker.signal(signal);
        assert_eq!(worker.end().await.code(), Some(0));
        assert_ends(&pid_file).await;
        let farm = manager.farm();
        assert_eq!((farm.status.as_str(), farm.task(task).state), ("offline", TaskState::Queued));
        assert_eq!(farm.task(task).statuses(), ["active"]);
    }
}

#[tokio::test]
async fn a_second_signal_stops_at_once_and_leaves_nothing_behind() {
    let manager = FakeManager::start().await;
    let directory = tempfile::tempdir().unwrap();
    let pid_file = directory.path().join("pid");
    let worker = Worker::start(&manager, &directory);
    let script = format!(
        "trap '' TERM; (while :; do sleep 1; done) & echo $! > {}; echo started; while :; do sleep 1; done",
        pid_file.display()
    );
    let task = manager.add_script(&script);
    manager.until("output", |farm| farm.task(task).log().contains("> started").then_some(())).await;
    worker.signal(Signal::SIGTERM);
    sleep(Duration::from_millis(500)).await;
    let second = Instant::now();
    worker.signal(Signal::SIGTERM);
    assert_eq!(worker.end().await.code(), Some(1));
    assert!(second.elapsed() < Duration::from_secs(2), "{:?}", second.elapsed());
    assert_ends(&pid_file).await;
}

#[tokio::test]
async fn a_killed_worker_takes_its_program_along_and_finishes_the_task_later() {
    let manager = FakeManager::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (pid_file, go) = (directory.path().join("pid"), directory.path().join("go"));
    let script = format!(
        "echo $$ > {}; echo started; while ! test -e {}; do sleep 0.05; done; echo end",
        pid_file.display(),
        go.display()
    );
    let worker = Worker::start(&manager, &directory);
    let task = manager.add_script(&script);
    manager.until("output", |farm| farm.task(task).log().contains("> started").then_some(())).await;
    worker.signal(Signal::SIGKILL);
    assert!(!worker.end().await.success());
    assert_ends(&pid_file).await;

    std::fs::write(go, "").unwrap();
    let again = Worker::start(&manager, &directory);
    manager.until_ended(task).await;
    again.signal(Signal::SIGTERM);
    assert_eq!(again.end().await.code(), Some(0));
    let farm = manager.farm();
    assert_eq!(farm.task(task).statuses(), ["active", "active", "completed"]);
    assert_eq!(farm.registrations.len(), 1);
}

#[tokio::test]
async fn a_killed_worker_leaves_no_process_behind() {
    let manager = FakeManager::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    // A grandchild in the group that ignores everything, and one that has left group, parent and output.
    let script = format!(
        "(trap '' TERM HUP INT; while :; do sleep 1; done) & echo $! > {group}; \
         setsid sh -c 'echo $$ > {stray}; exec sleep 1000' >/dev/null 2>&1 </dev/null & \
         while ! test -s {stray}; do sleep 0.05; done; echo started; wait",
        group = file("group").display(),
        stray = file("stray").display(),
    );
    let worker = Worker::start(&manager, &directory);
    let task = manager.add_script(&script);
    manager.until("output", |farm| farm.task(task).log().contains("> started").then_some(())).await;
    worker.signal(Signal::SIGKILL);
    worker.end().await;
    assert_ends(&file("group")).await;
    assert_ends(&file("stray")).await;
}

#[tokio::test]
async fn a_task_that_ended_while_the_manager_was_away_survives_a_killed_worker() {
    let manager = FakeManager::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (go, marker) = (directory.path().join("go"), directory.path().join("marker"));
    let script = format!(
        "while ! test -e {}; do sleep 0.05; done; echo last words; echo x >> {}",
        go.display(),
        marker.display()
    );
    let worker = Worker::start(&manager, &directory);
    let task = manager.add_script(&script);
    manager.until("active", |farm| (farm.task(task).statuses() == ["active"]).then_some(())).await;
    manager.cut();
    std::fs::write(go, "").unwrap();
    let queue = directory.path().join("home/flamenco-worker.sqlite-wal");
    manager
        .until("the end is on disk", |_| contains(&queue, r#""taskStatus":"completed""#).then_some(()))
        .await;
    worker.signal(Signal::SIGKILL);
    worker.end().await;

    manager.restore();
    let again = Worker::start(&manager, &directory);
    manager.until_ended(task).await;
    again.signal(Signal::SIGTERM);
    again.end().await;
    assert_eq!(std::fs::read_to_string(marker).unwrap(), "x\n", "the task ran once");
    let farm = manager.farm();
    assert_eq!(farm.task(task).statuses(), ["active", "completed"]);
    assert!(farm.task(task).log().contains("> last words\n"));
}

#[tokio::test]
async fn the_log_tells_what_it_does_and_why_it_does_not_work() {
    let manager = FakeManager::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let mut command = program(directory.path());
    command.stdout(std::fs::File::create(&path).unwrap()).args(["-manager", &manager.url()]);
    let worker = Worker { process: command.spawn().unwrap() };
    let says = async |text: &str| {
        let told = async {
            while !contains(&path, text) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let log = || std::fs::read_to_string(&path).unwrap();
        assert!(timeout(Duration::from_secs(30), told).await.is_ok(), "{text} is not in:\n{}", log());
    };
    says("flamenco-worker starting").await;
    says("registered").await;
    says("awake; asking the manager for tasks task_types=\"blender, ffmpeg, file-management, misc\"").await;
    manager.farm().holds = false;
    manager.request_status("awake");
    says("the manager has no task for this worker; waiting for one").await;
    manager.request_status("asleep");
    says("asleep; waiting to be woken up").await;
    manager.cut();
    says("asleep, and cannot ask the manager whether to wake up").await;
    manager.restore();
    says("asleep; the manager can be reached again").await;
    manager.request_status("awake");
    manager.until("awake", |farm| (farm.status == "awake").then_some(())).await;
    manager.cut();
    says("cannot get a task from the manager; trying until it works").await;
    says("since=").await;
    manager.restore();
    let task = manager.add_script("echo to the log");
    manager.until_ended(task).await;
    says("task begins").await;
    says("task completed").await;
    worker.signal(Signal::SIGTERM);
    says("stopping; a second signal stops at once").await;
    says("signed off").await;
    assert!(worker.end().await.success());
}
