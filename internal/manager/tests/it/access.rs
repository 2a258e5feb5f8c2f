//! Tokens: who may do what when the configuration has them. Without them everything is open, as all other tests show.

use flamenco_testkit::api::operations::RegisterWorkerResponse;
use flamenco_testkit::{Builder, FakeWorker, LiveUpdates, Method, Protocol, TestManager};
use serde_json::{Value, json};

use crate::tasks;

on_each_database!(
    everything_needs_the_token,
    a_session_stands_for_the_token,
    workers_need_no_token_of_people,
    new_workers_may_need_a_token_of_their_own,
    tokens_can_be_changed_and_are_never_shown,
);

const ADMIN: &str = "admin-token-of-the-farm";
const NEW: &str = "registration-token-of-the-farm";

/// With the admin token, so that a job can be made.
fn with_token(request: flamenco_testkit::Request) -> flamenco_testkit::Request {
    request.header("authorization", &format!("Bearer {ADMIN}"))
}

async fn submit(farm: &TestManager) -> String {
    let submission = TestManager::submission("job", &tasks(1));
    let request = farm.request(Method::POST, "/api/v3/jobs").json(&submission);
    with_token(request).send().await.expect(200).json()["id"].as_str().unwrap().to_owned()
}

/// The cookie that a browser would send back.
async fn sign_in(farm: &TestManager, token: &str) -> String {
    let reply = farm.post("/api/v3/session", &json!({ "token": token })).await.expect(204);
    reply.header("set-cookie").split(';').next().unwrap().to_owned()
}

async fn everything_needs_the_token(farm: Builder) {
    let farm = farm.with_yaml(&format!("access: {{admin_token: {ADMIN}}}")).start().await;
    let job = submit(&farm).await;
    let worker = FakeWorker::register(&farm, "w", &["blender"]).await;
    worker.wake_up().await;
    let task = worker.take().await;
    assert_eq!(worker.log(task.uuid, "text").await, 204);
    let log = format!("/job-files/job-{}/{job}/task-{}.txt", &job[..4], task.uuid);
    for path in [
        "/api/v3/jobs",
        &format!("/api/v3/jobs/{job}"),
        "/api/v3/worker-mgt/workers",
        "/api/v3/configuration/file",
        "/api/v3/configuration/variables/workers/linux",
        "/api/v3/status",
        "/api/v3/jobs/types",
        &format!("/api/v3/tasks/{}/logtail", task.uuid),
        &log,
    ] {
        let refused = farm.get(path).await;
        assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"flamenco\"", "{path}");
        let message = refused.problem(401);
        assert!(message.contains("admin token") && message.contains("sign in"), "{path}: {message}");
        let _ = with_token(farm.request(Method::GET, path)).send().await.expect(200);
        let _ = farm.request(Method::GET, path).basic("me", ADMIN).send().await.expect(200);
        let _ = farm.request(Method::GET, path).basic("me", "guess").send().await.problem(401);
    }
    let before = with_token(farm.request(Method::GET, "/api/v3/jobs")).send().await.json();
    let _ = farm.post("/api/v3/jobs", &TestManager::submission("job", &tasks(1))).await.problem(401);
    let _ = farm.delete(&format!("/api/v3/jobs/{job}")).await.problem(401);
    let _ = farm.put("/api/v3/configuration/file", &json!({})).await.problem(401);
    // A worker's credentials are for what workers do.
    let _ = farm.request(Method::GET, "/api/v3/jobs").as_worker(&worker).send().await.problem(401);
    let after = with_token(farm.request(Method::GET, "/api/v3/jobs")).send().await.json();
    assert_eq!(before, after, "nothing changed");

    // What says which manager this is, and how to sign in, is open; so are the files of the web page.
    let _ = farm.get("/api/v3/version").await.expect(200);
    let session = farm.get("/api/v3/session").await.expect(200).json();
    assert_eq!(session, json!({ "token_required": true, "signed_in": false }));
    assert_eq!(farm.get("/app/").await.status, 200);

    let bearer = format!("Bearer {ADMIN}");
    let refused = LiveUpdates::connect_with(&farm, Protocol::Four, &[]).await;
    assert_eq!(refused.err(), Some(401));
    for headers in [&[("authorization", bearer.as_str())][..], &[("cookie", &sign_in(&farm, ADMIN).await)]] {
        let mut live = LiveUpdates::connect_with(&farm, Protocol::Four, headers).await.unwrap();
        live.subscribe("allJobs", None).await;
    }
    farm.stop().await;
}

