//! Disabled workers get no tasks until a person enables them. What plays the worker here knows nothing of it.

use std::time::Duration;

use chrono::{Datelike, Local};
use flamenco_testkit::api::operations::ScheduleTaskResponse;
use flamenco_testkit::api::types::WorkerStatus;
use flamenco_testkit::{Builder, FakeWorker, LiveUpdates, Protocol, Reply, TestManager};
use serde_json::{Value, json};

use crate::{UNKNOWN, eventually, tasks};

on_each_database!(
    a_disabled_worker_finishes_its_task_and_gets_no_other,
    its_task_goes_back_at_once_when_that_is_asked_for,
    it_stays_disabled_whatever_happens,
    a_worker_that_waits_for_work_gets_it_when_it_is_enabled,
    watchers_are_told,
    without_enabled_workers_the_farm_is_inoperative,
    a_job_waits_for_those_that_are_disabled,
    requests_that_are_refused,
);

async fn switch(farm: &TestManager, worker: &FakeWorker, change: Value) -> Reply {
    farm.post(&format!("/api/v3/worker-mgt/workers/{}/setenabled", worker.id), &change).await
}

async fn fetch(farm: &TestManager, worker: &FakeWorker) -> Value {
    farm.get(&format!("/api/v3/worker-mgt/workers/{}", worker.id)).await.expect(200).json()
}

async fn log(farm: &TestManager, task: uuid::Uuid) -> String {
    farm.get(&format!("/api/v3/tasks/{task}/logtail")).await.expect(200).text()
}

async fn a_disabled_worker_finishes_its_task_and_gets_no_other(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(2)).await;
    let (worker, other) = (farm.worker("w").await, farm.worker("other").await);
    assert_eq!(fetch(&farm, &worker).await["enabled"], true);
    let task = worker.take().await;
    switch(&farm, &worker, json!({ "enabled": false, "reason": " Its fan is noisy " })).await.no_content();
    let shown = fetch(&farm, &worker).await;
    assert_eq!((&shown["enabled"], &shown["disabled_reason"]), (&json!(false), &json!("Its fan is noisy")));
    let since = shown["disabled_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert!((farm.now() - since).num_seconds().abs() < 60, "{since}");
    assert_eq!(shown["status"], "awake", "its status is another matter");
    let all = farm.get("/api/v3/worker-mgt/workers").await.expect(200).json();
    let listed = all["workers"].as_array().unwrap().iter();
    let listed: Vec<Value> = listed.map(|w| json!([w["name"], w["enabled"], w["disabled_reason"]])).collect();
    assert_eq!(listed, [json!(["other", true, null]), json!(["w", false, "Its fan is noisy"])]);

    assert!(worker.may_run(task.uuid).await.may_keep_running, "after its task is the default");
    assert_eq!(worker.take().await.uuid, task.uuid, "when it lost the answer it gets its task again");
    worker.complete(&task).await;
    assert!(matches!(worker.ask(None).await, ScheduleTaskResponse::Status204));
    assert_eq!(farm.task_statuses(&job).await, "completed queued");
    other.complete(&other.take().await).await;
    assert_eq!(farm.job_status(&job).await, "completed");

    farm.submit("next", tasks(1)).await;
    assert_eq!(worker.take_if_any().await, None);
    switch(&farm, &worker, json!({ "enabled": true })).await.no_content();
    let shown = fetch(&farm, &worker).await;
    assert_eq!(
        (&shown["enabled"], shown.get("disabled_reason"), shown.get("disabled_at")),
        (&json!(true), None, None)
    );
    worker.complete(&worker.take().await).await;
    farm.stop().await;
}

