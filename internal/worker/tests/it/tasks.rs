//! Running tasks, and what the manager hears of them.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::fake_manager::{Fault, TaskState};
use crate::start;

#[tokio::test]
async fn updates_come_in_order_and_tell_everything() {
    let (manager, home, worker) = start().await;
    let new = home.path().join("new/directory");
    let task = manager.add_task(&[
        ("echo", json!({"message": "first"})),
        ("make-directory", json!({"path": new.to_str().unwrap()})),
        ("exec", json!({"exe": "/bin/sh", "args": ["-c", "echo from the shell; echo wörld"]})),
    ]);
    manager.until_ended(task).await;
    worker.stop().await;
    assert!(new.is_dir());
    let farm = manager.farm();
    let task = farm.task(task);
    assert_eq!(task.updates.first(), Some(&json!({"activity": "Started", "taskStatus": "active"})));
    assert_eq!(task.updates.last(), Some(&json!({"activity": "Completed", "taskStatus": "completed"})));
    assert_eq!(task.statuses(), ["active", "completed"]);
    let steps = task.steps();
    assert!(steps.is_sorted() && steps.last() == Some(&3), "{steps:?}");
    let log = task.log();
    let positions =
        ["echo: \"first\"", "make-directory: creating", "going to run:", "> from the shell\n", "> wörld\n"]
            .map(|part| log.find(part).unwrap_or_else(|| panic!("{part} is missing in {log}")));
    assert!(positions.is_sorted(), "{log}");
    let null_fields = task.updates.iter().flat_map(|update| update.as_object().unwrap().values());
    assert!(null_fields.into_iter().all(|value| !value.is_null()));
}

#[tokio::test]
async fn a_task_without_commands_completes() {
    let (manager, _home, worker) = start().await;
    let task = manager.add_task(&[]);
    manager.until_ended(task).await;
    worker.stop().await;
    assert_eq!(manager.farm().task(task).statuses(), ["active", "completed"]);
}

#[tokio::test]
async fn a_failure_is_reported_with_its_reason_and_ends_the_task() {
    let (manager, home, worker) = start().await;
    let marker = home.path().join("marker");
    let task = manager.add_task(&[
        ("exec", json!({"exe": "/bin/sh", "args": ["-c", "echo output; exit 3"]})),
        ("make-directory", json!({"path": marker.to_str().unwrap()})),
    ]);
    let unknown = manager.add_task(&[("no-such-command", json!({}))]);
    manager.until_ended(task).await;
    manager.until_ended(unknown).await;
    worker.stop().await;
    assert!(!marker.exists(), "nothing runs after a failure");
    let farm = manager.farm();
    let last = farm.task(task).updates.last().unwrap();
    assert_eq!(last["taskStatus"], "failed");
    assert_eq!(last["activity"], "Failed: /bin/sh exited abnormally with code 3");
    assert_eq!(last["log"], format!("{}\n", last["activity"].as_str().unwrap()));
    assert!(farm.task(task).log().contains("> output\n"));
    let reason = farm.task(unknown).updates.last().unwrap()["activity"].as_str().unwrap().to_owned();
    assert!(reason.contains("no-such-command"), "{reason}");
}

#[tokio::test]
async fn a_task_that_was_given_away_is_not_begun() {
    let (manager, home, worker) = start().await;
    let marker = home.path().join("marker");
    manager.fail_next("task-update", [Fault::Status(409)]);
    let task = manager.add_script(&format!("echo x >> {}", marker.display()));
    manager.until("asked again", |farm| (farm.count("fetch") > 1).then_some(())).await;
    manager.until_ended(task).await;
    worker.stop().await;
    assert_eq!(std::fs::read_to_string(marker).unwrap(), "x\n", "only the second time");
    assert_eq!(manager.farm().task(task).statuses(), ["active", "completed"]);
}

