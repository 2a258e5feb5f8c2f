//! Registration, credentials, signing on and off.

use flamenco_testkit::api::types::{TaskUpdate, WorkerStatus};
use flamenco_testkit::{Builder, FakeWorker, Method, TestManager};
use serde_json::{Value, json};

use crate::{UNKNOWN, tasks};

on_each_database!(
    a_worker_that_signs_on_to_sleep_gives_its_task_back,
    a_registered_worker_is_known,
    registrations_that_are_refused,
    credentials_that_are_refused,
    signing_on_tells_who_it_is,
    signing_off_remembers_what_it_was,
    requests_are_kept_until_they_are_fulfilled,
    falling_asleep_gives_the_task_back,
    may_i_run_answers_every_case,
    every_call_is_a_sign_of_life,
    texts_that_are_too_long,
);

async fn texts_that_are_too_long(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    let sign_on = |name: &str, software: &str| {
        let body = json!({ "name": name, "software_version": software, "supported_task_types": ["blender"] });
        farm.request(Method::POST, "/api/v3/worker/sign-on").as_worker(&worker).json(&body)
    };
    let message = sign_on(&"n".repeat(256), "1").send().await.problem(400);
    assert!(message.contains("name") && message.contains("255"), "{message}");
    assert_eq!(fetch(&farm, &worker).await["name"], "w", "nothing changed");
    // 255 letters are not 255 bytes.
    let _ = sign_on(&"ш".repeat(255), &"1".repeat(100)).send().await.expect(200);
    let stored = fetch(&farm, &worker).await;
    assert_eq!(stored["name"], "ш".repeat(255));
    assert_eq!(stored["version"], format!("{}…", "1".repeat(63)));
    worker.report_status(WorkerStatus::Awake).await;

    let job = farm.submit("job", tasks(1)).await;
    let task = worker.take().await;
    let update = TaskUpdate { activity: Some("é".repeat(1001)), ..TaskUpdate::default() };
    assert_eq!(worker.report(task.uuid, &update).await, 204, "the rest of a report must not be lost");
    let stored = farm.task(&task.uuid.to_string()).await;
    assert_eq!(stored["activity"], format!("{}…", "é".repeat(999)));
    let long = json!({ "status": "cancel-requested", "reason": "r".repeat(5000) });
    farm.post(&format!("/api/v3/jobs/{job}/setstatus"), &long).await.no_content();
    let activity = farm.job(&job).await["activity"].as_str().unwrap().to_owned();
    assert!(activity.chars().count() < 1100 && activity.ends_with('…'), "{}", activity.len());
    farm.stop().await;
}

async fn fetch(farm: &TestManager, worker: &FakeWorker) -> Value {
    farm.get(&format!("/api/v3/worker-mgt/workers/{}", worker.id)).await.expect(200).json()
}

async fn request(farm: &TestManager, worker: &FakeWorker, status: &str, lazy: bool) {
    let path = format!("/api/v3/worker-mgt/workers/{}/setstatus", worker.id);
    farm.post(&path, &json!({ "status": status, "is_lazy": lazy })).await.no_content();
}

