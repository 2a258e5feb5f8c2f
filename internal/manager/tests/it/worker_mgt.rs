//! What people do with workers and tags.

use flamenco_testkit::api::types::WorkerStatus;
use flamenco_testkit::{Builder, FakeWorker, LiveUpdates, Method, Protocol, TestManager};
use serde_json::{Value, json};

use crate::{UNKNOWN, tasks};

on_each_database!(
    workers_are_listed_and_shown,
    status_requests_are_checked,
    a_deleted_worker_is_gone_and_its_task_is_not,
    tags_are_made_and_given_to_workers,
    tags_that_are_refused,
    a_worker_shows_its_task,
);

async fn fetch(farm: &TestManager, worker: &FakeWorker) -> Value {
    farm.get(&format!("/api/v3/worker-mgt/workers/{}", worker.id)).await.expect(200).json()
}

async fn workers_are_listed_and_shown(farm: Builder) {
    let farm = farm.start().await;
    assert_eq!(farm.get("/api/v3/worker-mgt/workers").await.expect(200).json(), json!({ "workers": [] }));
    farm.worker("beta").await;
    let alpha = FakeWorker::register(&farm, "alpha", &["misc"]).await;
    let all = farm.get("/api/v3/worker-mgt/workers").await.expect(200).json();
    let brief: Vec<Value> =
        all["workers"].as_array().unwrap().iter().map(|w| json!([w["name"], w["status"]])).collect();
    assert_eq!(brief, [json!(["alpha", "offline"]), json!(["beta", "awake"])]);
    let shown = fetch(&farm, &alpha).await;
    assert_eq!((&shown["platform"], &shown["supported_task_types"]), (&json!("linux"), &json!(["misc"])));
    farm.stop().await;
}

async fn status_requests_are_checked(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    let path = format!("/api/v3/worker-mgt/workers/{}/setstatus", worker.id);
    let ask = async |status: &str| farm.post(&path, &json!({ "status": status, "is_lazy": true })).await;
    ask("asleep").await.no_content();
    assert_eq!(fetch(&farm, &worker).await["status_change"], json!({ "status": "asleep", "is_lazy": true }));
    ask("offline").await.no_content();
    assert_eq!(
        fetch(&farm, &worker).await["status_change"]["status"],
        "offline",
        "a new request replaces the old"
    );
    let message = ask("restart").await.problem(412);
    assert!(message.contains("restart"), "{message}");
    assert_eq!(fetch(&farm, &worker).await["status_change"]["status"], "offline");
    for status in ["error", "starting", "testing"] {
        let message = ask(status).await.problem(400);
        assert!(message.contains("awake, asleep, offline or restart"), "{message}");
    }
    let _ = ask("nonsense").await.problem(400);
    let _ = farm.post(&path, &json!({ "status": "asleep" })).await.problem(400);
    ask("awake").await.no_content();
    assert_eq!(
        fetch(&farm, &worker).await.get("status_change"),
        None,
        "it is awake: the request is taken back"
    );
    worker.sign_on_as(true).await;
    ask("restart").await.no_content();
    let unknown = format!("/api/v3/worker-mgt/workers/{UNKNOWN}/setstatus");
    let _ = farm.post(&unknown, &json!({ "status": "asleep", "is_lazy": true })).await.problem(404);
    farm.stop().await;
}

async fn a_deleted_worker_is_gone_and_its_task_is_not(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let [worker, other] = [farm.worker("w").await, farm.worker("other").await];
    let task = worker.take().await;
    let path = format!("/api/v3/worker-mgt/workers/{}", worker.id);
    let tag = farm.post("/api/v3/worker-mgt/tags", &json!({ "name": "gpu" })).await.expect(200).json();
    farm.post(&format!("{path}/settags"), &json!({ "tag_ids": [tag["id"]] })).await.no_content();
    let schedule = json!({ "is_active": false, "days_of_week": "mo", "start_time": "", "end_time": "" });
    farm.post(&format!("{path}/sleep-schedule"), &schedule).await.no_content();
    farm.delete(&path).await.no_content();
    let _ = farm.delete(&path).await.problem(404);
    let _ = farm.get(&format!("{path}/sleep-schedule")).await.expect(204);
    let _ = farm.get(&path).await.problem(404);
    let _ = farm.delete(&format!("/api/v3/worker-mgt/workers/{UNKNOWN}")).await.problem(404);
    let all = farm.get("/api/v3/worker-mgt/workers").await.expect(200).json();
    assert_eq!(all["workers"].as_array().unwrap().len(), 1);
    assert_eq!(farm.task_statuses(&job).await, "queued");
    let shown = farm.task(&task.uuid.to_string()).await["worker"].clone();
    assert_eq!(shown, json!({ "id": worker.id.to_string(), "name": "", "address": "" }));
    assert_eq!(worker.report_task(task.uuid, "completed").await, 403);
    assert_eq!(other.take().await.uuid, task.uuid);
    farm.stop().await;
}

