//! Frames that workers report, and the list of them.

use flamenco_testkit::{Builder, FakeWorker, Method, Reply, TestManager};
use serde_json::{Value, json};

use crate::{UNKNOWN, tasks};

on_each_database!(
    frames_are_listed_by_number_and_page,
    a_report_may_come_again_and_a_later_rendering_replaces,
    a_frame_that_was_there_keeps_how_it_was_rendered,
    a_failed_frame_goes_when_it_comes_out,
    frames_of_ended_and_lost_tasks_count,
    frames_go_with_their_job,
    reports_that_are_refused,
);

const EARLY: &str = "2026-01-02T03:00:00Z";
const LATE: &str = "2026-01-02T03:30:00.5Z";

fn frame(number: i64, state: &str, at: &str) -> Value {
    json!({ "frame": number, "path": format!("/out/{number:06}.png"), "state": state, "rendered_at": at })
}

async fn report(farm: &TestManager, worker: &FakeWorker, task: &str, frames: Value) -> Reply {
    let path = format!("/api/v3/worker/task/{task}/frames");
    farm.request(Method::POST, &path).as_worker(worker).json(&json!({ "frames": frames })).send().await
}

async fn list(farm: &TestManager, job: &str, query: &str) -> Value {
    farm.get(&format!("/api/v3/jobs/{job}/frames{query}")).await.expect(200).json()
}

fn numbers(page: &Value) -> Vec<i64> {
    page["frames"].as_array().unwrap().iter().map(|frame| frame["frame"].as_i64().unwrap()).collect()
}

/// A farm with a job of some tasks, a worker, and the task it works on.
async fn started(farm: Builder, count: usize) -> (TestManager, String, FakeWorker, String) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(count)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await.uuid.to_string();
    (farm, job, worker, task)
}

async fn frames_are_listed_by_number_and_page(farm: Builder) {
    let (farm, job, worker, task) = started(farm, 1).await;
    assert_eq!(list(&farm, &job, "").await, json!({ "frames": [] }));
    let mut full = frame(-1, "ok", EARLY);
    let facts = json!({ "render_ms": 1520, "save_ms": 40, "peak_memory": 138_412_032, "file_size": 245_760,
        "width": 1920, "height": 1080 });
    full.as_object_mut().unwrap().extend(facts.as_object().unwrap().clone());
    let right_eye =
        json!({ "frame": 3, "path": "S:\\out\\000003_R.png", "state": "black", "rendered_at": EARLY });
    let frames = json!([frame(12, "empty", EARLY), full, frame(3, "broken", EARLY), right_eye]);
    report(&farm, &worker, &task, frames).await.no_content();

    let all = list(&farm, &job, "").await;
    assert_eq!((numbers(&all), all.get("next_cursor")), (vec![-1, 3, 3, 12], None));
    let first = &all["frames"][0];
    for (key, want) in facts.as_object().unwrap() {
        assert_eq!(&first[key], want, "{key}");
    }
    assert_eq!((&first["name"], &first["path"]), (&json!("-00001.png"), &json!("/out/-00001.png")));
    assert_eq!((&first["task"], &first["worker"]), (&json!(task), &json!(worker.id)));
    assert_eq!(
        (&first["worker_name"], &first["attempt"], &first["state"]),
        (&json!("w"), &json!(1), &json!("ok"))
    );
    assert_eq!(all["frames"][2]["name"], "000003_R.png");
    assert!(all["frames"][3].get("render_ms").is_none(), "unknown is not 0");

    for (query, want) in [
        ("?from=3", vec![3, 3, 12]),
        ("?to=3", vec![-1, 3, 3]),
        ("?from=0&to=11", vec![3, 3]),
        ("?state=black", vec![3]),
        ("?state=missing", vec![]),
    ] {
        assert_eq!(numbers(&list(&farm, &job, query).await), want, "{query}");
    }
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = list(&farm, &job, &format!("?limit=1{after}")).await;
        found.extend(numbers(&page));
        let Some(next) = page["next_cursor"].as_str() else { break };
        after = format!("&cursor={next}");
    }
    assert_eq!(found, [-1, 3, 3, 12], "each frame is on one page");
    assert_eq!(list(&farm, UNKNOWN, "").await, json!({ "frames": [] }));
    for bad in ["?limit=0", "?limit=1001", "?cursor=x", "?cursor=1", "?state=lovely", "?from=x"] {
        let _ = farm.get(&format!("/api/v3/jobs/{job}/frames{bad}")).await.problem(400);
    }
    farm.stop().await;
}

async fn a_report_may_come_again_and_a_later_rendering_replaces(farm: Builder) {
    let (farm, job, worker, task) = started(farm, 1).await;
    let mut first = frame(1, "ok", EARLY);
    first["render_ms"] = json!(1000);
    for _ in 0..2 {
        report(&farm, &worker, &task, json!([first, first])).await.no_content();
    }
    let stored = list(&farm, &job, "").await["frames"].clone();
    assert_eq!((stored.as_array().unwrap().len(), &stored[0]["attempt"]), (1, &json!(1)));

    // A second look at the same rendering.
    let mut looked = first.clone();
    looked["state"] = json!("broken");
    report(&farm, &worker, &task, json!([looked])).await.no_content();
    let stored = list(&farm, &job, "").await["frames"][0].clone();
    assert_eq!((&stored["state"], &stored["attempt"]), (&json!("broken"), &json!(1)));

    report(&farm, &worker, &task, json!([frame(1, "ok", LATE)])).await.no_content();
    let stored = list(&farm, &job, "").await["frames"][0].clone();
    assert_eq!((&stored["state"], &stored["attempt"]), (&json!("ok"), &json!(2)));
    assert!(stored.get("render_ms").is_none(), "nothing of the rendering before is left: {stored}");

    report(&farm, &worker, &task, json!([first])).await.no_content();
    assert_eq!(list(&farm, &job, "").await["frames"][0], stored, "what comes late is old news");
    farm.stop().await;
}

