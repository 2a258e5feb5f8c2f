//! When workers sleep. All day and never are the same in every time zone.

use flamenco_testkit::api::types::WorkerStatus;
use flamenco_testkit::{Builder, FakeWorker, TestManager};
use serde_json::{Value, json};

use crate::UNKNOWN;

on_each_database!(a_schedule_is_kept_and_applied, schedules_that_are_refused);

fn schedule(is_active: bool, days: &str, start: &str, end: &str) -> Value {
    json!({ "is_active": is_active, "days_of_week": days, "start_time": start, "end_time": end })
}

fn path(worker: &FakeWorker) -> String {
    format!("/api/v3/worker-mgt/workers/{}/sleep-schedule", worker.id)
}

async fn requested(farm: &TestManager, worker: &FakeWorker) -> Value {
    let found = farm.get(&format!("/api/v3/worker-mgt/workers/{}", worker.id)).await.expect(200).json();
    found["status_change"]["status"].clone()
}

async fn a_schedule_is_kept_and_applied(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    let _ = farm.get(&path(&worker)).await.expect(204);
    farm.post(&path(&worker), &schedule(false, "  monday  tue WE\n", "09:00", "18:00")).await.no_content();
    let kept = farm.get(&path(&worker)).await.expect(200).json();
    assert_eq!(kept, schedule(false, "mo tu we", "09:00", "18:00"));
    assert_eq!(requested(&farm, &worker).await, Value::Null, "it is not active");

    farm.post(&path(&worker), &schedule(true, "", "", "")).await.no_content();
    assert_eq!(farm.get(&path(&worker)).await.expect(200).json(), schedule(true, "", "", ""));
    assert_eq!(requested(&farm, &worker).await, "asleep", "all day, every day");
    farm.post(&path(&worker), &schedule(false, "", "", "")).await.no_content();
    assert_eq!(requested(&farm, &worker).await, Value::Null, "the schedule takes back what it asked for");

    farm.post(&path(&worker), &schedule(true, "", "", "")).await.no_content();
    worker.report_status(WorkerStatus::Asleep).await;
    assert_eq!(requested(&farm, &worker).await, Value::Null);
    let lost = farm.worker("lost").await;
    lost.report_status(WorkerStatus::Error).await;
    farm.post(&path(&lost), &schedule(true, "", "", "")).await.no_content();
    assert_eq!(requested(&farm, &lost).await, Value::Null, "a worker in error is left alone");
    let fresh = FakeWorker::register(&farm, "fresh", &["blender"]).await;
    farm.post(&path(&fresh), &schedule(true, "", "", "")).await.no_content();
    assert_eq!(fresh.sign_on().await, WorkerStatus::Asleep);
    farm.stop().await;
}

async fn schedules_that_are_refused(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    for wrong in [
        schedule(true, "someday", "", ""),
        schedule(true, "m", "", ""),
        schedule(true, "", "99:99", ""),
        schedule(true, "", "24:00", ""),
        schedule(true, "", "", "18:00 or so"),
        schedule(true, "", "09:00", "09:00"),
        json!({ "is_active": "yes", "days_of_week": "", "start_time": "", "end_time": "" }),
        json!({}),
    ] {
        let _ = farm.post(&path(&worker), &wrong).await.problem(400);
    }
    let _ = farm.get(&path(&worker)).await.expect(204);
    assert_eq!(requested(&farm, &worker).await, Value::Null);
    let unknown = format!("/api/v3/worker-mgt/workers/{UNKNOWN}/sleep-schedule");
    let _ = farm.post(&unknown, &schedule(true, "", "", "")).await.problem(404);
    farm.stop().await;
}