async fn its_task_goes_back_at_once_when_that_is_asked_for(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let (worker, other) = (farm.worker("w").await, farm.worker("other").await);
    let task = worker.take().await;
    switch(&farm, &worker, json!({ "enabled": false, "when": "now", "reason": "smoke" })).await.no_content();
    assert_eq!(farm.task_statuses(&job).await, "queued");
    let answer = worker.may_run(task.uuid).await;
    assert!(!answer.may_keep_running && !answer.status_change_requested, "{}", answer.reason);
    assert_eq!(worker.report_task(task.uuid, "failed").await, 409);
    assert_eq!(worker.take_if_any().await, None);
    let text = log(&farm, task.uuid).await;
    assert!(text.contains("worker w was disabled: smoke"), "{text}");
    assert_eq!(farm.task(&task.uuid.to_string()).await["failed_by_workers"], json!([]), "it is no failure");
    assert_eq!(other.take().await.uuid, task.uuid);

    // Also when it was disabled before, and only now somebody cannot wait.
    switch(&farm, &other, json!({ "enabled": false, "when": "after-task" })).await.no_content();
    assert!(other.may_run(task.uuid).await.may_keep_running);
    switch(&farm, &other, json!({ "enabled": false, "when": "now" })).await.no_content();
    assert_eq!(farm.task_statuses(&job).await, "queued");
    farm.stop().await;
}

async fn it_stays_disabled_whatever_happens(farm: Builder) {
    let mut farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let worker = farm.worker("w").await;
    switch(&farm, &worker, json!({ "enabled": false, "reason": "fan" })).await.no_content();
    let before = fetch(&farm, &worker).await;

    // The sleep schedule sends it to sleep and wakes it up.
    let path = format!("/api/v3/worker-mgt/workers/{}/sleep-schedule", worker.id);
    let schedule =
        |days: &str| json!({ "is_active": true, "days_of_week": days, "start_time": "", "end_time": "" });
    farm.post(&path, &schedule("")).await.no_content();
    assert!(matches!(worker.ask(None).await, ScheduleTaskResponse::Status423(_)));
    worker.report_status(WorkerStatus::Asleep).await;
    let today = farm.now().with_timezone(&Local).weekday().num_days_from_monday() as usize;
    let other_day = ["mo", "tu", "we", "th", "fr", "sa", "su"][(today + 3) % 7];
    farm.post(&path, &schedule(other_day)).await.no_content();
    assert_eq!(fetch(&farm, &worker).await["status_change"]["status"], "awake");
    worker.report_status(WorkerStatus::Awake).await;
    assert_eq!(worker.take_if_any().await, None);

    // The worker restarts, and the manager.
    worker.sign_off().await;
    worker.wake_up().await;
    assert_eq!(worker.take_if_any().await, None);
    farm.restart().await;
    let worker = worker.reconnected(&farm);
    assert_eq!(worker.take_if_any().await, None);
    worker.wake_up().await;
    assert_eq!(worker.take_if_any().await, None);
    let after = fetch(&farm, &worker).await;
    for key in ["enabled", "disabled_reason", "disabled_at"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!(farm.task_statuses(&job).await, "queued");

    switch(&farm, &worker, json!({ "enabled": false, "reason": "disk" })).await.no_content();
    let again = fetch(&farm, &worker).await;
    assert_eq!((&again["disabled_reason"], &again["disabled_at"]), (&json!("disk"), &before["disabled_at"]));
    switch(&farm, &worker, json!({ "enabled": true, "reason": "not said of what is enabled" }))
        .await
        .no_content();
    assert_eq!(fetch(&farm, &worker).await.get("disabled_reason"), None);
    worker.complete(&worker.take().await).await;
    farm.stop().await;
}

async fn a_worker_that_waits_for_work_gets_it_when_it_is_enabled(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    switch(&farm, &worker, json!({ "enabled": false })).await.no_content();
    farm.submit("job", tasks(1)).await;
    let waiting = worker.ask(Some(20));
    let enabling = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        switch(&farm, &worker, json!({ "enabled": true })).await.no_content();
    };
    let started = std::time::Instant::now();
    let (answer, ()) = tokio::join!(waiting, enabling);
    assert!(matches!(answer, ScheduleTaskResponse::Status200(_)), "{answer:?}");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    farm.stop().await;
}