async fn a_registered_worker_is_known(farm: Builder) {
    let farm = farm.start().await;
    let body = json!({
        "name": " Узел 7 ", "secret": "s".repeat(72), "platform": "Linux",
        "supported_task_types": ["Blender ", "ffmpeg", "", "blender"],
    });
    let reply = farm
        .request(Method::POST, "/api/v3/worker/register-worker")
        .header("X-Forwarded-For", "10.1.2.3, 10.0.0.1");
    let worker = reply.json(&body).send().await.expect(200).json();
    assert_eq!(worker["name"], "Узел 7");
    assert_eq!((&worker["platform"], &worker["address"]), (&json!("linux"), &json!("10.1.2.3")));
    assert_eq!(worker["supported_task_types"], json!(["blender", "ffmpeg"]));
    let id = worker["uuid"].as_str().unwrap();
    let stored = farm.get(&format!("/api/v3/worker-mgt/workers/{id}")).await.expect(200).json();
    assert_eq!((&stored["status"], &stored["ip_address"]), (&json!("offline"), &json!("10.1.2.3")));
    for absent in ["last_seen", "task", "tags", "status_change"] {
        assert_eq!(stored.get(absent), None, "{stored}");
    }
    let twin = farm.post("/api/v3/worker/register-worker", &body).await.expect(200).json();
    assert_ne!(twin["uuid"], worker["uuid"], "names need not be unique");
    let all = farm.get("/api/v3/worker-mgt/workers").await.expect(200).json();
    assert_eq!(all["workers"].as_array().unwrap().len(), 2);
    assert!(!all.to_string().contains("sssss"), "the secret is never shown");
    farm.stop().await;
}

async fn registrations_that_are_refused(farm: Builder) {
    let farm = farm.start().await;
    let good =
        json!({ "name": "n", "secret": "s", "platform": "linux", "supported_task_types": ["blender"] });
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("   ")),
        ("secret", json!("")),
        ("secret", json!("s".repeat(73))),
        ("platform", json!("")),
        ("name", json!("n".repeat(256))),
        ("platform", json!("p".repeat(65))),
        ("supported_task_types", json!(["t".repeat(65)])),
        ("supported_task_types", json!((0..65).map(|n| format!("type {n}")).collect::<Vec<_>>())),
        ("name", json!(7)),
        ("supported_task_types", json!("blender")),
        ("name", Value::Null),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let message = farm.post("/api/v3/worker/register-worker", &body).await.problem(400);
        assert!(message.contains(field), "{field}: {message}");
    }
    for missing in ["name", "secret", "platform", "supported_task_types"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(missing);
        let message = farm.post("/api/v3/worker/register-worker", &body).await.problem(400);
        assert!(message.contains(missing), "{missing}: {message}");
    }
    let all = farm.get("/api/v3/worker-mgt/workers").await.expect(200).json();
    assert_eq!(all, json!({ "workers": [] }));
    farm.stop().await;
}

async fn credentials_that_are_refused(farm: Builder) {
    let farm = farm.start().await;
    farm.submit("job", tasks(1)).await;
    let [worker, deleted] = [farm.worker("w").await, farm.worker("deleted").await];
    let before = fetch(&farm, &worker).await;
    farm.delete(&format!("/api/v3/worker-mgt/workers/{}", deleted.id)).await.no_content();
    farm.clock().advance(chrono::TimeDelta::seconds(30));

    let ask = || farm.request(Method::POST, "/api/v3/worker/task");
    let id = worker.id.to_string();
    for (what, request) in [
        ("nothing", ask()),
        ("wrong secret", ask().basic(&id, "guess")),
        ("empty secret", ask().basic(&id, "")),
        ("secret and more", ask().basic(&id, &format!("{}x", worker.secret))),
        ("unknown worker", ask().basic(UNKNOWN, &worker.secret)),
        ("no id", ask().basic("admin", &worker.secret)),
        ("id in another form", ask().basic(&id.replace('-', ""), &worker.secret)),
        ("deleted worker", ask().as_worker(&deleted)),
        ("no basic", ask().header("authorization", &format!("Bearer {}", worker.secret))),
        ("no base64", ask().header("authorization", "Basic %%%")),
        ("no colon", ask().header("authorization", "Basic bm9jb2xvbg==")),
        ("only a word", ask().header("authorization", "Basic")),
    ] {
        let reply = request.send().await;
        assert_eq!(reply.status, 403, "{what}");
        let _ = reply.problem(403);
    }
    // Also with the right secret right after it was used, which the manager remembers.
    let _ = ask().basic(&id, "guess").send().await.problem(403);
    assert_eq!(fetch(&farm, &worker).await, before, "who is not let in is not seen");
    worker.take().await;
    farm.stop().await;
}

