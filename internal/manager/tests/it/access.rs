//! Tokens and roles: who may do what when the configuration has them. Without them everything is open, as all other
//! tests show.

use flamenco_testkit::api::operations::{OPERATIONS, RegisterWorkerResponse};
use flamenco_testkit::{Builder, FakeWorker, LiveUpdates, Method, Protocol, TestManager};
use serde_json::{Value, json};

use crate::contract::filled;
use crate::{UNKNOWN, tasks};

on_each_database!(
    everything_needs_the_token,
    a_session_stands_for_the_token,
    workers_need_no_token_of_people,
    new_workers_may_need_a_token_of_their_own,
    tokens_can_be_changed_and_are_never_shown,
    each_role_may_do_what_it_may,
    those_without_a_token_may_look,
    those_without_a_token_may_submit,
    a_session_has_a_name_and_ends_with_its_token,
    live_updates_end_with_the_token,
);

const ADMIN: &str = "admin-token-of-the-farm";
const NEW: &str = "registration-token-of-the-farm";

const ARTIST: &str = "artist-token-of-the-farm";
const VIEWER: &str = "viewer-token-of-the-farm";

/// The configuration of a farm with all roles.
fn roles(without_token: &str) -> String {
    format!(
        "access: {{admin_token: {ADMIN}, artist_token: {ARTIST}, viewer_token: {VIEWER}, without_token: {without_token}}}"
    )
}

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
        assert!(message.contains("token") && message.contains("sign in"), "{path}: {message}");
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
    let nobody = json!({
        "token_required": true, "signed_in": false, "role": "none", "token_shown": false, "without_token": "none"
    });
    assert_eq!(session, nobody);
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
    assert!(message.contains("not a token"), "{message}");
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
    let admin = json!({
        "token_required": true, "signed_in": true, "role": "admin", "token_shown": true, "without_token": "none"
    });
    assert_eq!(session, admin);
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

/// The statuses of a request by everybody from nobody to the admin, with a token that is none first.
async fn statuses(farm: &TestManager, method: &Method, path: &str) -> [u16; 5] {
    let mut statuses = [0; 5];
    for (status, token) in statuses.iter_mut().zip(["guess", "", VIEWER, ARTIST, ADMIN]) {
        let request = farm.request(method.clone(), path);
        let request = match token {
            "" => request,
            token => request.header("authorization", &format!("Bearer {token}")),
        };
        *status = request.send().await.status;
    }
    statuses
}

async fn each_role_may_do_what_it_may(farm: Builder) {
    let farm = farm.with_yaml(&roles("nothing")).start().await;
    // That every operation has its role is what the table of the roles shows; here one of each kind goes all the way.
    for (operation, least) in [
        ("fetchJobs", VIEWER),
        ("fetchWorkers", VIEWER),
        ("getConfiguration", VIEWER),
        ("getVariables", ARTIST),
        ("submitJob", ARTIST),
        ("setTaskStatus", ARTIST),
        ("deleteJob", ARTIST),
        ("shamanFileStoreCheck", ARTIST),
        ("getConfigurationFile", ADMIN),
        ("updateConfigurationFile", ADMIN),
        ("deleteJobMass", ADMIN),
        ("deleteWorker", ADMIN),
        ("createWorkerTag", ADMIN),
        ("fetchAudit", ADMIN),
    ] {
        let operation = OPERATIONS.iter().find(|known| known.id == operation).unwrap();
        let method = Method::from_bytes(operation.method.as_bytes()).unwrap();
        let found = statuses(&farm, &method, &filled(operation, UNKNOWN)).await;
        let forbidden = [VIEWER, ARTIST, ADMIN].iter().position(|token| *token == least).unwrap();
        assert_eq!(found[..2], [401, 401], "{}", operation.id);
        for (role, status) in found[2..].iter().enumerate() {
            assert_eq!(*status == 403, role < forbidden, "{}: {found:?}", operation.id);
            assert_ne!(*status, 401, "{}", operation.id);
        }
    }
    for (path, want) in [
        ("/job-files/job-6a7b/6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11/x.jpg", [401, 401, 404, 404, 404]),
        ("/debug/pprof/", [401, 401, 403, 403, 404]),
    ] {
        assert_eq!(statuses(&farm, &Method::GET, path).await, want, "{path}");
    }
    for (token, want) in [("guess", Some(401)), (VIEWER, None), (ARTIST, None)] {
        let header = format!("Bearer {token}");
        let live = LiveUpdates::connect_with(&farm, Protocol::Four, &[("authorization", &header)]).await;
        assert_eq!(live.err(), want, "{token}");
    }
    let refused = farm.request(Method::DELETE, &format!("/api/v3/worker-mgt/workers/{UNKNOWN}"));
    let message = refused.basic("Lighting", ARTIST).send().await.problem(403);
    assert!(message.contains("the role admin") && message.contains("the role artist"), "{message}");
    let refused = farm.get("/api/v3/audit").await.problem(401);
    assert!(refused.contains("admin token"), "{refused}");
    farm.stop().await;
}