async fn a_session_stands_for_the_token(farm: Builder) {
    let farm = farm.with_yaml(&format!("access: {{admin_token: {ADMIN}}}")).start().await;
    let message = farm.post("/api/v3/session", &json!({ "token": "guess" })).await.problem(401);
    assert!(message.contains("not the admin token"), "{message}");
    let _ = farm.post("/api/v3/session", &json!({})).await.problem(400);
    let reply = farm.post("/api/v3/session", &json!({ "token": format!(" {ADMIN}\n") })).await.expect(204);
    let cookie = reply.header("set-cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(ADMIN) && !cookie.contains("Secure"), "{cookie}");
    let forwarded = farm.request(Method::POST, "/api/v3/session").header("x-forwarded-proto", "https");
    let forwarded = forwarded.json(&json!({ "token": ADMIN })).send().await.expect(204);
    assert!(forwarded.header("set-cookie").ends_with("; Secure"));

    let cookie = cookie.split(';').next().unwrap();
    let ask = |path: &str| farm.request(Method::GET, path).header("cookie", &format!("other=1; {cookie}"));
    let _ = ask("/api/v3/jobs").send().await.expect(200);
    let session = ask("/api/v3/session").send().await.expect(200).json();
    assert_eq!(session, json!({ "token_required": true, "signed_in": true }));
    let gone = farm.delete("/api/v3/session").await.expect(204);
    assert!(gone.header("set-cookie").contains("Max-Age=0"));
    farm.stop().await;
}

async fn workers_need_no_token_of_people(farm: Builder) {
    let farm = farm.with_yaml(&format!("access: {{admin_token: {ADMIN}}}")).start().await;
    submit(&farm).await;
    let worker = FakeWorker::register(&farm, "stock", &["blender"]).await;
    worker.wake_up().await;
    let task = worker.take().await;
    assert!(worker.may_run(task.uuid).await.may_keep_running);
    worker.complete(&task).await;
    worker.sign_off().await;
    let ask = farm.request(Method::POST, "/api/v3/worker/task");
    let _ = with_token(ask).send().await.problem(403);
    farm.stop().await;
}

async fn new_workers_may_need_a_token_of_their_own(farm: Builder) {
    let tokens = format!("access: {{admin_token: {ADMIN}, registration_token: {NEW}}}");
    let farm = farm.with_yaml(&tokens).start().await;
    let body =
        json!({ "name": "w", "secret": "s", "platform": "linux", "supported_task_types": ["blender"] });
    let register = || farm.request(Method::POST, "/api/v3/worker/register-worker").json(&body);
    let message = register().send().await.problem(401);
    assert!(message.contains("registration token") && message.contains("manager_url"), "{message}");
    let _ = register().basic("worker", "guess").send().await.problem(401);
    // As any HTTP client sends it that is given http://worker:TOKEN@host:port
    let worker = register().basic("worker", NEW).send().await.expect(200).json();
    let _ = register().header("authorization", &format!("Bearer {NEW}")).send().await.expect(200);
    let _ = with_token(register()).send().await.expect(200);
    // Our own worker does so, and shows its own credentials from then on.
    let address = format!("http://worker:{NEW}@{}", farm.address());
    let client = flamenco_testkit::client::Client::builder(address).build().unwrap();
    let registration = serde_json::from_value(body.clone()).unwrap();
    let RegisterWorkerResponse::Status200(registered) = client.register_worker(&registration).await.unwrap()
    else {
        panic!("it has the token");
    };
    let client = client.with_credentials(registered.uuid.to_string(), "s");
    assert_eq!(client.worker_state().await.unwrap().status().as_u16(), 204);
    let other = farm.request(Method::GET, "/api/v3/jobs").basic("worker", NEW).send().await;
    let _ = other.problem(401);
    let state = farm.request(Method::GET, "/api/v3/worker/state");
    let _ = state.basic(worker["uuid"].as_str().unwrap(), "s").send().await.expect(204);
    farm.stop().await;
}

async fn tokens_can_be_changed_and_are_never_shown(farm: Builder) {
    let farm = farm.start().await;
    let path = "/api/v3/configuration/file";
    let change = async |farm: &TestManager, cookie: &str, settings: &Value| {
        let request = farm.request(Method::PUT, path).header("cookie", cookie).json(settings);
        request.send().await
    };
    let mut settings = farm.get(path).await.expect(200).json();
    assert_eq!(settings["access"]["admin_token"], "");
    assert_eq!(sign_in(&farm, "anything").await, "", "there is nothing to sign in to");
    settings["access"]["admin_token"] = json!("short");
    let message = change(&farm, "", &settings).await.problem(400);
    assert!(message.contains("access.admin_token") && message.contains("16"), "{message}");
    settings["access"]["admin_token"] = json!(ADMIN);
    change(&farm, "", &settings).await.no_content();

    let _ = farm.get(path).await.problem(401);
    let cookie = sign_in(&farm, ADMIN).await;
    let shown = farm.request(Method::GET, path).header("cookie", &cookie).send().await.expect(200);
    assert!(!shown.text().contains(ADMIN), "{}", shown.text());
    let mut settings = shown.json();
    assert_eq!(settings["access"]["admin_token"], "********");
    // The mask stands for the token, and so does nothing: a page that does not know it must not open the farm.
    settings["manager_name"] = json!("Renamed");
    change(&farm, &cookie, &settings).await.no_content();
    settings.as_object_mut().unwrap().remove("access");
    change(&farm, &cookie, &settings).await.no_content();
    let _ = farm.get(path).await.problem(401);
    settings["access"] = json!({ "admin_token": "another-token-of-the-farm" });
    change(&farm, &cookie, &settings).await.no_content();
    let old = farm.request(Method::GET, path).header("cookie", &cookie).send().await;
    let message = old.problem(401);
    assert!(message.contains("sign in"), "another token ends every session: {message}");
    let cookie = sign_in(&farm, "another-token-of-the-farm").await;
    settings["access"] = json!({ "admin_token": "" });
    change(&farm, &cookie, &settings).await.no_content();
    let _ = farm.get(path).await.expect(200);
    farm.stop().await;
}
