//! Whatever is wrong with a request: a clear refusal, and nothing stored.

use flamenco_testkit::api::operations::OPERATIONS;
use flamenco_testkit::{Builder, Method, PLAN_JOB_TYPE, TestManager};
use serde_json::{Value, json};

use crate::contract::{filled, with_example};
use crate::tasks;

on_each_database!(
    scripts_that_fail_are_refused_with_the_reason,
    endless_and_greedy_scripts_are_stopped,
    a_missing_required_setting_alone_is_no_error,
    json_that_is_wrong_is_refused_with_its_place,
    ids_that_are_none_are_refused_everywhere,
    bodies_that_are_too_large_or_of_another_kind,
    paths_and_methods_that_do_not_exist,
    texts_that_a_database_cannot_keep,
);

/// Everything that can be listed.
async fn everything(farm: &TestManager) -> [Value; 3] {
    let mut all = [Value::Null, Value::Null, Value::Null];
    for (slot, path) in all.iter_mut().zip(["jobs", "worker-mgt/workers", "worker-mgt/tags"]) {
        *slot = farm.get(&format!("/api/v3/{path}")).await.expect(200).json();
    }
    all
}

const FRAME: &str =
    "const JOB_TYPE = { label: 'x', settings: [{ key: 'n', type: 'int32', required: true }] };\n";

fn script(body: &str) -> String {
    format!("{FRAME}function compileJob(job) {{\n{body}\n}}\n")
}

async fn submit(farm: &TestManager, job_type: &str, settings: Value) -> flamenco_testkit::Reply {
    let job = json!({ "name": "n", "type": job_type, "submitter_platform": "linux", "settings": settings });
    farm.post("/api/v3/jobs", &job).await
}

async fn scripts_that_fail_are_refused_with_the_reason(farm: Builder) {
    let minds = "if (typeof job.settings.n !== 'number') throw new Error('n must be a number');\n\
                 job.addTask(author.Task('t', 'misc'));";
    let cycle = "const a = author.Task('a', 'misc'), b = author.Task('b', 'misc');\n\
                 a.addDependency(b); b.addDependency(a); job.addTask(a); job.addTask(b);";
    let elsewhere = "const a = author.Task('a', 'misc'), b = author.Task('b', 'misc');\n\
                     a.addDependency(b); job.addTask(a);";
    let farm = farm
        .with_script("minds.js", &script(minds))
        .with_script("throws.js", &script("throw 'no frames to render';"))
        .with_script("empty.js", &script(""))
        .with_script("cycle.js", &script(cycle))
        .with_script("elsewhere.js", &script(elsewhere))
        .with_script("half.js", "const JOB_TYPE = {")
        .start()
        .await;
    let before = everything(&farm).await;
    for (job_type, settings, words) in [
        ("no-such-type", json!({}), ["no-such-type", "refresh"]),
        ("minds", json!({ "n": "seven" }), ["n must be a number", "minds.js:3"]),
        ("minds", json!({}), ["n must be a number", "minds.js:3"]),
        (PLAN_JOB_TYPE, json!({ "plan": 7 }), ["test_plan.js", ":"]),
        (PLAN_JOB_TYPE, json!({ "plan": "[{" }), ["JSON", "position 2"]),
        ("throws", json!({}), ["no frames to render", "throws.js"]),
        ("empty", json!({}), ["task", "empty.js"]),
        ("cycle", json!({}), ["wait for each other", "cycle.js"]),
        ("elsewhere", json!({}), ["depend", "elsewhere.js"]),
        ("half", json!({}), ["half.js", ":"]),
    ] {
        let message = submit(&farm, job_type, settings).await.problem(400);
        assert!(words.iter().all(|word| message.contains(word)), "{job_type}: {message}");
    }
    assert!(submit(&farm, "minds", json!({ "n": 7 })).await.status == 200);
    let mut after = everything(&farm).await;
    assert_eq!(after[0]["jobs"].as_array_mut().unwrap().split_off(0).len(), 1);
    assert_eq!(after, before);
    farm.stop().await;
}