async fn tags_are_made_and_given_to_workers(farm: Builder) {
    let farm = farm.start().await;
    assert_eq!(farm.get("/api/v3/worker-mgt/tags").await.expect(200).json(), json!({ "tags": [] }));
    let make = async |body: Value| farm.post("/api/v3/worker-mgt/tags", &body).await.expect(200).json();
    let zoo = make(json!({ "name": "zoo", "description": "animals" })).await;
    let ant = make(json!({ "id": UNKNOWN, "name": "ant" })).await;
    assert_eq!(ant, json!({ "id": UNKNOWN, "name": "ant" }), "no description is no description");
    assert_eq!(farm.get(&format!("/api/v3/worker-mgt/tag/{UNKNOWN}")).await.expect(200).json(), ant);
    assert_eq!(farm.get("/api/v3/worker-mgt/tags").await.expect(200).json(), json!({ "tags": [ant, zoo] }));

    let worker = farm.worker("w").await;
    let path = format!("/api/v3/worker-mgt/workers/{}/settags", worker.id);
    let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
    live.subscribe("allWorkers", None).await;
    farm.post(&path, &json!({ "tag_ids": [zoo["id"], ant["id"], zoo["id"]] })).await.no_content();
    let event = live.until("/workers", |event| event["id"] == json!(worker.id)).await;
    assert_eq!(event["tag_ids"], json!([ant["id"], zoo["id"]]));
    assert_eq!(fetch(&farm, &worker).await["tags"], json!([ant, zoo]));
    let stranger = "00000000-1111-4222-8333-444444444444";
    let message = farm.post(&path, &json!({ "tag_ids": [zoo["id"], stranger] })).await.problem(422);
    assert!(message.contains(stranger), "{message}");
    let _ = farm.post(&path, &json!({ "tag_ids": ["nonsense"] })).await.problem(400);
    assert_eq!(fetch(&farm, &worker).await["tags"], json!([ant, zoo]), "nothing changed");
    farm.post(&path, &json!({ "tag_ids": [] })).await.no_content();
    assert_eq!(fetch(&farm, &worker).await.get("tags"), None);
    let unknown = format!("/api/v3/worker-mgt/workers/{stranger}/settags");
    let _ = farm.post(&unknown, &json!({ "tag_ids": [] })).await.problem(404);
    farm.stop().await;
}

async fn tags_that_are_refused(farm: Builder) {
    let farm = farm.start().await;
    let _ = farm.post("/api/v3/worker-mgt/tags", &json!({ "id": UNKNOWN, "name": "gpu" })).await.expect(200);
    let message = farm.post("/api/v3/worker-mgt/tags", &json!({ "name": "gpu" })).await.problem(409);
    assert!(message.contains("choose another"), "{message}");
    let _ =
        farm.post("/api/v3/worker-mgt/tags", &json!({ "id": UNKNOWN, "name": "other" })).await.problem(409);
    for (body, word) in [
        (json!({ "name": " " }), "name"),
        (json!({}), "name"),
        (json!({ "id": "nonsense", "name": "x" }), "id"),
        (json!({ "name": "x", "description": 7 }), "description"),
    ] {
        let message = farm.post("/api/v3/worker-mgt/tags", &body).await.problem(400);
        assert!(message.contains(word), "{body}: {message}");
    }
    let all = farm.get("/api/v3/worker-mgt/tags").await.expect(200).json();
    assert_eq!(all["tags"].as_array().unwrap().len(), 1);
    farm.stop().await;
}

async fn a_worker_shows_its_task(farm: Builder) {
    let farm = farm.start().await;
    farm.submit("job", tasks(2)).await;
    let worker = farm.worker("w").await;
    assert_eq!(fetch(&farm, &worker).await.get("task"), None);
    let first = worker.take().await;
    let shown = fetch(&farm, &worker).await["task"].clone();
    assert_eq!((&shown["id"], &shown["status"]), (&json!(first.uuid.to_string()), &json!("active")));
    assert_eq!(shown["job_id"], first.job.to_string());
    farm.clock().advance(chrono::TimeDelta::seconds(1));
    worker.complete(&first).await;
    assert_eq!(fetch(&farm, &worker).await["task"]["status"], "completed", "the last one it had");
    let second = worker.take().await;
    assert_eq!(fetch(&farm, &worker).await["task"]["id"], second.uuid.to_string());
    worker.report_status(WorkerStatus::Asleep).await;
    let reply = farm.request(Method::GET, "/api/v3/worker-mgt/workers").send().await.expect(200).json();
    assert_eq!(reply["workers"][0]["status"], "asleep");
    farm.stop().await;
}