/// `submit` and `submit_as_viewer` are what a submission is answered.
async fn without_a_token(farm: Builder, without: &str, submit: u16, submit_as_viewer: u16) {
    let farm = farm.with_yaml(&roles(without)).start().await;
    let _ = farm.get("/api/v3/jobs").await.expect(200);
    let submission = TestManager::submission("job", &tasks(1));
    assert_eq!(farm.post("/api/v3/jobs", &submission).await.status, submit);
    let _ = farm.get("/api/v3/configuration/file").await.problem(401);
    let session = farm.get("/api/v3/session").await.expect(200).json();
    assert_eq!((&session["role"], &session["without_token"]), (&json!(without), &json!(without)));
    assert_eq!((&session["signed_in"], &session["token_shown"]), (&json!(true), &json!(false)));
    // A token can only add to that; but one that is wrong is said to be wrong.
    let viewer = farm.request(Method::POST, "/api/v3/jobs").basic("Lighting", VIEWER).json(&submission);
    assert_eq!(viewer.send().await.status, submit_as_viewer);
    let _ = farm.request(Method::GET, "/api/v3/jobs").basic("Lighting", "guess").send().await.problem(401);
    let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
    live.subscribe("allJobs", None).await;
    farm.stop().await;
}

async fn those_without_a_token_may_look(farm: Builder) {
    without_a_token(farm, "viewer", 401, 403).await;
}

async fn those_without_a_token_may_submit(farm: Builder) {
    without_a_token(farm, "artist", 200, 200).await;
}

async fn a_session_has_a_name_and_ends_with_its_token(farm: Builder) {
    let farm = farm.with_yaml(&roles("nothing")).start().await;
    let sign_in = async |token: &str, name: &str| {
        let reply = farm.post("/api/v3/session", &json!({ "token": token, "name": name })).await.expect(204);
        reply.header("set-cookie").split(';').next().unwrap().to_owned()
    };
    let session = async |cookie: &str| {
        farm.request(Method::GET, "/api/v3/session").header("cookie", cookie).send().await.expect(200).json()
    };
    let (artist, admin) = (sign_in(ARTIST, "  Lighting \t desk ").await, sign_in(ADMIN, "").await);
    let told = session(&artist).await;
    assert_eq!((&told["role"], &told["name"]), (&json!("artist"), &json!("Lighting desk")));
    assert_eq!((&session(&admin).await["role"], session(&admin).await.get("name")), (&json!("admin"), None));
    let by_header =
        farm.request(Method::GET, "/api/v3/session").basic("Wrangler", VIEWER).send().await.json();
    assert_eq!((&by_header["role"], &by_header["name"]), (&json!("viewer"), &json!("Wrangler")));
    let long = json!({ "token": ARTIST, "name": "x".repeat(101) });
    assert!(farm.post("/api/v3/session", &long).await.problem(400).contains("name"));

    let path = "/api/v3/configuration/file";
    let mut settings = farm.request(Method::GET, path).header("cookie", &admin).send().await.json();
    for token in ["admin_token", "artist_token", "viewer_token"] {
        assert_eq!(settings["access"][token], "********");
    }
    settings["access"]["artist_token"] = json!("another-token-of-the-farm");
    let change = farm.request(Method::PUT, path).header("cookie", &admin).json(&settings);
    change.send().await.no_content();
    assert_eq!(session(&artist).await["role"], "none", "its token was changed");
    assert_eq!(session(&admin).await["role"], "admin", "its token was not");
    farm.stop().await;
}

async fn live_updates_end_with_the_token(farm: Builder) {
    let farm = farm.with_yaml(&roles("nothing")).start().await;
    let bearer = format!("Bearer {VIEWER}");
    let mut live =
        LiveUpdates::connect_with(&farm, Protocol::Four, &[("authorization", &bearer)]).await.unwrap();
    live.subscribe("allJobs", None).await;
    let path = "/api/v3/configuration/file";
    let mut settings = with_token(farm.request(Method::GET, path)).send().await.json();
    settings["access"]["viewer_token"] = json!("");
    with_token(farm.request(Method::PUT, path)).json(&settings).send().await.no_content();
    while live.next().await.is_some() {}
    let again = LiveUpdates::connect_with(&farm, Protocol::Four, &[("authorization", &bearer)]).await;
    assert_eq!(again.err(), Some(401));
    farm.stop().await;
}
