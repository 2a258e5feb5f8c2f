//! Which task a worker gets, and how it waits for one.

use std::time::{Duration, Instant};

use flamenco_testkit::api::operations::ScheduleTaskResponse;
use flamenco_testkit::api::types::WorkerStatus;
use flamenco_testkit::{Builder, FakeWorker, TestManager};
use serde_json::json;

use crate::tasks;

on_each_database!(
    priorities_come_first_then_age_then_place,
    a_fan_out_and_in_runs_in_order,
    only_supported_types_are_handed_out,
    one_unmet_dependency_is_enough_to_wait,
    a_worker_gets_its_unfinished_task_again,
    a_worker_that_should_change_is_told_so,
    only_awake_workers_get_tasks,
    a_waiting_worker_gets_a_new_job_at_once,
    a_waiting_worker_gets_what_a_dependency_frees,
    a_waiting_worker_is_sent_to_sleep_at_once,
    a_waiting_worker_gets_a_resumed_job_and_a_given_back_task,
    waiting_ends_in_time_and_with_the_manager,
);

/// What is woken comes much sooner than this.
const SOON: Duration = Duration::from_secs(5);
/// How long a request is held open when nothing wakes it, in seconds.
const LONG: i64 = 20;

async fn priorities_come_first_then_age_then_place(farm: Builder) {
    let farm = farm.start().await;
    let submit = async |name: &str, priority: i64, plan| {
        let mut submission = TestManager::submission(name, &plan);
        submission["priority"] = json!(priority);
        farm.submit_as(submission).await
    };
    submit("low", 10, json!([{ "name": "low-1", "priority": 99 }])).await;
    submit("old", 60, json!([{ "name": "old-1" }, { "name": "old-2", "priority": 70 }, { "name": "old-3" }]))
        .await;
    submit("young", 60, json!([{ "name": "young-1" }, { "name": "young-2", "priority": 70 }])).await;
    let worker = farm.worker("w").await;
    let mut order = Vec::new();
    while let Some(task) = worker.take_if_any().await {
        worker.complete(&task).await;
        order.push(task.name);
    }
    assert_eq!(order, ["old-2", "young-2", "old-1", "old-3", "young-1", "low-1"]);
    farm.stop().await;
}

async fn a_fan_out_and_in_runs_in_order(farm: Builder) {
    let farm = farm.start().await;
    let plan = json!([
        { "name": "final", "after": [2] }, { "name": "start" }, { "name": "fan-in", "after": [3, 4, 5] },
        { "name": "2.1", "after": [1] }, { "name": "2.2", "after": [1] }, { "name": "2.3", "after": [1] },
    ]);
    let job = farm.submit("scrambled", plan).await;
    let worker = farm.worker("w").await;
    let mut order = Vec::new();
    while let Some(task) = worker.take_if_any().await {
        worker.complete(&task).await;
        order.push(task.name);
    }
    assert_eq!(order, ["start", "2.1", "2.2", "2.3", "fan-in", "final"]);
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}

async fn only_supported_types_are_handed_out(farm: Builder) {
    let farm = farm.start().await;
    farm.submit(
        "job",
        json!([{ "name": "b" }, { "name": "f", "type": "ffmpeg" }, { "name": "x", "type": "Exotic" }]),
    )
    .await;
    let none = FakeWorker::register(&farm, "none", &[]).await;
    none.wake_up().await;
    assert_eq!(none.take_if_any().await, None);
    let ffmpeg = FakeWorker::register(&farm, "ffmpeg", &[" FFmpeg "]).await;
    ffmpeg.wake_up().await;
    let task = ffmpeg.take().await;
    assert_eq!(task.name, "f", "types of workers are trimmed and in lower case");
    ffmpeg.complete(&task).await;
    assert_eq!(ffmpeg.take_if_any().await, None);
    farm.stop().await;
}

async fn one_unmet_dependency_is_enough_to_wait(farm: Builder) {
    let farm = farm.start().await;
    let plan = json!([{ "name": "done" }, { "name": "other", "type": "exotic" }, { "name": "both", "after": [0, 1] }]);
    let job = farm.submit("job", plan).await;
    let worker = farm.worker("w").await;
    worker.complete(&worker.take().await).await;
    assert_eq!(worker.take_if_any().await, None);
    assert_eq!(farm.task_statuses(&job).await, "completed queued queued");
    farm.stop().await;
}

async fn a_worker_gets_its_unfinished_task_again(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(2)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    let mut urgent = TestManager::submission("urgent", &tasks(1));
    urgent["priority"] = json!(99);
    farm.submit_as(urgent).await;
    // Killed and started again: it signs on without having signed off.
    worker.wake_up().await;
    assert_eq!(worker.take().await.uuid, task.uuid, "before anything more important");
    assert_eq!(farm.task_statuses(&job).await, "active queued");
    // Also when the job is being paused meanwhile: the task ends, and the job is paused.
    farm.set_job_status(&job, "pause-requested").await.no_content();
    worker.wake_up().await;
    assert_eq!(worker.take().await.uuid, task.uuid);
    worker.complete(&task).await;
    assert_eq!(farm.job_status(&job).await, "paused");
    farm.stop().await;
}