async fn endless_and_greedy_scripts_are_stopped(farm: Builder) {
    let farm = farm
        .with_yaml("script_time_limit: 1s")
        .with_script("endless.js", &script("for (;;) {}"))
        .with_script("greedy.js", &script("const all = []; for (;;) all.push(new Array(100000).fill(1));"))
        .start()
        .await;
    let mut endless = Box::pin(submit(&farm, "endless", json!({})));
    // Others are not held up meanwhile.
    for _ in 0..5 {
        tokio::select! {
            reply = &mut endless => panic!("before anybody else was answered: {reply:?}"),
            reply = farm.get("/api/v3/jobs") => assert_eq!(reply.status, 200),
        }
    }
    let message = endless.await.problem(400);
    assert!(message.contains("1 s") && message.contains("endless.js"), "{message}");
    let message = submit(&farm, "greedy", json!({})).await.problem(400);
    assert!(message.contains("memory"), "{message}");
    assert_eq!(farm.get("/api/v3/jobs").await.expect(200).json(), json!({ "jobs": [] }));
    farm.stop().await;
}

async fn a_missing_required_setting_alone_is_no_error(farm: Builder) {
    let farm =
        farm.with_script("easy.js", &script("job.addTask(author.Task(`n is ${job.settings.n}`, 'misc'));"));
    let farm = farm.start().await;
    let job = submit(&farm, "easy", json!({ "other": 1 })).await.expect(200).json();
    let task = farm.tasks(job["id"].as_str().unwrap()).await;
    assert_eq!(task[0]["name"], "n is undefined");
    farm.stop().await;
}

async fn json_that_is_wrong_is_refused_with_its_place(farm: Builder) {
    let farm = farm.start().await;
    let before = everything(&farm).await;
    for broken in
        ["", "{", "{\"name\": \"x\",}", "nonsense", "{\"name\": \"\\ud800\"}", "[1]", "null", "{} x"]
    {
        let request = farm.request(Method::POST, "/api/v3/jobs").body("application/json", broken.to_owned());
        let message = request.send().await.problem(400);
        assert!(message.contains("body") || message.contains("JSON"), "{broken}: {message}");
    }
    let bytes =
        farm.request(Method::POST, "/api/v3/jobs").body("application/json", vec![b'"', 0xff, 0xfe, b'"']);
    let _ = bytes.send().await.problem(400);
    let good = TestManager::submission("n", &tasks(1));
    for (pointer, value, place) in [
        ("name", json!(7), "name"),
        ("name", json!(""), "name"),
        ("name", json!("x".repeat(300)), "name"),
        ("type", json!(["x"]), "type"),
        ("priority", json!("high"), "priority"),
        ("priority", json!(1.5), "priority"),
        ("settings", json!([1]), "settings"),
        ("metadata", json!({ "user": 7 }), "metadata.user"),
        ("storage", json!({ "shaman_checkout_id": 7 }), "storage.shaman_checkout_id"),
        ("initial_status", json!("resting"), "initial_status"),
        ("worker_tag", json!("nonsense"), "worker_tag"),
        ("submitter_platform", json!(""), "submitter_platform"),
    ] {
        let mut wrong = good.clone();
        wrong[pointer] = value.clone();
        let message = farm.post("/api/v3/jobs", &wrong).await.problem(400);
        assert!(message.contains(place), "{pointer}: {value}: {message}");
    }
    for missing in ["name", "type", "submitter_platform"] {
        let mut wrong = good.clone();
        wrong.as_object_mut().unwrap().remove(missing);
        let message = farm.post("/api/v3/jobs", &wrong).await.problem(400);
        assert!(message.contains(missing), "{message}");
    }
    let huge = serde_json::to_string(&good).unwrap().replace("\"priority\":50", "\"priority\":1e30");
    let _ =
        farm.request(Method::POST, "/api/v3/jobs").body("application/json", huge).send().await.problem(400);
    assert_eq!(everything(&farm).await, before);
    farm.stop().await;
}

async fn ids_that_are_none_are_refused_everywhere(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    let document: Value = serde_yaml_ng::from_str(include_str!("../../../../openapi.yaml")).unwrap();
    let mut checked = 0;
    for operation in OPERATIONS.iter().filter(|operation| operation.path.contains("_id}")) {
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
        let parameter = operation.path.split(['{', '}']).find(|part| part.ends_with("_id")).unwrap();
        for id in [
            "nonsense",
            "6a7b5c0e2f4d4f439d0a0c2f1f6f7b11",
            "6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b1",
            "6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b1g",
            "%7B6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11%7D",
            "urn:uuid:6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11",
            "%00",
        ] {
            let request = farm.request(method.clone(), &filled(operation, id));
            let reply = with_example(&document, operation, request).as_worker(&worker).send().await;
            let message = reply.problem(400);
            assert!(message.contains(parameter), "{} {id}: {message}", operation.id);
            checked += 1;
        }
    }
    assert!(checked > 7 * 20, "{checked}");
    farm.stop().await;
}