async fn watchers_are_told(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
    live.subscribe("allWorkers", None).await;
    switch(&farm, &worker, json!({ "enabled": false, "reason": "fan" })).await.no_content();
    let event = live.until("/workers", |event| event["enabled"] == json!(false)).await;
    assert_eq!((&event["id"], &event["disabled_reason"]), (&json!(worker.id), &json!("fan")));
    assert!(event["disabled_at"].is_string(), "{event}");
    assert_eq!((&event["status"], event.get("previous_status")), (&json!("awake"), None));
    switch(&farm, &worker, json!({ "enabled": true })).await.no_content();
    let event = live.until("/workers", |event| event["enabled"] == json!(true)).await;
    assert_eq!((event.get("disabled_reason"), event.get("disabled_at")), (None, None));
    switch(&farm, &worker, json!({ "enabled": true })).await.no_content();
    let quiet = live.drain(Duration::from_millis(300)).await;
    assert!(!quiet.iter().any(|(name, _)| name == "/workers"), "nothing has changed: {quiet:?}");
    farm.stop().await;
}

async fn without_enabled_workers_the_farm_is_inoperative(farm: Builder) {
    let farm = farm.start().await;
    let becomes = async |status: &str, reason: Value| {
        let want = (json!(status), reason);
        eventually(&format!("{want:?}"), Duration::from_secs(5), async || {
            let found = farm.get("/api/v3/status").await.expect(200).json();
            (found["status"].clone(), found["reason"].clone()) == want
        })
        .await;
    };
    becomes("inoperative", json!("there are no workers")).await;
    let (first, second) = (farm.worker("first").await, farm.worker("second").await);
    becomes("idle", Value::Null).await;
    let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
    switch(&farm, &first, json!({ "enabled": false })).await.no_content();
    becomes("idle", Value::Null).await;
    switch(&farm, &second, json!({ "enabled": false })).await.no_content();
    becomes("inoperative", json!("all workers are disabled")).await;
    let event = live.until("/status", |event| event["status"] == "inoperative").await;
    assert_eq!(event["reason"], "all workers are disabled");
    farm.submit("job", tasks(1)).await;
    becomes("inoperative", json!("all workers are disabled")).await;
    switch(&farm, &first, json!({ "enabled": true })).await.no_content();
    becomes("waiting", Value::Null).await;
    first.sign_off().await;
    becomes("inoperative", json!("no worker is available: 1 disabled, 1 offline or in error")).await;
    switch(&farm, &second, json!({ "enabled": true })).await.no_content();
    becomes("waiting", Value::Null).await;
    farm.stop().await;
}

async fn a_job_waits_for_those_that_are_disabled(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let (worker, disabled) = (farm.worker("w").await, farm.worker("disabled").await);
    switch(&farm, &disabled, json!({ "enabled": false })).await.no_content();
    let task = worker.take().await;
    worker.fail(&task).await;
    assert_eq!(farm.job_status(&job).await, "active", "the disabled one may come back");
    assert_eq!(farm.task_statuses(&job).await, "soft-failed");
    let text = log(&farm, task.uuid).await;
    assert!(text.contains("all others that could run it are disabled"), "{text}");
    assert_eq!(worker.take_if_any().await, None);
    switch(&farm, &disabled, json!({ "enabled": true })).await.no_content();
    disabled.complete(&disabled.take().await).await;
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}

async fn requests_that_are_refused(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    for (wrong, word) in [
        (json!({}), "enabled"),
        (json!({ "enabled": "no" }), "boolean"),
        (json!({ "enabled": false, "when": "later" }), "after-task"),
        (json!({ "enabled": false, "reason": "x".repeat(1001) }), "reason"),
    ] {
        let message = switch(&farm, &worker, wrong.clone()).await.problem(400);
        assert!(message.contains(word), "{wrong}: {message}");
    }
    assert_eq!(fetch(&farm, &worker).await["enabled"], true, "nothing changed");
    let unknown = format!("/api/v3/worker-mgt/workers/{UNKNOWN}/setenabled");
    let _ = farm.post(&unknown, &json!({ "enabled": false })).await.problem(404);
    farm.stop().await;
}