async fn request(farm: &TestManager, worker: &FakeWorker, status: &str, lazy: bool) {
    let path = format!("/api/v3/worker-mgt/workers/{}/setstatus", worker.id);
    farm.post(&path, &json!({ "status": status, "is_lazy": lazy })).await.no_content();
}

async fn a_worker_that_should_change_is_told_so(farm: Builder) {
    let farm = farm.start().await;
    farm.submit("job", tasks(1)).await;
    for (lazy, status) in [(true, WorkerStatus::Asleep), (false, WorkerStatus::Offline)] {
        let worker = farm.worker("w").await;
        request(&farm, &worker, &status.to_string(), lazy).await;
        match worker.ask(None).await {
            ScheduleTaskResponse::Status423(change) => assert_eq!(change.status_requested, status),
            other => panic!("{other:?}"),
        }
    }
    // Also when it could not get a task anyway.
    let sleeper = farm.worker("sleeper").await;
    sleeper.report_status(WorkerStatus::Error).await;
    request(&farm, &sleeper, "awake", false).await;
    assert!(matches!(sleeper.ask(None).await, ScheduleTaskResponse::Status423(_)));
    sleeper.report_status(WorkerStatus::Awake).await;
    sleeper.take().await;
    farm.stop().await;
}

async fn only_awake_workers_get_tasks(farm: Builder) {
    let farm = farm.start().await;
    farm.submit("job", tasks(1)).await;
    let worker = FakeWorker::register(&farm, "w", &["blender"]).await;
    let refused = async |is: &str| match worker.ask(Some(1)).await {
        ScheduleTaskResponse::Status409(error) => {
            assert!(error.message.contains(is) && error.message.contains("awake"), "{}", error.message);
        }
        other => panic!("{is}: {other:?}"),
    };
    refused("offline").await;
    worker.sign_on().await;
    refused("starting").await;
    for status in [WorkerStatus::Asleep, WorkerStatus::Error, WorkerStatus::Testing] {
        worker.report_status(status).await;
        refused(&status.to_string()).await;
    }
    worker.report_status(WorkerStatus::Awake).await;
    worker.take().await;
    farm.stop().await;
}

/// Asks in the background, and is certain to wait when this returns.
async fn waiting(worker: &FakeWorker) -> tokio::task::JoinHandle<(ScheduleTaskResponse, Duration)> {
    let worker = worker.clone();
    let handle = tokio::spawn(async move {
        let started = Instant::now();
        (worker.ask(Some(LONG)).await, started.elapsed())
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!handle.is_finished(), "there was nothing to do yet");
    handle
}

async fn woken(handle: tokio::task::JoinHandle<(ScheduleTaskResponse, Duration)>) -> ScheduleTaskResponse {
    let (answer, took) = handle.await.unwrap();
    assert!(took < SOON, "{answer:?} took {took:?}");
    answer
}

fn name_of(answer: ScheduleTaskResponse) -> String {
    match answer {
        ScheduleTaskResponse::Status200(task) => task.name,
        other => panic!("{other:?}"),
    }
}

async fn a_waiting_worker_gets_a_new_job_at_once(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    let request = waiting(&worker).await;
    farm.submit("job", tasks(1)).await;
    assert_eq!(name_of(woken(request).await), "task-1");
    farm.stop().await;
}

async fn a_waiting_worker_gets_what_a_dependency_frees(farm: Builder) {
    let farm = farm.start().await;
    farm.submit("job", json!([{ "name": "first" }, { "name": "then", "type": "ffmpeg", "after": [0] }]))
        .await;
    let worker = farm.worker("w").await;
    let ffmpeg = FakeWorker::register(&farm, "ffmpeg", &["ffmpeg"]).await;
    ffmpeg.wake_up().await;
    let first = worker.take().await;
    let request = waiting(&ffmpeg).await;
    worker.complete(&first).await;
    assert_eq!(name_of(woken(request).await), "then");
    farm.stop().await;
}

async fn a_waiting_worker_is_sent_to_sleep_at_once(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    let held = waiting(&worker).await;
    request(&farm, &worker, "asleep", true).await;
    assert!(matches!(woken(held).await, ScheduleTaskResponse::Status423(_)));
    farm.stop().await;
}

async fn a_waiting_worker_gets_a_resumed_job_and_a_given_back_task(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    farm.set_job_status(&job, "pause-requested").await.no_content();
    let [one, two] = [farm.worker("one").await, farm.worker("two").await];
    let held = waiting(&one).await;
    farm.set_job_status(&job, "requeueing").await.no_content();
    assert_eq!(name_of(woken(held).await), "task-1");
    let held = waiting(&two).await;
    one.sign_off().await;
    assert_eq!(name_of(woken(held).await), "task-1");
    farm.stop().await;
}

async fn waiting_ends_in_time_and_with_the_manager(farm: Builder) {
    let mut farm = farm.start().await;
    let worker = farm.worker("w").await;
    let started = Instant::now();
    assert_eq!(worker.ask(Some(1)).await, ScheduleTaskResponse::Status204);
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(900) && took < SOON, "{took:?}");
    let held = waiting(&worker).await;
    farm.stop_running().await;
    assert_eq!(woken(held).await, ScheduleTaskResponse::Status204);
    farm.start_again().await;
    farm.stop().await;
}
