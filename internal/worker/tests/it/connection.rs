//! Nothing is lost when the manager is away, in trouble, or a stock one.

use std::path::Path;
use std::time::Duration;

use flamenco_worker_core::{Error, ExitReason};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fake_manager::{FakeManager, Fault, TaskState};
use crate::{TestWorker, config, start};

#[tokio::test]
async fn a_cut_of_the_network_loses_nothing() {
    let (manager, home, worker) = start().await;
    let go = home.path().join("go");
    let script = format!("while ! test -e {}; do sleep 0.05; done; seq 1000 1999; echo end", go.display());
    let task = manager.add_script(&script);
    manager.until("active", |farm| (farm.task(task).statuses() == ["active"]).then_some(())).await;
    manager.cut();
    std::fs::write(go, "").unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(manager.farm().task(task).statuses(), ["active"], "the manager hears nothing");
    manager.restore();
    manager.until_ended(task).await;
    let fetches = manager.farm().tasks.iter().filter(|task| task.state == TaskState::Active).count();
    assert_eq!(fetches, 0);
    worker.stop().await;
    let farm = manager.farm();
    let task = farm.task(task);
    assert_eq!(task.statuses(), ["active", "completed"]);
    let log = task.log();
    let positions: Vec<usize> =
        (1000..2000).map(|number| log.find(&format!("> {number}\n")).unwrap()).collect();
    assert!(positions.is_sorted());
    assert_eq!(log.matches("> end\n").count(), 1);
}

#[tokio::test]
async fn a_manager_in_trouble_gets_the_completion_later_and_the_task_runs_once() {
    let (manager, home, worker) = start().await;
    let marker = home.path().join("marker");
    manager.fail_next("task-update", [500, 503, 429].map(Fault::Status));
    let task = manager.add_script(&format!("echo x >> {}", marker.display()));
    manager.until_ended(task).await;
    worker.stop().await;
    assert_eq!(std::fs::read_to_string(marker).unwrap(), "x\n");
    assert_eq!(manager.farm().task(task).statuses(), ["active", "completed"]);
}

#[tokio::test]
async fn a_lost_answer_to_a_fetch_loses_no_task() {
    let (manager, _home, worker) = start().await;
    manager.until("awake", |farm| (farm.count("fetch") > 0).then_some(())).await;
    manager.fail_next("fetch", [Fault::LoseAnswer]);
    manager.fail_next("task-update", [Fault::LoseAnswer]);
    let task = manager.add_task(&[("echo", json!({"message": "x"}))]);
    manager.until_ended(task).await;
    worker.stop().await;
}

/// The pieces of log that came, with what the manager was told of their places.
fn pieces(manager: &FakeManager, task: Uuid) -> Vec<(String, Value)> {
    let farm = manager.farm();
    let updates = farm.task(task).updates.iter();
    let piece = |update: &Value| Some((update["log"].as_str()?.to_owned(), update["log_position"].clone()));
    updates.filter_map(piece).collect()
}

/// A worker that waits for a task, and a manager that wants to know the places of texts. It gets the first text of that
/// task, but the worker cannot know.
async fn with_a_lost_answer(home: &Path) -> (FakeManager, TestWorker) {
    let manager = FakeManager::start().await;
    manager.farm().features = Some(vec!["log-position"]);
    let worker = TestWorker::start(config(&manager, home));
    manager.until("awake", |farm| (farm.count("fetch") > 0).then_some(())).await;
    // The first one says that the task is active, the next one has text.
    manager.fail_next("task-update", [Fault::Slow(Duration::ZERO), Fault::LoseAnswer]);
    (manager, worker)
}

#[tokio::test]
async fn a_piece_of_log_that_is_sent_again_says_so_to_a_manager_that_wants_to_know() {
    let home = tempfile::tempdir().unwrap();
    let (manager, worker) = with_a_lost_answer(home.path()).await;
    let task = manager.add_script("echo one; sleep 0.3; echo two; sleep 0.3; echo three");
    manager.until_ended(task).await;
    worker.stop().await;
    let mut there = String::new();
    let mut repeated = 0;
    let pieces = pieces(&manager, task);
    for (text, position) in &pieces {
        assert_eq!(position["stream"], pieces[0].1["stream"]);
        let offset = usize::try_from(position["offset"].as_u64().unwrap()).unwrap();
        let known = there.len() - offset;
        assert_eq!(there[offset..], text[..known], "what comes again is what came before");
        repeated += known;
        there.push_str(&text[known..]);
    }
    assert!(repeated > 0, "{pieces:?}");
    for line in ["> one\n", "> two\n", "> three\n"] {
        assert_eq!(there.matches(line).count(), 1, "{there}");
    }
}

#[tokio::test]
async fn what_is_left_of_the_last_run_keeps_its_place() {
    let home = tempfile::tempdir().unwrap();
    let (manager, worker) = with_a_lost_answer(home.path()).await;
    let task = manager.add_script("echo one; sleep 60");
    manager.until("some log", |farm| farm.task(task).log().contains("> one").then_some(())).await;
    // Without any chance to put something right.
    worker.task.abort();
    assert!(worker.task.await.unwrap_err().is_cancelled());
    let before = pieces(&manager, task);
    let worker = TestWorker::start(config(&manager, home.path()));
    manager
        .until("it comes again", |farm| {
            let logs = farm.task(task).updates.iter().filter(|update| update["log"].is_string());
            (logs.count() > before.len()).then_some(())
        })
        .await;
    worker.stop().await;
    let after = pieces(&manager, task);
    assert!(after[before.len()].0.starts_with(&before[before.len() - 1].0), "{before:?} and then {after:?}");
    assert_eq!(after[before.len()].1, before[before.len() - 1].1);
    assert!(after[0].1["offset"].is_u64(), "{after:?}");
}