async fn signing_on_tells_who_it_is(farm: Builder) {
    let farm = farm.start().await;
    let mut worker = FakeWorker::register(&farm, "old name", &["blender"]).await;
    worker.name = " new name ".into();
    worker.task_types = vec![" FFMPEG ".into(), "misc".into()];
    assert_eq!(worker.sign_on_as(true).await, WorkerStatus::Awake);
    let now = fetch(&farm, &worker).await;
    assert_eq!((&now["name"], &now["status"]), (&json!("new name"), &json!("starting")));
    assert_eq!((&now["version"], &now["can_restart"]), (&json!("1.2.3"), &json!(true)));
    assert_eq!(now["supported_task_types"], json!(["ffmpeg", "misc"]));
    assert_eq!(
        now["last_seen"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap(),
        farm.now()
    );
    let body = json!({ "name": "n", "software_version": "2", "supported_task_types": [] });
    let reply =
        farm.request(Method::POST, "/api/v3/worker/sign-on").as_worker(&worker).json(&body).send().await;
    let storage = farm.folder().join("shared").display().to_string();
    let wanted = json!({ "status_requested": "awake", "shared_storage": storage });
    assert_eq!(reply.expect(200).json(), wanted, "and where it can see how full the storage is");
    assert_eq!(fetch(&farm, &worker).await["can_restart"], false, "absent means no");
    farm.stop().await;
}

async fn signing_off_remembers_what_it_was(farm: Builder) {
    let farm = farm.start().await;
    use WorkerStatus as W;
    for (was, requested, after) in [
        (W::Awake, None, Some("awake")),
        (W::Asleep, None, Some("asleep")),
        (W::Awake, Some(("offline", true)), Some("awake")),
        (W::Asleep, Some(("restart", false)), Some("asleep")),
        (W::Awake, Some(("asleep", false)), Some("asleep")),
        (W::Error, Some(("offline", false)), None),
        (W::Starting, None, None),
    ] {
        let worker = FakeWorker::register(&farm, "w", &["blender"]).await;
        worker.sign_on_as(true).await;
        worker.report_status(was).await;
        if let Some((status, lazy)) = requested {
            request(&farm, &worker, status, lazy).await;
        }
        worker.sign_off().await;
        let now = fetch(&farm, &worker).await;
        assert_eq!(now["status"], "offline");
        let want = after.map(|status| json!({ "status": status, "is_lazy": false }));
        assert_eq!(now.get("status_change"), want.as_ref(), "{was} {requested:?}");
        let wanted = worker.sign_on().await;
        assert_eq!(wanted.to_string(), after.unwrap_or("awake"), "{was} {requested:?}");
    }
    farm.stop().await;
}

async fn requests_are_kept_until_they_are_fulfilled(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    let state = async || {
        let reply = farm.request(Method::GET, "/api/v3/worker/state").as_worker(&worker).send().await;
        (
            reply.status,
            if reply.status == 200 { reply.json()["status_requested"].to_string() } else { String::new() },
        )
    };
    assert_eq!(state().await, (204, String::new()));
    request(&farm, &worker, "asleep", true).await;
    assert_eq!(state().await, (200, "\"asleep\"".into()));
    worker.report_status(WorkerStatus::Starting).await;
    assert_eq!(state().await.0, 200, "another status does not fulfil it");
    worker.report_status(WorkerStatus::Asleep).await;
    assert_eq!(state().await.0, 204);
    farm.stop().await;
}

async fn falling_asleep_gives_the_task_back(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    for status in [WorkerStatus::Asleep, WorkerStatus::Error, WorkerStatus::Restart] {
        let worker = farm.worker("w").await;
        let task = worker.take().await;
        worker.report_status(status).await;
        assert_eq!(farm.task_statuses(&job).await, "queued", "{status}");
        let log = farm.get(&format!("/api/v3/tasks/{}/logtail", task.uuid)).await.expect(200).text();
        assert!(log.contains(&status.to_string()), "{log}");
        let answer = worker.may_run(task.uuid).await;
        assert!(!answer.may_keep_running && answer.reason.contains("queued"), "{}", answer.reason);
    }
    farm.stop().await;
}

async fn may_i_run_answers_every_case(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(2)).await;
    let [worker, stranger] = [farm.worker("w").await, farm.worker("stranger").await];
    let task = worker.take().await;
    let waiting = farm.task_ids(&job).await[1].parse().unwrap();
    let ask = async |worker: &FakeWorker, task| {
        let answer = worker.may_run(task).await;
        assert_eq!(answer.may_keep_running, answer.reason.is_empty(), "every no has a reason");
        (answer.may_keep_running, answer.status_change_requested)
    };
    assert_eq!(ask(&worker, task.uuid).await, (true, false));
    assert_eq!(ask(&stranger, task.uuid).await, (false, false));
    assert_eq!(ask(&worker, waiting).await, (false, false), "it was not given to anybody");
    assert_eq!(ask(&worker, UNKNOWN.parse().unwrap()).await, (false, false));
    request(&farm, &worker, "asleep", true).await;
    assert_eq!(ask(&worker, task.uuid).await, (true, false), "a lazy request waits for the end of the task");
    request(&farm, &worker, "asleep", false).await;
    assert_eq!(ask(&worker, task.uuid).await, (false, true));
    request(&farm, &worker, "awake", false).await;
    assert_eq!(ask(&worker, task.uuid).await, (true, false), "the request was taken back");
    worker.complete(&task).await;
    assert_eq!(ask(&worker, task.uuid).await, (false, false));
    let path = format!("/api/v3/worker/task/{UNKNOWN}x/may-i-run");
    let _ = farm.request(Method::GET, &path).as_worker(&worker).send().await.problem(400);
    farm.stop().await;
}

