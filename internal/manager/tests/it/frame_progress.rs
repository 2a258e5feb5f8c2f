//! How far frames are that are being rendered, what rendered them, and why they failed.

use chrono::TimeDelta;
use flamenco_testkit::{Builder, FakeWorker, LiveUpdates, Method, Protocol, Reply, TestManager};
use serde_json::{Value, json};

use crate::UNKNOWN;
use crate::frame_pictures::{frame, report};
use crate::frame_requeue::render_job;

on_each_database!(
    those_who_watch_see_how_far_a_frame_is,
    progress_that_is_refused_or_of_no_use,
    what_rendered_a_frame_is_kept_for_each_attempt,
    a_failed_frame_tells_why,
);

const EARLY: &str = "2026-01-02T03:00:00Z";
const LATE: &str = "2026-01-02T03:30:00Z";

async fn started(farm: Builder) -> (TestManager, String, FakeWorker, String) {
    let farm = farm.start().await;
    let job = farm.submit("job", render_job(&["1..4"])).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await.uuid.to_string();
    assert_eq!(worker.report_task(task.parse().unwrap(), "active").await, 204);
    (farm, job, worker, task)
}

async fn tell(farm: &TestManager, worker: &FakeWorker, task: &str, body: Value) -> Reply {
    let path = format!("/api/v3/worker/task/{task}/frame-progress");
    farm.request(Method::POST, &path).as_worker(worker).json(&body).send().await
}

/// State and percentage of each frame.
async fn places(farm: &TestManager, job: &str) -> Vec<Value> {
    let grid = farm.get(&format!("/api/v3/jobs/{job}/frames/grid")).await.expect(200).json();
    let places = grid["places"].as_array().unwrap().iter();
    places.map(|place| json!([place["frame"], place["state"], place["progress"]])).collect()
}

async fn those_who_watch_see_how_far_a_frame_is(farm: Builder) {
    let (farm, job, worker, task) = started(farm).await;
    let mut one = LiveUpdates::connect(&farm, Protocol::Four).await;
    one.subscribe("jobFrames", Some(&job)).await;
    let mut all = LiveUpdates::connect(&farm, Protocol::Three).await;
    all.subscribe("allFrames", None).await;
    tell(&farm, &worker, &task, json!({ "frame": 2, "percent": 42 })).await.no_content();
    let event = one.until("/frames", |event| event["progress"].is_array()).await;
    assert_eq!(
        event,
        json!({ "job": job, "frames": [], "refresh": false, "progress": [{ "frame": 2, "percent": 42 }] })
    );
    let rendering = |frame: i64| json!([frame, "rendering", null]);
    assert_eq!(
        places(&farm, &job).await,
        [rendering(1), json!([2, "rendering", 42]), rendering(3), rendering(4)]
    );

    // Once it has come out, that it was half done means nothing.
    report(&farm, &worker, &task, json!([frame(2, "ok", EARLY)])).await;
    assert_eq!(places(&farm, &job).await[1], json!([2, "ok", null]));
    // Who watches all jobs is told of what came out, and of nothing before.
    let event = all.until("/frames", |_| true).await;
    assert_eq!(event["frames"][0]["frame"], 2, "{event}");

    tell(&farm, &worker, &task, json!({ "frame": 3, "percent": 0 })).await.no_content();
    assert_eq!(places(&farm, &job).await[2], json!([3, "rendering", 0]));
    farm.clock().advance(TimeDelta::seconds(61));
    assert_eq!(places(&farm, &job).await[2], rendering(3), "nothing was heard for a minute");
    farm.stop().await;
}

