//! Work that waits for a person: blocked workers, and jobs that nobody can go on with.

use flamenco_api::types::WorkerStatus;
use flamenco_testkit::{Builder, TestManager};
use serde_json::{Value, json};

use crate::tasks;

on_each_database!(blocked_workers_are_told_until_the_job_is_over, jobs_that_nobody_can_do_and_why);

async fn attention(farm: &TestManager) -> Value {
    farm.get("/api/v3/status/attention").await.expect(200).json()
}

/// Job, reason and number of tasks of what is stuck.
async fn stuck(farm: &TestManager) -> Vec<(String, String, i64)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let found = attention(farm).await;
    let jobs = found["stuck"].as_array().unwrap().iter();
    jobs.map(|job| (text(&job["job_name"]), text(&job["reason"]), job["tasks"].as_i64().unwrap())).collect()
}

async fn blocked_workers_are_told_until_the_job_is_over(farm: Builder) {
    let farm = farm.start().await;
    assert_eq!(attention(&farm).await, json!({ "blocked": [], "stuck": [] }));
    let job = farm.submit("job", tasks(10)).await;
    let [bad, _good] = [farm.worker("bad <b>").await, farm.worker("good").await];
    for _ in 0..3 {
        bad.fail(&bad.take().await).await;
    }
    let entry = json!({
        "job": job, "job_name": "job", "worker": bad.id, "worker_name": "bad <b>", "task_types": ["blender"],
        "since": farm.now(),
    });
    assert_eq!(attention(&farm).await, json!({ "blocked": [entry], "stuck": [] }));
    let change = json!({ "status": "cancel-requested", "reason": "test" });
    farm.post(&format!("/api/v3/jobs/{job}/setstatus"), &change).await.no_content();
    assert_eq!(attention(&farm).await["blocked"], json!([]));
    farm.stop().await;
}

async fn jobs_that_nobody_can_do_and_why(farm: Builder) {
    let farm = farm.start().await;
    let typed =
        |kind: &str| json!([{ "name": "one", "type": kind }, { "name": "two", "type": kind, "after": [0] }]);
    farm.submit("usual", tasks(3)).await;
    farm.submit("odd", typed("houdini")).await;
    assert_eq!(
        stuck(&farm).await,
        [
            ("usual".to_owned(), "no-type".to_owned(), 3),
            // The second task waits for the first, not for a worker.
            ("odd".to_owned(), "no-type".to_owned(), 1),
        ]
    );
    let worker = farm.worker("w").await;
    assert_eq!(stuck(&farm).await, [("odd".to_owned(), "no-type".to_owned(), 1)]);

    let tag = farm.post("/api/v3/worker-mgt/tags", &json!({ "name": "gpu" })).await.expect(200).json();
    let mut tagged = TestManager::submission("tagged", &tasks(2));
    tagged["worker_tag"] = tag["id"].clone();
    tagged["priority"] = json!(90);
    farm.submit_as(tagged).await;
    let found = stuck(&farm).await;
    assert_eq!(found[0], ("tagged".to_owned(), "no-tag".to_owned(), 2), "the highest priority first");
    let path = format!("/api/v3/worker-mgt/workers/{}", worker.id);
    farm.post(&format!("{path}/settags"), &json!({ "tag_ids": [tag["id"]] })).await.no_content();
    assert_eq!(stuck(&farm).await.len(), 1);

    farm.post(&format!("{path}/setenabled"), &json!({ "enabled": false })).await.no_content();
    let reasons = |found: Vec<(String, String, i64)>| {
        found.into_iter().map(|(job, why, _)| (job, why)).collect::<Vec<_>>()
    };
    let both = |why: &str| {
        [("tagged", why), ("usual", why), ("odd", "no-type")]
            .map(|(job, why)| (job.to_owned(), why.to_owned()))
    };
    assert_eq!(reasons(stuck(&farm).await), both("disabled"));
    farm.post(&format!("{path}/setenabled"), &json!({ "enabled": true })).await.no_content();
    worker.report_status(WorkerStatus::Asleep).await;
    assert_eq!(reasons(stuck(&farm).await), both("away"));
    worker.report_status(WorkerStatus::Awake).await;
    assert_eq!(stuck(&farm).await.len(), 1);

    // The only other worker is blocked, so this job waits for the one that is disabled.
    farm.post(&format!("{path}/setenabled"), &json!({ "enabled": false })).await.no_content();
    let bad = farm.worker("bad").await;
    assert_eq!(
        reasons(stuck(&farm).await),
        [("tagged".to_owned(), "disabled".to_owned()), both("")[2].clone()]
    );
    for _ in 0..3 {
        bad.fail(&bad.take().await).await;
    }
    assert_eq!(reasons(stuck(&farm).await), both("disabled"));
    farm.stop().await;
}