#[tokio::test]
async fn a_refused_task_stops_and_says_no_more() {
    let (manager, home, worker) = start().await;
    let pid_file = home.path().join("pid");
    let task =
        manager.add_script(&format!("sleep 1000 & echo $! > {}; echo started; wait", pid_file.display()));
    manager.until("output", |farm| farm.task(task).log().contains("> started").then_some(())).await;
    let updates = manager.farm().task(task).updates.len();
    for other in &mut manager.farm().tasks {
        other.state = TaskState::Revoked;
    }
    let next = manager.add_task(&[("echo", json!({"message": "next"}))]);
    manager.until_ended(next).await;
    worker.stop().await;
    assert_eq!(manager.farm().task(task).updates.len(), updates);
    assert_eq!(manager.farm().task(task).statuses(), ["active"]);
    let pid = std::fs::read_to_string(pid_file).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
    assert!(status.is_empty() || status.contains("State:\tZ"), "the grandchild lives: {status}");
}

#[tokio::test]
async fn a_conflict_while_running_stops_the_task() {
    let (manager, _home, worker) = start().await;
    let task = manager.add_script("echo started; while :; do echo tick; sleep 0.1; done");
    manager.until("output", |farm| farm.task(task).log().contains("> started").then_some(())).await;
    // Only the task updates say so, as with a manager that is slow to answer may-i-run.
    manager.fail_next("may-i-run", [Fault::Slow(Duration::from_secs(60))]);
    manager.farm().tasks[0].state = TaskState::Revoked;
    let next = manager.add_task(&[("echo", json!({"message": "next"}))]);
    manager.until_ended(next).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_running_task_survives_troubled_questions() {
    let (manager, _home, worker) = start().await;
    let faults =
        [Fault::Status(500), Fault::LoseAnswer, Fault::Status(404), Fault::Status(403), Fault::Status(502)];
    manager.fail_next("may-i-run", faults);
    let task = manager.add_script("sleep 2; echo done");
    manager.until_ended(task).await;
    worker.stop().await;
    let farm = manager.farm();
    assert_eq!(farm.task(task).statuses(), ["active", "completed"]);
    assert!(farm.count("may-i-run") > 5);
    assert_eq!(farm.registrations.len(), 1);
}

#[tokio::test]
async fn the_first_question_comes_at_once() {
    let (manager, _home, worker) = start().await;
    let task = manager.add_script("sleep 0.5");
    manager.until_ended(task).await;
    worker.stop().await;
    let farm = manager.farm();
    let at = |operation: &str| farm.calls.iter().find(|(name, _)| name == operation).unwrap().1;
    assert!(at("may-i-run").duration_since(at("task-update")) < Duration::from_millis(300));
}

#[tokio::test]
async fn stopping_the_worker_stops_the_task_without_a_verdict() {
    let (manager, home, worker) = start().await;
    let pid_file = home.path().join("pid");
    let task = manager.add_script(&format!("echo $$ > {}; echo started; sleep 1000", pid_file.display()));
    manager.until("output", |farm| farm.task(task).log().contains("> started").then_some(())).await;
    worker.stop().await;
    let farm = manager.farm();
    assert_eq!(farm.task(task).statuses(), ["active"]);
    assert!(farm.task(task).log().contains("the worker shuts down"));
    assert_eq!(farm.task(task).state, TaskState::Queued, "signing off gives it back");
    let pid = std::fs::read_to_string(pid_file).unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{}/exe", pid.trim())).exists());
}

#[tokio::test]
async fn a_slow_manager_does_not_slow_the_command() {
    let (manager, home, worker) = start().await;
    let marker = home.path().join("marker");
    manager.fail_next("task-update", [Fault::Slow(Duration::ZERO), Fault::Slow(Duration::from_secs(5))]);
    let started = Instant::now();
    let task = manager.add_script(&format!("seq 1 200000; touch {}", marker.display()));
    manager.until("the command is done", |_| marker.exists().then_some(())).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    manager.until_ended(task).await;
    worker.stop().await;
    let log = manager.farm().task(task).log();
    assert!(log.contains("> 1\n") && log.contains("> 200000\n"), "start and end are kept");
}

#[tokio::test]
async fn tasks_follow_one_another_without_a_pause() {
    let (manager, _home, worker) = start().await;
    let tasks: Vec<_> = (0..20).map(|_| manager.add_task(&[("echo", json!({"message": "x"}))])).collect();
    let started = Instant::now();
    manager.until_ended(tasks[19]).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    worker.stop().await;
}