async fn a_frame_that_was_there_keeps_how_it_was_rendered(farm: Builder) {
    let (farm, job, worker, task) = started(farm, 1).await;
    let mut rendered = frame(1, "ok", EARLY);
    rendered["render_ms"] = json!(1000);
    report(&farm, &worker, &task, json!([rendered])).await.no_content();
    let existing = |number, at| {
        let mut existing = frame(number, "ok", at);
        existing["existing"] = json!(true);
        existing["width"] = json!(64);
        existing
    };
    report(&farm, &worker, &task, json!([existing(1, LATE), existing(2, EARLY)])).await.no_content();
    let frames = list(&farm, &job, "").await["frames"].clone();
    let facts = |frame: &Value| json!([frame["render_ms"], frame["width"], frame["attempt"]]);
    assert_eq!(facts(&frames[0]), json!([1000, 64, 1]));
    assert_eq!(frames[0]["rendered_at"], EARLY);
    assert_eq!(facts(&frames[1]), json!([null, 64, 1]), "one that nobody reported when it was rendered");
    farm.stop().await;
}

async fn a_failed_frame_goes_when_it_comes_out(farm: Builder) {
    let (farm, job, worker, task) = started(farm, 1).await;
    let failed = |number, at| json!({ "frame": number, "path": "", "state": "failed", "rendered_at": at });
    report(&farm, &worker, &task, json!([failed(1, EARLY), failed(2, EARLY)])).await.no_content();
    assert_eq!(numbers(&list(&farm, &job, "?state=failed").await), [1, 2]);
    report(&farm, &worker, &task, json!([frame(1, "ok", LATE)])).await.no_content();
    assert_eq!(numbers(&list(&farm, &job, "?state=failed").await), [2]);
    assert_eq!(numbers(&list(&farm, &job, "").await), [1, 2]);
    farm.stop().await;
}

async fn frames_of_ended_and_lost_tasks_count(farm: Builder) {
    let (farm, job, worker, task) = started(farm, 1).await;
    worker.sign_off().await;
    let other = farm.worker("other").await;
    assert_eq!(other.take().await.uuid.to_string(), task);
    report(&farm, &worker, &task, json!([frame(1, "ok", EARLY)])).await.no_content();
    assert_eq!(list(&farm, &job, "").await["frames"][0]["worker_name"], "w");
    report(&farm, &other, &task, json!([frame(1, "ok", LATE)])).await.no_content();
    assert_eq!(list(&farm, &job, "").await["frames"][0]["worker_name"], "other");
    farm.stop().await;
}

async fn frames_go_with_their_job(farm: Builder) {
    let (farm, job, worker, task) = started(farm, 1).await;
    let many: Value = (1..=500).map(|number| frame(number, "ok", EARLY)).collect();
    report(&farm, &worker, &task, many).await.no_content();
    assert_eq!(list(&farm, &job, "").await["frames"].as_array().unwrap().len(), 500);
    farm.request(Method::DELETE, &format!("/api/v3/jobs/{job}")).send().await.no_content();
    crate::eventually("the job is gone", std::time::Duration::from_secs(10), async || {
        farm.get(&format!("/api/v3/jobs/{job}")).await.status == 404
    })
    .await;
    assert_eq!(list(&farm, &job, "").await, json!({ "frames": [] }));
    let _ = report(&farm, &worker, &task, json!([frame(1, "ok", LATE)])).await.problem(404);
    farm.stop().await;
}

async fn reports_that_are_refused(farm: Builder) {
    let (farm, job, worker, task) = started(farm, 1).await;
    let _ = report(&farm, &worker, UNKNOWN, json!([frame(1, "ok", EARLY)])).await.problem(404);
    let too_many: Value = (0..501).map(|number| frame(number, "ok", EARLY)).collect();
    let _ = report(&farm, &worker, &task, too_many).await.problem(400);
    let mut long = frame(1, "ok", EARLY);
    long["path"] = json!("x".repeat(2001));
    let mut negative = frame(1, "ok", EARLY);
    negative["render_ms"] = json!(-1);
    let mut zero = frame(1, "ok", EARLY);
    zero["path"] = json!("a\0b");
    for bad in
        [long, negative, zero, frame(1, "lovely", EARLY), frame(1, "ok", "yesterday"), json!({ "frame": 1 })]
    {
        // The good one beside it is not stored either.
        let _ = report(&farm, &worker, &task, json!([frame(7, "ok", EARLY), bad])).await.problem(400);
    }
    let path = format!("/api/v3/worker/task/{task}/frames");
    let _ = farm.post(&path, &json!({ "frames": [] })).await.problem(403);
    assert_eq!(list(&farm, &job, "").await, json!({ "frames": [] }));
    report(&farm, &worker, &task, json!([])).await.no_content();
    farm.stop().await;
}
