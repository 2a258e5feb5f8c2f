//! The audit trail: what people change is on record, with who they said they are; what is refused is not.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use flamenco_domain::audit::{Entry, ObjectKind};
use flamenco_domain::clock::Clock;
use flamenco_domain::role::Role;
use flamenco_store::list::AuditFilter;
use flamenco_testkit::{Builder, FakeWorker, Method, Request, TestFarm, TestManager};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::{UNKNOWN, eventually, tasks};

on_each_database!(
    what_people_change_is_on_record,
    what_changes_nothing_is_not_on_record,
    the_trail_has_pages_and_filters,
    an_open_farm_has_a_trail_too,
    the_trail_survives_a_restart,
    who_leaves_before_the_answer_is_on_record,
);

const ADMIN: &str = "admin-token-of-the-farm";
const ARTIST: &str = "artist-token-of-the-farm";

fn builder(farm: Builder) -> Builder {
    farm.with_yaml(&format!("access: {{admin_token: {ADMIN}, artist_token: {ARTIST}}}"))
}

fn ask(farm: &TestManager, method: Method, path: &str) -> Request {
    farm.request(method, path).basic("Wrangler", ADMIN)
}

async fn trail(farm: &TestManager, query: &str) -> Value {
    ask(farm, Method::GET, &format!("/api/v3/audit{query}")).send().await.expect(200).json()
}

/// The newest entry.
async fn newest(farm: &TestManager) -> Value {
    trail(farm, "?limit=1").await["entries"][0].clone()
}

fn operations(trail: &Value) -> Vec<String> {
    let entries = trail["entries"].as_array().unwrap().iter();
    entries.map(|entry| entry["operation"].as_str().unwrap().to_owned()).collect()
}

/// What is to be seen of a change: operation, kind, name, summary, role and person.
fn told(entry: &Value) -> [&str; 6] {
    ["operation", "object_kind", "object_name", "summary", "role", "name"]
        .map(|key| entry.get(key).and_then(Value::as_str).unwrap_or_default())
}

async fn submit(farm: &TestManager, name: &str) -> String {
    let request = farm.request(Method::POST, "/api/v3/jobs").basic("Lighting", ARTIST);
    let submission = TestManager::submission(name, &tasks(2));
    request.json(&submission).send().await.expect(200).json()["id"].as_str().unwrap().to_owned()
}

async fn what_people_change_is_on_record(farm: Builder) {
    let farm = builder(farm).start().await;
    let cookie =
        farm.post("/api/v3/session", &json!({ "token": ARTIST, "name": "Lighting" })).await.expect(204);
    let cookie = cookie.header("set-cookie").split(';').next().unwrap().to_owned();
    let entry = newest(&farm).await;
    assert_eq!(told(&entry), ["createSession", "session", "", "", "artist", "Lighting"]);
    assert_eq!(entry["address"], "127.0.0.1");

    let job = submit(&farm, "shot 7").await;
    let entry = newest(&farm).await;
    assert_eq!(told(&entry), ["submitJob", "job", "shot 7", "priority: 50", "artist", "Lighting"]);
    assert_eq!(entry["object_id"], json!(job));
    let change = json!({ "status": "cancel-requested", "reason": "wrong\ncamera" });
    let request = farm.request(Method::POST, &format!("/api/v3/jobs/{job}/setstatus"));
    request.header("cookie", &cookie).json(&change).send().await.no_content();
    let summary = "status: cancel-requested, reason: wrong camera";
    assert_eq!(told(&newest(&farm).await), ["setJobStatus", "job", "shot 7", summary, "artist", "Lighting"]);

    let jobs_tasks = ask(&farm, Method::GET, &format!("/api/v3/jobs/{job}/tasks")).send().await.json();
    let task = &jobs_tasks["tasks"][0];
    let path = format!("/api/v3/tasks/{}/setstatus", task["id"].as_str().unwrap());
    let request = ask(&farm, Method::POST, &path).json(&json!({ "status": "queued", "reason": "again" }));
    request.send().await.no_content();
    let name = task["name"].as_str().unwrap();
    let summary = "status: queued, reason: again";
    assert_eq!(told(&newest(&farm).await), ["setTaskStatus", "task", name, summary, "admin", "Wrangler"]);

    let worker = FakeWorker::register(&farm, "render-07", &["blender"]).await;
    let path = format!("/api/v3/worker-mgt/workers/{}", worker.id);
    ask(&farm, Method::DELETE, &path).send().await.no_content();
    let entry = newest(&farm).await;
    assert_eq!(told(&entry), ["deleteWorker", "worker", "render-07", "", "admin", "Wrangler"]);
    assert_eq!(entry["object_id"], json!(worker.id.to_string()));

    let tag = ask(&farm, Method::POST, "/api/v3/worker-mgt/tags").json(&json!({ "name": "fast" }));
    let tag = tag.send().await.expect(200).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(told(&newest(&farm).await), ["createWorkerTag", "tag", "fast", "", "admin", "Wrangler"]);
    let path = format!("/api/v3/worker-mgt/tag/{tag}");
    let request = ask(&farm, Method::PUT, &path).json(&json!({ "name": "faster" }));
    request.send().await.no_content();
    assert_eq!(
        told(&newest(&farm).await),
        ["updateWorkerTag", "tag", "fast", "name: faster", "admin", "Wrangler"]
    );
    ask(&farm, Method::DELETE, &path).send().await.no_content();
    assert_eq!(told(&newest(&farm).await), ["deleteWorkerTag", "tag", "faster", "", "admin", "Wrangler"]);

    let path = "/api/v3/configuration/file";
    let mut settings = ask(&farm, Method::GET, path).send().await.json();
    settings["manager_name"] = json!("Renamed");
    settings["access"]["viewer_token"] = json!("viewer-token-of-the-farm");
    ask(&farm, Method::PUT, path).json(&settings).send().await.no_content();
    let summary = "changed: manager_name, access.viewer_token";
    let entry = newest(&farm).await;
    assert_eq!(told(&entry), ["updateConfigurationFile", "configuration", "", summary, "admin", "Wrangler"]);
    settings["access"]["viewer_token"] = json!("another-viewer-token-of-the-farm");
    ask(&farm, Method::PUT, path).json(&settings).send().await.no_content();
    let entry = newest(&farm).await;
    assert_eq!(entry["summary"], "changed: a secret");
    let whole = trail(&farm, "").await;
    for token in [ADMIN, ARTIST, "viewer-token"] {
        assert!(!whole.to_string().contains(token), "{whole}");
    }
    farm.stop().await;
}