#[tokio::test]
async fn a_stock_manager_is_told_of_no_places() {
    let (manager, _home, worker) = start().await;
    let task = manager.add_task(&[("echo", json!({"message": "x"}))]);
    manager.until_ended(task).await;
    worker.stop().await;
    let farm = manager.farm();
    let updates = &farm.task(task).updates;
    assert!(updates.iter().any(|update| update["log"].is_string()));
    assert!(updates.iter().all(|update| update.get("log_position").is_none()), "{updates:?}");
}

#[tokio::test]
async fn one_refused_update_does_not_hold_up_the_others() {
    let (manager, _home, worker) = start().await;
    manager.farm().refused_log = Some("poison".to_owned());
    let task = manager.add_task(&[
        ("echo", json!({"message": "poison"})),
        ("exec", json!({"exe": "/bin/sh", "args": ["-c", "sleep 0.3; echo healthy"]})),
    ]);
    manager.until_ended(task).await;
    worker.stop().await;
    let farm = manager.farm();
    assert!(farm.task(task).log().contains("> healthy\n"));
    assert_eq!(farm.task(task).statuses(), ["active", "completed"]);
}

#[tokio::test]
async fn a_manager_that_holds_the_request_is_asked_rarely_and_answers_at_once() {
    let (manager, _home, worker) = start().await;
    manager.until("waiting", |farm| (farm.count("fetch") == 1).then_some(())).await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(manager.farm().count("fetch") <= 4, "{}", manager.farm().count("fetch"));
    let task = manager.add_task(&[("echo", json!({"message": "x"}))]);
    let added = tokio::time::Instant::now();
    manager.until_ended(task).await;
    assert!(added.elapsed() < Duration::from_millis(500), "{:?}", added.elapsed());
    worker.stop().await;
}

#[tokio::test]
async fn a_stock_manager_is_asked_less_and_less_often() {
    let (manager, _home, worker) = start().await;
    manager.farm().holds = false;
    let fetches = |farm: &crate::fake_manager::Farm| {
        let times = farm.calls.iter().filter(|(name, _)| name == "fetch").map(|(_, at)| *at);
        times.collect::<Vec<_>>()
    };
    let times =
        manager.until("many fetches", |farm| Some(fetches(farm)).filter(|times| times.len() >= 9)).await;
    let last = times[8].duration_since(times[7]);
    assert!(last >= Duration::from_millis(175), "{last:?}");
    let task = manager.add_task(&[("echo", json!({"message": "x"}))]);
    manager.until_ended(task).await;
    worker.stop().await;
}

#[tokio::test]
async fn what_was_left_is_delivered_at_the_next_start_before_signing_on() {
    let (manager, home, worker) = start().await;
    let go = home.path().join("go");
    let script = format!("while ! test -e {}; do sleep 0.05; done; echo end", go.display());
    let task = manager.add_script(&script);
    manager.until("active", |farm| (farm.task(task).statuses() == ["active"]).then_some(())).await;
    manager.cut();
    std::fs::write(go, "").unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(worker.stop().await, ExitReason::Stopped);

    let mut flush = config(&manager, home.path());
    flush.flush_only = true;
    manager.restore();
    assert_eq!(TestWorker::start(flush).end().await.unwrap(), ExitReason::Flushed);
    let farm = manager.farm();
    assert_eq!(farm.task(task).statuses(), ["active", "completed"]);
    let operations: Vec<&str> = farm.calls.iter().map(|(operation, _)| operation.as_str()).collect();
    let last_update = operations.iter().rposition(|operation| *operation == "task-update").unwrap();
    assert_eq!(operations[last_update + 1..], ["sign-on", "version", "sign-off"]);
}

#[tokio::test]
async fn a_worker_that_is_refused_for_good_says_why() {
    let manager = crate::FakeManager::start().await;
    manager.fail_next("register", [Fault::Status(400)]);
    let home = tempfile::tempdir().unwrap();
    let error = TestWorker::start(config(&manager, home.path())).end().await.unwrap_err();
    assert!(matches!(error, Error::Refused { what: "register", .. }), "{error:?}");
    assert!(error.to_string().contains("as told by the test"), "{error}");
}

/// A proxy in between, while the manager behind it is away.
#[tokio::test]
async fn the_pages_of_a_proxy_are_not_the_managers_word() {
    let (manager, home, worker) = start().await;
    manager.until("awake", |farm| (farm.count("fetch") > 0).then_some(())).await;
    worker.stop().await;
    manager.fail_next("sign-on", [Fault::Page(403), Fault::Page(404), Fault::Page(401)]);
    let worker = TestWorker::start(config(&manager, home.path()));
    manager.until("signed on", |farm| (farm.sign_ons.len() == 2).then_some(())).await;
    // The first one says that the task is active; then there is a page for each.
    manager.fail_next("task-update", [Fault::Slow(Duration::ZERO), Fault::Page(404), Fault::Page(409)]);
    let task = manager.add_task(&[("echo", json!({"message": "behind a proxy"}))]);
    manager.until_ended(task).await;
    worker.stop().await;
    let farm = manager.farm();
    assert_eq!(farm.registrations.len(), 1, "it is the same worker");
    assert_eq!(farm.task(task).statuses(), ["active", "completed"]);
    assert!(farm.task(task).log().contains("behind a proxy"));
}
