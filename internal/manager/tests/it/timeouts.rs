//! Workers that vanish and tasks that nobody hears of. The clock is moved by hand; what is really waited for is the
//! first look of the loop, five seconds after the start.

use std::time::Duration;

use chrono::TimeDelta;
use flamenco_testkit::api::operations::ScheduleTaskResponse;
use flamenco_testkit::api::types::WorkerStatus;
use flamenco_testkit::{Builder, FakeWorker, LiveUpdates, Protocol, TestManager};
use serde_json::json;

use crate::{eventually, tasks};

on_each_database!(
    another_worker_completes_what_a_vanished_one_had,
    a_task_that_nobody_hears_of_goes_to_another_worker,
    a_timeout_that_is_set_later_counts_at_once
);

/// Longer than the first look and the one after it.
const PATIENCE: Duration = Duration::from_secs(12);

async fn status(farm: &TestManager, worker: &FakeWorker) -> String {
    let found = farm.get(&format!("/api/v3/worker-mgt/workers/{}", worker.id)).await.expect(200).json();
    found["status"].as_str().unwrap().to_owned()
}

async fn another_worker_completes_what_a_vanished_one_had(farm: Builder) {
    let farm = farm.with_yaml("worker_timeout: 1s\ntask_timeout: 0s").start().await;
    let job = farm.submit("job", tasks(2)).await;
    let (vanished, other) = (farm.worker("vanished").await, farm.worker("other").await);
    vanished.sign_on_as(true).await;
    vanished.report_status(WorkerStatus::Awake).await;
    let away = FakeWorker::register(&farm, "away", &["blender"]).await;
    away.sign_on().await;
    away.sign_off().await;
    let task = vanished.take().await;
    let kept = other.take().await;
    let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
    live.subscribe("allWorkers", None).await;

    farm.clock().advance(TimeDelta::seconds(60));
    other.log(kept.uuid, "still here").await;
    eventually("the worker is in error", PATIENCE, async || status(&farm, &vanished).await == "error").await;
    assert_eq!(farm.task_statuses(&job).await, "queued active", "a worker that lives keeps its task");
    assert_eq!((status(&farm, &other).await, status(&farm, &away).await), ("awake".into(), "offline".into()));
    let event = live.until("/workers", |event| event["status"] == "error").await;
    assert_eq!((&event["previous_status"], &event["name"]), (&json!("awake"), &json!("vanished")));
    assert_eq!(event["status_change"], json!({ "status": "awake", "is_lazy": false }));
    assert!(event["last_seen"].is_string() && event["can_restart"] == true, "{event}");
    let log = farm.get(&format!("/api/v3/tasks/{}/logtail", task.uuid)).await.expect(200).text();
    assert!(log.contains("timed out"), "{log}");

    other.complete(&kept).await;
    let again = other.take().await;
    assert_eq!(again.uuid, task.uuid);
    other.complete(&again).await;
    assert_eq!(farm.job_status(&job).await, "completed");

    // It was only away from the network, and goes on without anybody's help.
    assert_eq!(vanished.report_task(task.uuid, "completed").await, 409);
    match vanished.ask(None).await {
        ScheduleTaskResponse::Status423(wanted) => assert_eq!(wanted.status_requested, WorkerStatus::Awake),
        other => panic!("{other:?}"),
    }
    vanished.report_status(WorkerStatus::Awake).await;
    assert_eq!(vanished.take_if_any().await, None);
    let shown = farm.get(&format!("/api/v3/worker-mgt/workers/{}", vanished.id)).await.expect(200).json();
    assert_eq!((&shown["status"], shown.get("status_change")), (&json!("awake"), None));
    farm.stop().await;
}

async fn a_task_that_nobody_hears_of_goes_to_another_worker(farm: Builder) {
    let farm = farm.with_yaml("worker_timeout: 0s\ntask_timeout: 1s").start().await;
    let job = farm.submit("job", tasks(2)).await;
    let (silent, other) = (farm.worker("silent").await, farm.worker("other").await);
    let task = silent.take().await;
    let kept = other.take().await;
    farm.clock().advance(TimeDelta::seconds(60));
    assert!(other.may_run(kept.uuid).await.may_keep_running);
    eventually("the task timed out", PATIENCE, async || {
        farm.task_statuses(&job).await == "soft-failed active"
    })
    .await;
    let stored = farm.task(&task.uuid.to_string()).await;
    assert!(stored["activity"].as_str().unwrap().contains("silent"), "{stored}");
    assert_eq!(stored["failed_by_workers"][0]["id"], silent.id.to_string());
    assert_eq!(status(&farm, &silent).await, "awake", "workers do not time out here");
    assert_eq!(silent.report_task(task.uuid, "completed").await, 409);
    other.complete(&kept).await;
    let again = other.take().await;
    assert_eq!(again.uuid, task.uuid);
    other.complete(&again).await;
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}

async fn a_timeout_that_is_set_later_counts_at_once(farm: Builder) {
    let farm = farm.with_yaml("worker_timeout: 0s\ntask_timeout: 0s").start().await;
    let vanished = farm.worker("vanished").await;
    farm.clock().advance(TimeDelta::seconds(60));
    let file = "/api/v3/configuration/file";
    let mut settings = farm.get(file).await.expect(200).json();
    for timeout in ["worker_timeout", "task_timeout"] {
        settings[timeout] = json!("4h");
        farm.put(file, &settings).await.no_content();
    }
    settings["worker_timeout"] = json!("1s");
    farm.put(file, &settings).await.no_content();
    eventually("the worker is in error", PATIENCE, async || status(&farm, &vanished).await == "error").await;
    farm.stop().await;
}