async fn what_changes_nothing_is_not_on_record(farm: Builder) {
    let farm = builder(farm).start().await;
    let job = submit(&farm, "job").await;
    let worker = FakeWorker::register(&farm, "w", &["blender"]).await;
    worker.wake_up().await;
    let task = worker.take().await;
    worker.complete(&task).await;
    let path = format!("/api/v3/jobs/{job}/setstatus");
    let status = json!({ "status": "cancel-requested", "reason": "" });
    let _ = farm.post(&path, &status).await.problem(401);
    let viewer = farm.request(Method::DELETE, "/api/v3/jobs/mass-delete").basic("Lighting", ARTIST);
    let _ = viewer.json(&json!({ "last_updated_max": "2020-01-01T00:00:00Z" })).send().await.problem(403);
    let _ = ask(&farm, Method::POST, &path).json(&json!({ "status": "active" })).send().await.problem(400);
    let unknown = format!("/api/v3/jobs/{UNKNOWN}/setstatus");
    let _ = ask(&farm, Method::POST, &unknown).json(&status).send().await.problem(404);
    let check = TestManager::submission("job", &tasks(1));
    ask(&farm, Method::POST, "/api/v3/jobs/check").json(&check).send().await.no_content();
    let _ = farm.post("/api/v3/session", &json!({ "token": "guess" })).await.problem(401);
    let _ = farm.delete("/api/v3/session").await.expect(204);
    let _ = ask(&farm, Method::GET, "/api/v3/jobs").send().await.expect(200);
    assert_eq!(operations(&trail(&farm, "").await), ["submitJob"]);
    farm.stop().await;
}

