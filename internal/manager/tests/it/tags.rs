//! Changing and deleting tags, and giving them to jobs.

use flamenco_testkit::{Builder, TestManager};
use serde_json::{Value, json};

use crate::{UNKNOWN, tasks};

on_each_database!(a_tag_is_changed, a_tag_in_use_is_not_deleted, a_job_gets_a_tag_and_loses_it);

async fn make(farm: &TestManager, name: &str) -> Value {
    farm.post("/api/v3/worker-mgt/tags", &json!({ "name": name, "description": "old" }))
        .await
        .expect(200)
        .json()
}

async fn a_tag_is_changed(farm: Builder) {
    let farm = farm.start().await;
    let (tag, other) = (make(&farm, "gpu").await, make(&farm, "cpu").await);
    let path = format!("/api/v3/worker-mgt/tag/{}", tag["id"].as_str().unwrap());
    farm.put(&path, &json!({ "name": "GPU", "id": UNKNOWN })).await.no_content();
    let now = farm.get(&path).await.expect(200).json();
    assert_eq!(now, json!({ "id": tag["id"], "name": "GPU", "description": "old" }));
    farm.put(&path, &json!({ "name": "GPU", "description": "" })).await.no_content();
    assert_eq!(farm.get(&path).await.expect(200).json().get("description"), None);
    let _ = farm.put(&path, &json!({ "name": other["name"] })).await.problem(409);
    let _ = farm.put(&path, &json!({ "name": "" })).await.problem(400);
    assert_eq!(farm.get(&path).await.expect(200).json()["name"], "GPU");
    let _ =
        farm.put(&format!("/api/v3/worker-mgt/tag/{UNKNOWN}"), &json!({ "name": "x" })).await.problem(404);
    farm.stop().await;
}

async fn a_tag_in_use_is_not_deleted(farm: Builder) {
    let farm = farm.start().await;
    let tag = make(&farm, "gpu").await;
    let path = format!("/api/v3/worker-mgt/tag/{}", tag["id"].as_str().unwrap());
    let mut submission = TestManager::submission("job", &tasks(1));
    submission["worker_tag"] = tag["id"].clone();
    let job = farm.submit_as(submission).await;
    let message = farm.delete(&path).await.problem(409);
    assert!(message.contains("gpu"), "{message}");
    assert_eq!(farm.job(&job).await["worker_tag"], tag["id"], "it would run anywhere otherwise");
    farm.set_job_status(&job, "cancel-requested").await.no_content();
    farm.delete(&path).await.no_content();
    let _ = farm.delete(&path).await.problem(404);
    assert_eq!(farm.job(&job).await.get("worker_tag"), None);
    farm.stop().await;
}

async fn a_job_gets_a_tag_and_loses_it(farm: Builder) {
    let farm = farm.start().await;
    let tag = make(&farm, "gpu").await;
    let job = farm.submit("job", tasks(1)).await;
    let worker = farm.worker("w").await;
    let set = async |body: Value| farm.post(&format!("/api/v3/jobs/{job}/settag"), &body).await;
    set(json!({ "name": "gpu" })).await.no_content();
    assert_eq!(farm.job(&job).await["worker_tag"], tag["id"]);
    assert_eq!(worker.take_if_any().await, None);
    for wrong in
        [json!({ "name": "no such tag" }), json!({ "id": UNKNOWN }), json!({ "id": UNKNOWN, "name": "gpu" })]
    {
        let _ = set(wrong).await.problem(422);
    }
    assert_eq!(farm.job(&job).await["worker_tag"], tag["id"]);
    set(json!({})).await.no_content();
    assert_eq!(farm.job(&job).await.get("worker_tag"), None);
    worker.take().await;
    set(json!({ "id": tag["id"] })).await.no_content();
    assert_eq!(farm.job(&job).await["worker_tag"], tag["id"]);
    farm.stop().await;
}