async fn every_call_is_a_sign_of_life(farm: Builder) {
    let farm = farm.start().await;
    farm.submit("job", tasks(1)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    let seen = async |what: &str| {
        let last = fetch(&farm, &worker).await["last_seen"].as_str().unwrap().to_owned();
        assert_eq!(last.parse::<chrono::DateTime<chrono::Utc>>().unwrap(), farm.now(), "{what}");
        farm.clock().advance(chrono::TimeDelta::seconds(10));
    };
    seen("taking a task").await;
    worker.may_run(task.uuid).await;
    seen("may-i-run").await;
    let touched = farm.task(&task.uuid.to_string()).await["last_touched"].clone();
    worker.log(task.uuid, "x").await;
    assert_ne!(farm.task(&task.uuid.to_string()).await["last_touched"], touched);
    seen("an update").await;
    let _ = farm.request(Method::GET, "/api/v3/worker/state").as_worker(&worker).send().await.expect(204);
    seen("asking for its state").await;
    worker.report_status(WorkerStatus::Asleep).await;
    seen("reporting its state").await;
    worker.ask(None).await;
    seen("asking for work, even when it is refused").await;
    worker.sign_on().await;
    seen("signing on").await;
    worker.sign_off().await;
    seen("signing off").await;
    farm.stop().await;
}

/// It happened that a worker that was started again and went to sleep kept the task of its former life.
async fn a_worker_that_signs_on_to_sleep_gives_its_task_back(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", crate::tasks(1)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    worker.sign_on().await;
    assert_eq!(farm.task_statuses(&job).await, "active", "it may go on with it");
    worker.report_status(flamenco_testkit::api::types::WorkerStatus::Asleep).await;
    assert_eq!(farm.task_statuses(&job).await, "queued");
    let other = farm.worker("other").await;
    assert_eq!(other.take().await.uuid, task.uuid);
    farm.stop().await;
}
