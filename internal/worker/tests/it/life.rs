//! Registration, states, and stopping.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use flamenco_worker_core::ExitReason;
use serde_json::json;

use crate::fake_manager::{FakeManager, Fault};
use crate::{TestWorker, config, start};

const CREDENTIALS: &str = "flamenco-worker-credentials.yaml";

#[tokio::test]
async fn registers_signs_on_works_and_signs_off() {
    let (manager, home, worker) = start().await;
    let task = manager.add_task(&[("echo", json!({"message": "hello"}))]);
    manager.until_ended(task).await;
    assert_eq!(worker.stop().await, ExitReason::Stopped);

    let farm = manager.farm();
    assert_eq!(farm.registrations.len(), 1);
    let registration = &farm.registrations[0];
    assert_eq!(registration["name"], "test-worker");
    assert_eq!(registration["supported_task_types"], json!(["misc"]));
    assert_eq!(registration["platform"], "linux");
    assert_eq!(registration["secret"].as_str().unwrap().len(), 64);
    let expected = json!({
        "name": "test-worker", "supported_task_types": ["misc"], "software_version": "1.2.3", "can_restart": false,
    });
    assert_eq!(farm.sign_ons, [expected]);
    assert_eq!(farm.status, "offline");
    let operations: Vec<&str> = farm.calls.iter().map(|(operation, _)| operation.as_str()).collect();
    assert_eq!(operations[..5], ["register", "sign-on", "version", "state-changed", "fetch"]);
    assert_eq!(operations.last(), Some(&"sign-off"));
    let mode = std::fs::metadata(home.path().join(CREDENTIALS)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn stored_credentials_are_used_again() {
    let (manager, home, worker) = start().await;
    manager.until("awake", |farm| (farm.status == "awake").then_some(())).await;
    worker.stop().await;
    let again = TestWorker::start(config(&manager, home.path()));
    manager.until("signed on again", |farm| (farm.status == "awake").then_some(())).await;
    again.stop().await;
    assert_eq!(manager.farm().registrations.len(), 1);
    assert_eq!(manager.farm().sign_ons.len(), 2);

    let mut fresh = config(&manager, home.path());
    fresh.register_again = true;
    let fresh = TestWorker::start(fresh);
    manager.until("registered again", |farm| (farm.registrations.len() == 2).then_some(())).await;
    fresh.stop().await;
}

#[tokio::test]
async fn a_manager_in_trouble_does_not_cause_a_new_registration() {
    let (manager, home, worker) = start().await;
    manager.until("awake", |farm| (farm.status == "awake").then_some(())).await;
    worker.stop().await;
    manager.fail_next("sign-on", [Fault::Status(500), Fault::Status(503)]);
    let again = TestWorker::start(config(&manager, home.path()));
    manager.until("awake again", |farm| (farm.status == "awake").then_some(())).await;
    again.stop().await;
    assert_eq!(manager.farm().registrations.len(), 1);
    assert_eq!(manager.farm().count("sign-on"), 4);
}

#[tokio::test]
async fn registration_waits_for_the_manager() {
    let manager = FakeManager::start().await;
    manager.cut();
    let home = tempfile::tempdir().unwrap();
    let worker = TestWorker::start(config(&manager, home.path()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    manager.restore();
    manager.fail_next("register", [Fault::Status(502)]);
    manager.until("awake", |farm| (farm.status == "awake").then_some(())).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_forgotten_worker_registers_anew_without_a_restart() {
    let (manager, home, worker) = start().await;
    manager.until("awake", |farm| (farm.count("fetch") > 0).then_some(())).await;
    let before = std::fs::read_to_string(home.path().join(CREDENTIALS)).unwrap();
    manager.farm().workers.clear();
    let task = manager.add_task(&[("echo", json!({"message": "hello"}))]);
    manager.until("registered again", |farm| (farm.registrations.len() == 2).then_some(())).await;
    manager.until_ended(task).await;
    worker.stop().await;
    assert_ne!(std::fs::read_to_string(home.path().join(CREDENTIALS)).unwrap(), before);
    assert_eq!(std::fs::read_to_string(home.path().join(format!("{CREDENTIALS}.old"))).unwrap(), before);
}

#[tokio::test]
async fn a_single_denial_only_leads_to_signing_on_again() {
    let (manager, _home, worker) = start().await;
    manager.until("awake", |farm| (farm.count("fetch") > 0).then_some(())).await;
    manager.fail_next("fetch", [Fault::Status(403)]);
    manager.until("signed on again", |farm| (farm.sign_ons.len() == 2).then_some(())).await;
    let task = manager.add_task(&[("echo", json!({"message": "hello"}))]);
    manager.until_ended(task).await;
    worker.stop().await;
    assert_eq!(manager.farm().registrations.len(), 1);
}

#[tokio::test]
async fn a_second_worker_in_the_same_home_is_refused() {
    let (manager, home, worker) = start().await;
    manager.until("awake", |farm| (farm.status == "awake").then_some(())).await;
    let error = TestWorker::start(config(&manager, home.path())).end().await.unwrap_err().to_string();
    assert!(error.contains("FLAMENCO_HOME"), "{error}");
    worker.stop().await;
}

#[tokio::test]
async fn the_state_is_reported_until_the_manager_knows_it() {
    let manager = FakeManager::start().await;
    manager.fail_next("state-changed", [Fault::Status(500), Fault::Status(404), Fault::Status(400)]);
    let home = tempfile::tempdir().unwrap();
    let worker = TestWorker::start(config(&manager, home.path()));
    manager.until("awake", |farm| (farm.count("fetch") > 0).then_some(())).await;
    assert_eq!(manager.farm().status, "awake");
    assert_eq!(manager.farm().count("state-changed"), 4);
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_that_the_manager_takes_for_lost_reports_itself() {
    let (manager, _home, worker) = start().await;
    manager.until("awake", |farm| (farm.count("fetch") > 0).then_some(())).await;
    manager.farm().status = "error".to_owned();
    manager.until("awake again", |farm| (farm.status == "awake").then_some(())).await;
    let task = manager.add_task(&[("echo", json!({"message": "hello"}))]);
    manager.until_ended(task).await;
    worker.stop().await;
    assert_eq!(manager.farm().sign_ons.len(), 1);
}

#[tokio::test]
async fn goes_to_sleep_and_wakes_up() {
    let (manager, _home, worker) = start().await;
    manager.until("awake", |farm| (farm.status == "awake").then_some(())).await;
    manager.request_status("asleep");
    manager.until("asleep", |farm| (farm.status == "asleep").then_some(())).await;
    let task = manager.add_task(&[("echo", json!({"message": "hello"}))]);
    let polls = manager.farm().count("state");
    manager.until("polls", |farm| (farm.count("state") > polls + 2).then_some(())).await;
    assert!(manager.farm().task(task).updates.is_empty(), "a worker that sleeps runs nothing");
    manager.fail_next("state", [Fault::Status(500), Fault::LoseAnswer]);
    manager.request_status("awake");
    manager.until_ended(task).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_status_that_no_worker_can_have_means_asleep() {
    let (manager, _home, worker) = start().await;
    manager.until("awake", |farm| (farm.status == "awake").then_some(())).await;
    manager.request_status("testing");
    manager.until("asleep", |farm| (farm.status == "asleep").then_some(())).await;
    worker.stop().await;
}

#[tokio::test]
async fn stops_when_the_manager_says_so() {
    let (manager, home, worker) = start().await;
    manager.until("awake", |farm| (farm.status == "awake").then_some(())).await;
    manager.request_status("offline");
    assert_eq!(worker.end().await.unwrap(), ExitReason::Offline);
    assert_eq!(manager.farm().status, "offline");
    assert_eq!(manager.farm().requested, None, "signing off answers the request");

    let mut restartable = config(&manager, home.path());
    restartable.restart_exit_code = Some(47);
    let worker = TestWorker::start(restartable);
    manager.until("awake", |farm| (farm.status == "awake").then_some(())).await;
    assert_eq!(manager.farm().sign_ons[1]["can_restart"], true);
    manager.request_status("restart");
    let reason = worker.end().await.unwrap();
    assert_eq!((reason, reason.exit_code()), (ExitReason::Restart { exit_code: 47 }, 47));
}

#[tokio::test]
async fn an_immediate_request_stops_the_task_and_is_obeyed_at_once() {
    let (manager, _home, worker) = start().await;
    let task = manager.add_script("echo started; sleep 1000");
    manager.until("output", |farm| farm.task(task).log().contains("> started").then_some(())).await;
    manager.request_status("asleep");
    manager.until("asleep", |farm| (farm.status == "asleep").then_some(())).await;
    worker.stop().await;
    let farm = manager.farm();
    assert_eq!(farm.count("fetch"), 1, "the state is asked for directly");
    assert_eq!(farm.task(task).statuses(), ["active"], "what becomes of the task is the manager's decision");
    assert!(
        farm.task(task).log().contains("another worker status was requested"),
        "{}",
        farm.task(task).log()
    );
}
