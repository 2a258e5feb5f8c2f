//! Finding the manager on the network: two programs that were told nothing of each other.

use std::process::Command;

use crate::farm::{Farm, START, STOP};
use crate::processes::{Process, until, worker_program};

/// The addresses in a log of `-find-manager`.
fn found(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.starts_with("http://")).collect()
}

#[tokio::test]
async fn the_worker_finds_a_manager_by_itself() {
    let farm = Farm::new("manager_name: To be found");
    farm.discoverable();
    let manager = farm.start_manager().await;

    let folder = tempfile::tempdir().unwrap();
    let mut search = Command::new(worker_program());
    search.arg("-find-manager").current_dir(folder.path()).env("FLAMENCO_HOME", folder.path().join("home"));
    let output = tokio::task::spawn_blocking(move || search.output()).await.unwrap().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    // Others may answer on a network where people work; whoever it is has to be a manager.
    let addresses = found(&text);
    assert_eq!(addresses.len(), 1, "{text}");
    let client = flamenco_client::Client::builder(addresses[0]).build().unwrap();
    assert!(client.get_version().await.is_ok(), "{addresses:?}");
    assert!(!folder.path().join("home").exists(), "it does not start to work");

    // And when it starts without being told of a manager, it works for the one it finds.
    let home = farm.path("finder");
    std::fs::create_dir(&home).unwrap();
    let mut command = Command::new(worker_program());
    command.current_dir(&home).env("FLAMENCO_HOME", &home).env("FLAMENCO_WORKER_NAME", "finder");
    let log = farm.path("finder.log");
    let worker = Process::start(command, log.clone());
    let line = until("a manager is found", START, async || {
        let log = std::fs::read_to_string(&log).ok()?;
        log.lines().find(|line| line.contains("manager found")).map(str::to_owned)
    })
    .await;
    if line.contains(farm.address()) {
        until("the worker is known", START, async || farm.worker("finder").await).await;
    }
    assert!(worker.terminate(STOP).await.0.success());
    assert!(manager.terminate(STOP).await.0.success());
}