async fn bodies_that_are_too_large_or_of_another_kind(farm: Builder) {
    let farm = farm.start().await;
    let before = everything(&farm).await;
    // A client that is still sending gets the answer too, not a broken connection.
    let large = " ".repeat((16 << 20) + 1);
    let head =
        "POST /api/v3/jobs HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Type: application/json";
    let (status, body) =
        farm.verbatim(&format!("{head}\r\nContent-Length: {}\r\n\r\n{large}", large.len())).await;
    let error: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &error["code"]), (413, &json!(413)), "{body}");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("16777216") || message.contains("16 MiB"),
        "says how large it may be: {message}"
    );
    let mut large = TestManager::submission("large", &tasks(1));
    large["settings"]["text"] = json!("x".repeat(2 << 20));
    farm.post("/api/v3/jobs/check", &large).await.no_content();
    let text = serde_json::to_string(&TestManager::submission("n", &tasks(1))).unwrap();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data"]
    {
        let message =
            farm.request(Method::POST, "/api/v3/jobs").body(kind, text.clone()).send().await.problem(415);
        assert!(message.contains("application/json"), "{message}");
    }
    assert_eq!(everything(&farm).await, before);
    let json = farm.request(Method::POST, "/api/v3/jobs").body("application/json; charset=utf-8", text);
    let _ = json.send().await.expect(200);
    farm.stop().await;
}

async fn paths_and_methods_that_do_not_exist(farm: Builder) {
    let farm = farm.start().await;
    for path in
        ["/api/v3/nothing", "/api/v3/jobs/types/x", "/api/v4/version", "/api", "/api/", "/api/v3/jobs/"]
    {
        let message = farm.get(path).await.problem(404);
        assert!(message.contains(path), "{message}");
    }
    for (method, path, allow) in [
        (Method::PATCH, "/api/v3/jobs", "GET"),
        (Method::DELETE, "/api/v3/version", "GET"),
        (Method::GET, "/api/v3/worker/sign-on", "POST"),
    ] {
        let reply = farm.request(method, path).send().await;
        assert!(reply.header("allow").contains(allow), "{path}: {:?}", reply.headers);
        let _ = reply.problem(405);
    }
    farm.stop().await;
}

/// PostgreSQL cannot keep the character U+0000 in a text, so it is refused on both.
async fn texts_that_a_database_cannot_keep(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    let job = farm.submit("job", tasks(1)).await;
    let task = worker.take().await;
    let before = (everything(&farm).await, farm.task(&task.uuid.to_string()).await);
    let nul = "a\0b";
    let mut submissions = Vec::new();
    for field in ["name", "type"] {
        let mut wrong = TestManager::submission("n", &tasks(1));
        wrong[field] = json!(nul);
        submissions.push(wrong);
    }
    submissions.push(TestManager::submission("n", &json!([{ "name": nul }])));
    submissions.push(TestManager::submission("n", &json!([{ "name": "t", "type": nul }])));
    for wrong in submissions {
        let _ = farm.post("/api/v3/jobs", &wrong).await.problem(400);
    }
    let register = json!({ "name": nul, "secret": "s", "platform": "linux", "supported_task_types": ["x"] });
    let _ = farm.post("/api/v3/worker/register-worker", &register).await.problem(400);
    let _ = farm.post("/api/v3/worker-mgt/tags", &json!({ "name": nul })).await.problem(400);
    let status = json!({ "status": "cancel-requested", "reason": nul });
    let _ = farm.post(&format!("/api/v3/jobs/{job}/setstatus"), &status).await.problem(400);
    let after = (everything(&farm).await, farm.task(&task.uuid.to_string()).await);
    assert_eq!(after, before);
    // What a program prints is kept all the same.
    let path = format!("/api/v3/worker/task/{}", task.uuid);
    let update =
        farm.request(Method::POST, &path).as_worker(&worker).json(&json!({ "activity": nul, "log": nul }));
    update.send().await.no_content();
    assert_eq!(farm.task(&task.uuid.to_string()).await["activity"], "a\u{fffd}b");
    farm.stop().await;
}
