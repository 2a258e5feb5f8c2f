//! Job types, submission, and reading jobs and tasks.

use flamenco_testkit::{Builder, FakeWorker, PLAN_JOB_TYPE, TestManager};
use serde_json::{Value, json};

use crate::{UNKNOWN, tasks};

on_each_database!(
    job_types_are_listed_and_broken_ones_left_out,
    a_submitted_job_is_stored_as_sent,
    settings_keep_their_order_and_types,
    a_job_needs_neither_settings_nor_metadata,
    built_in_job_types_work,
    a_check_stores_nothing,
    an_outdated_etag_is_refused,
    a_job_can_start_paused,
    a_job_with_a_tag_is_for_workers_with_it,
    thousands_of_tasks_are_stored,
    twoway_variables_travel_between_platforms,
    the_priority_can_be_changed,
    reading_what_does_not_exist,
    jobs_are_listed_with_everything,
);

async fn job_types_are_listed_and_broken_ones_left_out(farm: Builder) {
    let farm = farm
        .with_script("broken_one.js", "const JOB_TYPE = { label: 'x', settings: [] };\nnonsense(")
        .start();
    let farm = farm.await;
    let all = farm.get("/api/v3/jobs/types").await.expect(200).json();
    let names: Vec<&str> =
        all["job_types"].as_array().unwrap().iter().map(|kind| kind["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted(), "{names:?}");
    for name in ["echo-sleep-test", "simple-blender-render", PLAN_JOB_TYPE] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(!names.contains(&"broken-one"), "{names:?}");

    let echo = farm.get("/api/v3/jobs/type/echo-sleep-test").await.expect(200).json();
    assert_eq!(echo["etag"], "eba586e16d6b55baaa43e32f9e78ae514b457fee");
    assert_eq!(echo.get("description"), None);
    let render = farm.get("/api/v3/jobs/type/simple-blender-render").await.expect(200).json();
    assert!(render["description"].is_string() && render["settings"].as_array().unwrap().len() > 5);

    let message = farm.get("/api/v3/jobs/type/no-such-type").await.problem(404);
    assert!(message.contains("no-such-type"), "{message}");
    let message = farm.get("/api/v3/jobs/type/broken-one").await.problem(500);
    assert!(message.contains("broken_one.js:2"), "where it is broken: {message}");
    farm.stop().await;
}

async fn a_submitted_job_is_stored_as_sent(farm: Builder) {
    let farm = farm.start().await;
    let mut submission = TestManager::submission(
        "Весы 3: ✂ cut",
        &json!([
            { "name": "a", "commands": [{ "name": "frames", "steps": 7 }, { "name": "echo" }] },
            { "name": "b", "type": "ffmpeg", "priority": 61, "after": [0] },
        ]),
    );
    submission["priority"] = json!(77);
    submission["metadata"] = json!({ "user.name": "ann", "project": "Весы" });
    submission["storage"] = json!({ "shaman_checkout_id": "Весы/Синтел" });
    let job = farm.post("/api/v3/jobs", &submission).await.expect(200).json();
    for (key, want) in [
        ("name", json!("Весы 3: ✂ cut")),
        ("type", json!(PLAN_JOB_TYPE)),
        ("priority", json!(77)),
        ("status", json!("queued")),
        ("activity", json!("")),
        ("steps_completed", json!(0)),
        ("steps_total", json!(7 + 1 + 1)),
        ("metadata", json!({ "user.name": "ann", "project": "Весы" })),
        ("storage", json!({ "shaman_checkout_id": "Весы/Синтел" })),
        ("settings", submission["settings"].clone()),
        ("submitter_platform", json!("")),
    ] {
        assert_eq!(job[key], want, "{key} in {job}");
    }
    assert_eq!(job["created"], job["updated"]);
    assert_eq!(
        job["created"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap(),
        farm.now()
    );
    for absent in ["worker_tag", "type_etag", "initial_status", "delete_requested_at"] {
        assert_eq!(job.get(absent), None, "{job}");
    }

    let id = job["id"].as_str().unwrap();
    assert_eq!(farm.job(id).await, job);
    let all = farm.tasks(id).await;
    let brief: Vec<Value> = all
        .iter()
        .map(|t| {
            json!([
                t["index_in_job"],
                t["name"],
                t["task_type"],
                t["priority"],
                t["status"],
                t["steps_total"]
            ])
        })
        .collect();
    assert_eq!(
        brief,
        [json!([1, "a", "blender", 50, "queued", 8]), json!([2, "b", "ffmpeg", 61, "queued", 1])]
    );
    let nobody = json!({ "id": "", "name": "", "address": "" });
    assert_eq!(all[0]["worker"], nobody);

    let task = farm.task(all[0]["id"].as_str().unwrap()).await;
    assert_eq!(
        (&task["job_id"], &task["worker"], &task["failed_by_workers"]),
        (&job["id"], &nobody, &json!([]))
    );
    let frames = json!({ "name": "frames", "parameters": {}, "total_step_count": 7 });
    assert_eq!(
        task["commands"],
        json!([frames, { "name": "echo", "parameters": {}, "total_step_count": 0 }])
    );
    assert_eq!(task.get("last_touched"), None);
    farm.stop().await;
}

async fn settings_keep_their_order_and_types(farm: Builder) {
    let farm = farm.start().await;
    let mut submission = TestManager::submission("order", &tasks(1));
    let settings: Value = serde_json::from_str(&format!(
        r#"{{"zebra": 1, "apple": 2.5, "plan": {plan}, "mango": [1, "x", null], "deep": {{"z": true, "a": null}}, "big": 9007199254740991}}"#,
        plan = submission["settings"]["plan"]
    ))
    .unwrap();
    submission["settings"] = settings.clone();
    submission["metadata"] = json!({ "zebra": "1", "apple": "2" });
    let id = farm.submit_as(submission).await;
    let job = farm.job(&id).await;
    assert_eq!(job["settings"].to_string(), settings.to_string());
    farm.stop().await;
}

async fn a_job_needs_neither_settings_nor_metadata(farm: Builder) {
    let script = "const JOB_TYPE = { label: 'x', settings: [] };\n\
                  function compileJob(job) { const t = author.Task('t', 'misc'); job.addTask(t); }";
    let farm = farm.with_script("plain.js", script).start().await;
    let id = farm.submit_as(json!({ "name": "n", "type": "plain", "submitter_platform": "manager" })).await;
    let job = farm.job(&id).await;
    assert_eq!((&job["priority"], &job["steps_total"]), (&json!(50), &json!(0)), "{job}");
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    assert!(task.commands.is_empty());
    worker.complete(&task).await;
    assert_eq!(farm.job_status(&id).await, "completed");
    farm.stop().await;
}

async fn built_in_job_types_work(farm: Builder) {
    let farm = farm.start().await;
    let id = farm
        .submit_as(json!({
            "name": "Talk & sleep", "type": "echo-sleep-test", "priority": 50, "submitter_platform": "manager",
            "settings": { "message": "hello {blender}", "sleep_duration_seconds": 3, "sleep_repeats": 2 },
        }))
        .await;
    let names: Vec<Value> = farm.tasks(&id).await.iter().map(|task| task["name"].clone()).collect();
    assert_eq!(names, ["echo", "sleep", "sleep"]);
    let worker = farm.worker("w").await;
    let echo = worker.take().await;
    assert_eq!(echo.commands[0].parameters["message"], "hello blender", "variables are replaced at hand-out");
    let stored = farm.task(&echo.uuid.to_string()).await;
    assert_eq!(stored["commands"][0]["parameters"]["message"], "hello {blender}", "and only there");
    assert!(worker.take_if_any().await.is_some_and(|task| task.uuid == echo.uuid), "sleep waits for echo");
    worker.complete(&echo).await;
    assert_eq!(worker.take().await.name, "sleep");
    farm.stop().await;
}

async fn a_check_stores_nothing(farm: Builder) {
    let farm = farm.start().await;
    let submission = TestManager::submission("only a check", &tasks(2));
    farm.post("/api/v3/jobs/check", &submission).await.no_content();
    let mut wrong = submission.clone();
    wrong["type"] = json!("no-such-type");
    let message = farm.post("/api/v3/jobs/check", &wrong).await.problem(400);
    assert!(message.contains("no-such-type"), "{message}");
    wrong = submission;
    wrong["worker_tag"] = json!(UNKNOWN);
    let message = farm.post("/api/v3/jobs/check", &wrong).await.problem(400);
    assert!(message.contains(UNKNOWN), "{message}");
    assert_eq!(farm.get("/api/v3/jobs").await.expect(200).json(), json!({ "jobs": [] }));
    farm.stop().await;
}

async fn an_outdated_etag_is_refused(farm: Builder) {
    let farm = farm.start().await;
    let mut submission = TestManager::submission("etag", &tasks(1));
    submission["type_etag"] = json!("0123456789012345678901234567890123456789");
    for path in ["/api/v3/jobs", "/api/v3/jobs/check"] {
        let message = farm.post(path, &submission).await.problem(412);
        assert!(message.contains("refresh the job types"), "{message}");
    }
    assert_eq!(farm.get("/api/v3/jobs").await.expect(200).json(), json!({ "jobs": [] }));

    let kind = farm.get(&format!("/api/v3/jobs/type/{PLAN_JOB_TYPE}")).await.expect(200).json();
    submission["type_etag"] = kind["etag"].clone();
    farm.post("/api/v3/jobs/check", &submission).await.no_content();
    farm.submit_as(submission.clone()).await;
    submission["type_etag"] = json!("");
    farm.submit_as(submission).await;
    farm.stop().await;
}

async fn a_job_can_start_paused(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    let mut submission = TestManager::submission("later", &tasks(2));
    submission["initial_status"] = json!("paused");
    let id = farm.submit_as(submission.clone()).await;
    assert_eq!(farm.job_status(&id).await, "paused");
    assert_eq!(farm.task_statuses(&id).await, "queued queued");
    assert_eq!(worker.take_if_any().await, None);
    farm.set_job_status(&id, "requeueing").await.no_content();
    assert_eq!(farm.job_status(&id).await, "queued");
    assert_eq!(worker.take().await.job.to_string(), id);

    for status in ["active", "completed", "under-construction", "cancel-requested", "failed"] {
        submission["initial_status"] = json!(status);
        let message = farm.post("/api/v3/jobs", &submission).await.problem(400);
        assert!(message.contains(status) && message.contains("queued or paused"), "{message}");
    }
    assert_eq!(farm.get("/api/v3/jobs").await.expect(200).json()["jobs"].as_array().unwrap().len(), 1);
    farm.stop().await;
}

async fn a_job_with_a_tag_is_for_workers_with_it(farm: Builder) {
    let farm = farm.start().await;
    let tag = farm.post("/api/v3/worker-mgt/tags", &json!({ "name": "gpu" })).await.expect(200).json();
    let tag = tag["id"].as_str().unwrap().to_owned();
    let mut submission = TestManager::submission("tagged", &tasks(2));
    submission["worker_tag"] = json!(tag);
    let tagged = farm.submit_as(submission.clone()).await;
    assert_eq!(farm.job(&tagged).await["worker_tag"], tag);
    submission["worker_tag"] = json!("");
    submission["priority"] = json!(10);
    let plain = farm.submit_as(submission).await;
    assert_eq!(farm.job(&plain).await.get("worker_tag"), None);

    let (member, other) = (farm.worker("member").await, farm.worker("other").await);
    let path = format!("/api/v3/worker-mgt/workers/{}/settags", member.id);
    farm.post(&path, &json!({ "tag_ids": [tag, tag] })).await.no_content();
    assert_eq!(other.take().await.job.to_string(), plain, "a worker without tags gets jobs without a tag");
    let first = member.take().await;
    assert_eq!(first.job.to_string(), tagged, "its tag's job has the higher priority");
    member.complete(&first).await;
    let second = member.take().await;
    member.complete(&second).await;
    assert_eq!(farm.job_status(&tagged).await, "completed");
    assert_eq!(member.take().await.job.to_string(), plain, "a tagged worker also gets jobs without a tag");
    farm.stop().await;
}

async fn thousands_of_tasks_are_stored(farm: Builder) {
    let farm = farm.start().await;
    let mut plan: Vec<Value> = (0..3499).map(|number| json!({ "name": format!("task-{number}") })).collect();
    plan.push(json!({ "name": "last", "after": (0..3499).collect::<Vec<_>>() }));
    let id = farm.submit("many", Value::Array(plan)).await;
    let job = farm.job(&id).await;
    assert_eq!((&job["steps_total"], &job["task_counts"]["queued"]), (&json!(3500), &json!(3500)));
    let all = farm.tasks(&id).await;
    assert_eq!(all.len(), 3500);
    assert!(all.iter().zip(1..).all(|(task, index)| task["index_in_job"] == index));
    let worker = farm.worker("w").await;
    let first = worker.take().await;
    assert_eq!(first.name, "task-0");
    farm.set_job_status(&id, "cancel-requested").await.no_content();
    assert_eq!(farm.job(&id).await["task_counts"]["canceled"], 3500);
    farm.stop().await;
}

async fn twoway_variables_travel_between_platforms(farm: Builder) {
    let yaml = r"
variables:
  store:
    is_twoway: true
    values:
      - { platform: linux, value: /data/farm }
      - { platform: windows, value: 'K:\Data\farm' }
";
    let farm = farm.with_yaml(yaml).start().await;
    let plan = json!([{ "name": "t", "commands": [{ "name": "c", "parameters": {
        "file": "{store}/a/b.blend", "list": ["{store}\\c", "plain", 3], "filter": "pad=ceil(iw/2)*2", "native": "/data/farm/out/#",
    } }] }, { "name": "u", "commands": [{ "name": "c", "parameters": { "file": "{store}/x" } }] }]);
    let mut submission = TestManager::submission("K:\\Data\\farm\\name", &plan);
    submission["submitter_platform"] = json!("windows");
    submission["settings"]["file"] = json!("k:\\data\\FARM\\A\\b.blend");
    submission["settings"]["other"] = json!("X:\\K:\\Data\\farm");
    submission["settings"]["nested"] = json!(["K:\\Data\\farm\\n"]);
    submission["metadata"] = json!({ "root": "K:/Data/farm/x" });
    let id = farm.submit_as(submission).await;
    let job = farm.job(&id).await;
    assert_eq!(job["name"], "K:\\Data\\farm\\name", "the name stays as it is");
    assert_eq!(job["settings"]["file"], "{store}\\A\\b.blend");
    assert_eq!(job["settings"]["other"], "X:\\K:\\Data\\farm");
    assert_eq!(job["settings"]["nested"], json!(["K:\\Data\\farm\\n"]));
    assert_eq!(job["metadata"]["root"], "{store}/x");

    let windows = FakeWorker::register_on(&farm, "win", "Windows", &["blender"]).await;
    windows.wake_up().await;
    let parameters = &windows.take().await.commands[0].parameters;
    assert_eq!(parameters["file"], "K:\\Data\\farm\\a\\b.blend");
    assert_eq!(parameters["list"], json!(["K:\\Data\\farm\\c", "plain", 3]));
    assert_eq!(parameters["filter"], "pad=ceil(iw/2)*2");
    assert_eq!(parameters["native"], "K:\\Data\\farm\\out\\#");
    let linux = farm.worker("lin").await;
    assert_eq!(linux.take().await.commands[0].parameters["file"], "/data/farm/x");
    farm.stop().await;
}

async fn the_priority_can_be_changed(farm: Builder) {
    let farm = farm.start().await;
    let (first, second) = (farm.submit("first", tasks(1)).await, farm.submit("second", tasks(1)).await);
    farm.clock().advance(chrono::TimeDelta::seconds(5));
    farm.post(&format!("/api/v3/jobs/{second}/setpriority"), &json!({ "priority": 51 })).await.no_content();
    let job = farm.job(&second).await;
    assert_eq!(job["priority"], 51);
    assert_ne!(job["updated"], job["created"]);
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    assert_eq!((task.job.to_string(), task.job_priority), (second, 51));
    for wrong in
        [json!({ "priority": 101 }), json!({ "priority": -1 }), json!({ "priority": "high" }), json!({})]
    {
        let message = farm.post(&format!("/api/v3/jobs/{first}/setpriority"), &wrong).await.problem(400);
        assert!(message.contains("priority"), "{message}");
    }
    assert_eq!(farm.job(&first).await["priority"], 50);
    let _ = farm
        .post(&format!("/api/v3/jobs/{UNKNOWN}/setpriority"), &json!({ "priority": 1 }))
        .await
        .problem(404);
    farm.stop().await;
}

async fn reading_what_does_not_exist(farm: Builder) {
    let farm = farm.start().await;
    for path in ["jobs", "tasks", "worker-mgt/workers", "worker-mgt/tag"] {
        let message = farm.get(&format!("/api/v3/{path}/{UNKNOWN}")).await.problem(404);
        assert!(message.contains(UNKNOWN), "{message}");
    }
    for path in ["logtail", "log"] {
        let _ = farm.get(&format!("/api/v3/tasks/{UNKNOWN}/{path}")).await.problem(404);
    }
    assert_eq!(farm.tasks(UNKNOWN).await, Vec::<Value>::new());
    assert_eq!(farm.get(&format!("/api/v3/jobs/{UNKNOWN}/blocklist")).await.expect(200).json(), json!([]));
    let _ = farm.set_job_status(UNKNOWN, "cancel-requested").await.problem(404);
    let _ = farm.set_task_status(UNKNOWN, "canceled").await.problem(404);
    farm.stop().await;
}

async fn jobs_are_listed_with_everything(farm: Builder) {
    let farm = farm.start().await;
    let mut ids = Vec::new();
    for name in ["one", "two", "three"] {
        ids.push(farm.submit(name, tasks(2)).await);
        farm.clock().advance(chrono::TimeDelta::seconds(1));
    }
    let listed = farm.get("/api/v3/jobs").await.expect(200).json();
    let listed = listed["jobs"].as_array().unwrap();
    assert_eq!(listed.len(), 3);
    for (job, id) in listed.iter().rev().zip(&ids) {
        assert_eq!(*job, farm.job(id).await, "the newest comes first, and each is as when read alone");
    }
    farm.stop().await;
}
