//! What a task waits for, what waits for it, and why it does not start.

use flamenco_testkit::{Builder, FakeWorker, TestManager};
use serde_json::{Value, json};

use crate::{UNKNOWN, tasks};

on_each_database!(
    both_sides_of_a_task_are_told_with_their_statuses,
    many_dependencies_come_in_pages_and_are_counted_in_full,
    why_a_task_waits_for_its_job_and_for_others,
    why_a_task_waits_for_workers,
    dependencies_that_cannot_be_told,
);

async fn around(farm: &TestManager, task: &str, query: &str) -> Value {
    farm.get(&format!("/api/v3/tasks/{task}/dependencies{query}")).await.expect(200).json()
}

async fn reasons(farm: &TestManager, task: &str) -> Value {
    around(farm, task, "").await["reasons"].clone()
}

fn names(list: &Value) -> Vec<String> {
    list["tasks"].as_array().unwrap().iter().map(|task| task["name"].as_str().unwrap().to_owned()).collect()
}

async fn both_sides_of_a_task_are_told_with_their_statuses(farm: Builder) {
    let farm = farm.start().await;
    let plan = json!([
        { "name": "first" }, { "name": "second" }, { "name": "middle", "after": [1, 0] },
        { "name": "last", "after": [2] }, { "name": "alone" },
    ]);
    let job = farm.submit("job", plan).await;
    let [first, _, middle, last, alone] = farm.task_ids(&job).await.try_into().unwrap();
    let worker = farm.worker("w").await;
    let done = worker.take().await;
    assert_eq!(done.uuid.to_string(), first);
    worker.complete(&done).await;

    let found = around(&farm, &middle, "").await;
    assert_eq!(names(&found["waits_for"]), ["first", "second"]);
    let of_second = &found["waits_for"]["tasks"][1];
    assert_eq!((&of_second["status"], &of_second["index_in_job"]), (&json!("queued"), &json!(2)));
    assert_eq!(
        (&found["waits_for"]["total"], &found["waits_for"]["counts"]["completed"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(names(&found["needed_by"]), ["last"]);
    assert_eq!(found["reasons"], json!(["dependencies"]));
    assert!(found["waits_for"]["next_after"].is_null());

    let found = around(&farm, &alone, "").await;
    assert_eq!((&found["waits_for"]["total"], &found["needed_by"]["total"]), (&json!(0), &json!(0)));
    assert_eq!(found["reasons"], json!(["turn"]));
    assert_eq!(names(&around(&farm, &last, "").await["waits_for"]), ["middle"]);
    assert_eq!(reasons(&farm, &first).await, json!([]), "it is done");
    farm.stop().await;
}

async fn many_dependencies_come_in_pages_and_are_counted_in_full(farm: Builder) {
    let farm = farm.start().await;
    let mut plan: Vec<Value> = (1..=120).map(|number| json!({ "name": format!("r{number}") })).collect();
    plan.push(json!({ "name": "video", "after": (0..120).collect::<Vec<_>>() }));
    let job = farm.submit("job", json!(plan)).await;
    let ids = farm.task_ids(&job).await;
    for number in [3, 110] {
        farm.set_task_status(&ids[number - 1], "canceled").await.no_content();
    }
    let video = ids.last().unwrap();
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = around(&farm, video, &format!("?waits_for_after={after}")).await["waits_for"].clone();
        assert_eq!((&page["total"], &page["counts"]["canceled"]), (&json!(120), &json!(2)));
        seen.extend(names(&page));
        match page["next_after"].as_i64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(seen, (1..=120).map(|number| format!("r{number}")).collect::<Vec<_>>());
    assert_eq!(names(&around(&farm, video, "?status=canceled").await["waits_for"]), ["r3", "r110"]);
    let one = around(&farm, video, "?status=canceled&status=failed&limit=1").await;
    assert_eq!(
        (names(&one["waits_for"]), &one["waits_for"]["next_after"]),
        (vec!["r3".to_owned()], &json!(3))
    );
    assert_eq!(names(&around(&farm, &ids[7], "?needed_by_after=120").await["needed_by"]), ["video"]);
    assert_eq!(names(&around(&farm, &ids[7], "?needed_by_after=121").await["needed_by"]), [""; 0]);
    farm.stop().await;
}

async fn why_a_task_waits_for_its_job_and_for_others(farm: Builder) {
    let farm = farm.start().await;
    let _worker = farm.worker("w").await;
    let plan = json!([{ "name": "one" }, { "name": "two" }, { "name": "both", "after": [0, 1] }]);
    let job = farm.submit("job", plan).await;
    let [one, _, both] = farm.task_ids(&job).await.try_into().unwrap();
    assert_eq!(reasons(&farm, &one).await, json!(["turn"]));
    farm.set_task_status(&one, "canceled").await.no_content();
    assert_eq!(reasons(&farm, &one).await, json!([]));
    assert_eq!(reasons(&farm, &both).await, json!(["dependency-failed", "dependencies"]));
    farm.set_task_status(&one, "queued").await.no_content();
    farm.set_job_status(&job, "pause-requested").await.no_content();
    assert_eq!(reasons(&farm, &one).await, json!(["job-paused"]));
    assert_eq!(reasons(&farm, &both).await, json!(["job-paused", "dependencies"]));
    farm.stop().await;
}

async fn why_a_task_waits_for_workers(farm: Builder) {
    let farm = farm.start().await;
    let mut tagged = TestManager::submission("job", &tasks(4));
    let tag = farm.post("/api/v3/worker-mgt/tags", &json!({ "name": "gpu" })).await.expect(200).json();
    tagged["worker_tag"] = tag["id"].clone();
    let job = farm.submit_as(tagged).await;
    let task = farm.task_ids(&job).await[3].clone();
    assert_eq!(reasons(&farm, &task).await, json!(["no-type"]));
    FakeWorker::register(&farm, "video", &["ffmpeg"]).await.wake_up().await;
    assert_eq!(reasons(&farm, &task).await, json!(["no-type"]));
    let worker = farm.worker("w").await;
    assert_eq!(reasons(&farm, &task).await, json!(["no-tag"]));
    let path = format!("/api/v3/worker-mgt/workers/{}", worker.id);
    farm.post(&format!("{path}/settags"), &json!({ "tag_ids": [tag["id"]] })).await.no_content();
    assert_eq!(reasons(&farm, &task).await, json!(["turn"]));
    farm.post(&format!("{path}/setenabled"), &json!({ "enabled": false })).await.no_content();
    assert_eq!(reasons(&farm, &task).await, json!(["disabled"]));
    farm.post(&format!("{path}/setenabled"), &json!({ "enabled": true })).await.no_content();

    // Another one could still do what this one fails, but it is not there.
    let other = FakeWorker::register(&farm, "other", &["blender"]).await;
    let tags = format!("/api/v3/worker-mgt/workers/{}/settags", other.id);
    farm.post(&tags, &json!({ "tag_ids": [tag["id"]] })).await.no_content();
    let failed = worker.take().await;
    worker.fail(&failed).await;
    assert_eq!(farm.task(&failed.uuid.to_string()).await["status"], "soft-failed");
    assert_eq!(reasons(&farm, &failed.uuid.to_string()).await, json!(["away"]));
    for _ in 0..2 {
        worker.fail(&worker.take().await).await;
    }
    assert_eq!(reasons(&farm, &task).await, json!(["away"]), "who is blocked does not count");
    farm.delete(&format!("/api/v3/worker-mgt/workers/{}", other.id)).await.no_content();
    assert_eq!(farm.job_status(&job).await, "failed", "nobody is left");
    assert_eq!(reasons(&farm, &task).await, json!([]));
    farm.stop().await;
}

async fn dependencies_that_cannot_be_told(farm: Builder) {
    let farm = farm.start().await;
    let _ = farm.get(&format!("/api/v3/tasks/{UNKNOWN}/dependencies")).await.problem(404);
    let job = farm.submit("job", tasks(1)).await;
    let task = farm.task_ids(&job).await[0].clone();
    for query in ["?limit=0", "?limit=1001", "?status=odd", "?waits_for_after=x"] {
        let _ = farm.get(&format!("/api/v3/tasks/{task}/dependencies{query}")).await.problem(400);
    }
    farm.stop().await;
}