async fn progress_that_is_refused_or_of_no_use(farm: Builder) {
    let (farm, job, worker, task) = started(farm).await;
    let good = json!({ "frame": 1, "percent": 10 });
    for bad in [
        json!({ "frame": 1, "percent": 101 }),
        json!({ "frame": 1, "percent": -1 }),
        json!({ "frame": 1 }),
        json!({ "percent": 10 }),
        json!({ "frame": "one", "percent": 10 }),
    ] {
        let _ = tell(&farm, &worker, &task, bad).await.problem(400);
    }
    let _ = tell(&farm, &worker, UNKNOWN, good.clone()).await.problem(404);
    let other = farm.worker("other").await;
    let _ = tell(&farm, &other, &task, good.clone()).await.problem(409);
    let path = format!("/api/v3/worker/task/{task}/frame-progress");
    let _ = farm.post(&path, &good).await.problem(403);
    assert_eq!(places(&farm, &job).await[0], json!([1, "rendering", null]));

    tell(&farm, &worker, &task, good.clone()).await.no_content();
    farm.set_task_status(&task, "canceled").await.no_content();
    assert_eq!(places(&farm, &job).await[0], json!([1, "expected", null]));
    farm.stop().await;
}

async fn what_rendered_a_frame_is_kept_for_each_attempt(farm: Builder) {
    let (farm, job, worker, task) = started(farm).await;
    let with = |at: &str, engine: &str, samples: i64| {
        let mut frame = frame(1, "ok", at);
        (frame["engine"], frame["samples"]) = (json!(engine), json!(samples));
        json!([frame])
    };
    report(&farm, &worker, &task, with(EARLY, "BLENDER_EEVEE", 64)).await;
    report(&farm, &worker, &task, with(LATE, "CYCLES", 128)).await;
    // One that does not say it, as a worker of before.
    report(&farm, &worker, &task, json!([frame(1, "ok", LATE)])).await;
    let details = farm.get(&format!("/api/v3/jobs/{job}/frames/1")).await.expect(200).json();
    let told = |of: &Value| json!([of["engine"], of["samples"]]);
    assert_eq!(told(&details["files"][0]), json!(["CYCLES", 128]));
    let attempts: Vec<Value> = details["attempts"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(attempts, [json!(["CYCLES", 128]), json!(["BLENDER_EEVEE", 64])]);
    let grid = farm.get(&format!("/api/v3/jobs/{job}/frames/grid")).await.expect(200).json();
    assert_eq!(told(&grid["places"][0]), json!(["CYCLES", 128]));
    assert_eq!(told(&grid["places"][1]), json!([null, null]));

    let path = format!("/api/v3/worker/task/{task}/frames");
    for (key, value) in [
        ("samples", json!(-1)),
        ("engine", json!("x".repeat(101))),
        ("engine", json!("a\0b")),
        ("message", json!("x".repeat(501))),
    ] {
        let mut bad = frame(2, "ok", EARLY);
        bad[key] = value;
        let body = json!({ "frames": [bad] });
        let _ = farm.request(Method::POST, &path).as_worker(&worker).json(&body).send().await.problem(400);
    }
    farm.stop().await;
}

async fn a_failed_frame_tells_why(farm: Builder) {
    let (farm, job, worker, task) = started(farm).await;
    let failed = |at: &str, message: &str| json!([{ "frame": 3, "path": "", "state": "failed", "rendered_at": at, "message": message }]);
    let message = async || {
        let grid = farm.get(&format!("/api/v3/jobs/{job}/frames/grid")).await.expect(200).json();
        grid["places"][2]["message"].clone()
    };
    report(&farm, &worker, &task, failed(EARLY, "Error: <b>Out of memory</b>")).await;
    assert_eq!(message().await, "Error: <b>Out of memory</b>");
    report(&farm, &worker, &task, failed(LATE, "Error: No space left on device")).await;
    assert_eq!(message().await, "Error: No space left on device");
    let details = farm.get(&format!("/api/v3/jobs/{job}/frames/3")).await.expect(200).json();
    assert_eq!(details["files"][0]["message"], "Error: No space left on device");
    assert_eq!(details["attempts"][1]["message"], "Error: <b>Out of memory</b>");
    report(&farm, &worker, &task, json!([frame(3, "ok", "2026-01-02T04:00:00Z")])).await;
    assert_eq!(message().await, Value::Null);
    farm.stop().await;
}