async fn the_trail_has_pages_and_filters(farm: Builder) {
    let farm = builder(farm).start().await;
    let jobs = [submit(&farm, "one").await, submit(&farm, "two").await];
    for (priority, job) in [(1, &jobs[0]), (2, &jobs[1]), (3, &jobs[0])] {
        let path = format!("/api/v3/jobs/{job}/setpriority");
        ask(&farm, Method::POST, &path).json(&json!({ "priority": priority })).send().await.no_content();
    }
    let summaries = async |query: &str| {
        let trail = trail(&farm, query).await;
        let all = trail["entries"].as_array().unwrap().iter();
        let all: Vec<_> = all.map(|entry| entry["summary"].as_str().unwrap().to_owned()).collect();
        (all, trail.get("next_before").cloned())
    };
    let (first, next) = summaries("?limit=2").await;
    assert_eq!(first, ["priority: 3", "priority: 2"]);
    let (second, next) = summaries(&format!("?limit=2&before={}", next.unwrap())).await;
    assert_eq!(second, ["priority: 1", "priority: 50"]);
    let (last, next) = summaries(&format!("?limit=2&before={}", next.unwrap())).await;
    assert_eq!((last.len(), next), (1, None));
    for (query, want) in [
        (format!("?object={}", jobs[0]), vec!["priority: 3", "priority: 1", "priority: 50"]),
        (format!("?object={}&operation=submitJob", jobs[0]), vec!["priority: 50"]),
        ("?name=lighting".to_owned(), vec!["priority: 50", "priority: 50"]),
        ("?name=R%41N&limit=1".to_owned(), vec!["priority: 3"]),
        (format!("?object={UNKNOWN}"), vec![]),
    ] {
        assert_eq!(summaries(&query).await.0, want, "{query}");
    }
    for (query, why) in [
        ("?limit=0", "limit"),
        ("?limit=501", "limit"),
        ("?before=0", "before"),
        ("?object=x", "object"),
        ("?operation=fetchEverything", "there is no operation"),
    ] {
        let refused = ask(&farm, Method::GET, &format!("/api/v3/audit{query}")).send().await.problem(400);
        assert!(refused.contains(why), "{query}: {refused}");
    }
    farm.stop().await;
}

async fn an_open_farm_has_a_trail_too(farm: Builder) {
    let farm = farm.start().await;
    let submission = TestManager::submission("job", &tasks(1));
    let _ = farm.post("/api/v3/jobs", &submission).await.expect(200);
    let _ = farm.post("/api/v3/session", &json!({ "token": "x", "name": "Lighting" })).await.expect(204);
    let trail = farm.get("/api/v3/audit").await.expect(200).json();
    assert_eq!(operations(&trail), ["submitJob"], "there is nothing to sign in to");
    assert_eq!(told(&trail["entries"][0]), ["submitJob", "job", "job", "priority: 50", "admin", ""]);
    farm.stop().await;
}

async fn the_trail_survives_a_restart(farm: Builder) {
    let mut farm = farm.start().await;
    let submission = TestManager::submission("job", &tasks(1));
    let _ = farm.post("/api/v3/jobs", &submission).await.expect(200);
    farm.restart().await;
    assert_eq!(operations(&farm.get("/api/v3/audit").await.json()), ["submitJob"]);
    farm.stop().await;
}

#[tokio::test]
async fn old_entries_are_forgotten() {
    for (kept, left) in [("24h", 2), ("0s", 3), ("30h", 3), ("90m", 1)] {
        for farm in TestFarm::each(&format!("audit_max_age: {kept}")).await {
            for hours in [30, 23, 1] {
                let at = Clock::now(farm.clock()) - TimeDelta::hours(hours);
                farm.farm().record(entry(at)).await.unwrap();
            }
            assert_eq!(farm.farm().forget_old_changes().await.unwrap(), 3 - left, "{kept}");
            let trail = farm.farm().audit_trail(&AuditFilter::default(), None, 500).await.unwrap();
            assert_eq!(trail.entries.len() as u64, left, "{kept}");
            farm.close().await;
        }
    }
}

fn entry(at: DateTime<Utc>) -> Entry {
    Entry {
        at,
        operation: "deleteJob".to_owned(),
        kind: ObjectKind::Job,
        object: None,
        object_name: String::new(),
        summary: String::new(),
        role: Role::Admin,
        name: String::new(),
        address: String::new(),
    }
}

async fn who_leaves_before_the_answer_is_on_record(farm: Builder) {
    let farm = farm.start().await;
    let names = |list: &Value, key: &str| -> BTreeSet<String> {
        list.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap().to_owned()).collect()
    };
    for number in 0..150_u64 {
        let body = json!({ "name": format!("tag {number}") }).to_string();
        let request = format!(
            "POST /api/v3/worker-mgt/tags HTTP/1.1\r\nhost: farm\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut connection = TcpStream::connect(farm.address()).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        // At any moment between the request and its answer.
        tokio::time::sleep(Duration::from_micros(number * 40)).await;
    }
    let made = async || names(&farm.get("/api/v3/worker-mgt/tags").await.expect(200).json()["tags"], "name");
    let recorded = async || {
        let trail = farm.get("/api/v3/audit?operation=createWorkerTag&limit=500").await.expect(200).json();
        names(&trail["entries"], "object_name")
    };
    assert!(!made().await.is_empty(), "nobody stayed long enough");
    eventually("what was done is on record", Duration::from_secs(10), async || {
        made().await == recorded().await
    })
    .await;
    farm.stop().await;
}
