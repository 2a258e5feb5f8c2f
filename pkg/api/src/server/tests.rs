//! The real router with a small backend, in process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use http::{Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use super::*;
use crate::{operations, types};

const JOB: &str = "/api/v3/jobs/123e4567-e89b-42d3-a456-426614174000";
const TASK: &str = "/api/v3/worker/task/123e4567-e89b-42d3-a456-426614174000";

const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// Lets nobody in who says so, and answers with what it got.
#[derive(Clone, Default)]
struct Echo {
    uploaded: Arc<AtomicU64>,
}

impl Backend for Echo {
    type Caller = &'static str;

    async fn authorize(
        &self,
        operation: &'static Operation,
        request: &http::request::Parts,
    ) -> Result<&'static str, Problem> {
        if operation.worker_auth && !request.headers.contains_key(header::AUTHORIZATION) {
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "credentials are missing"));
        }
        Ok("somebody")
    }

    fn json_body_limit(&self, _operation: &'static Operation) -> usize {
        1000
    }

    fn idle_limit(&self) -> IdleLimit {
        IdleLimit { limit: IDLE_LIMIT, sleep: |limit| Box::pin(tokio::time::sleep(limit)) }
    }
}

impl MetaApi for Echo {
    async fn check_shared_storage_path(
        &self,
        _caller: &'static str,
        body: Option<types::PathCheckInput>,
    ) -> Result<operations::CheckSharedStoragePathResponse, Problem> {
        let cause = if body.is_some() { "given" } else { "nothing given" }.to_owned();
        let body = types::PathCheckResult { path: String::new(), is_usable: false, cause };
        Ok(operations::CheckSharedStoragePathResponse::Status200(body))
    }

    async fn get_configuration_file(
        &self,
        _caller: &'static str,
        headers: operations::GetConfigurationFileHeaders,
    ) -> Result<operations::GetConfigurationFileResponse, Problem> {
        use operations::GetConfigurationFileStatus200Content::Yaml;
        let text = format!("accept: {}\n", headers.accept.unwrap_or_default());
        Ok(operations::GetConfigurationFileResponse::Status200(Yaml(text)))
    }
}

impl WorkerApi for Echo {
    async fn schedule_task(
        &self,
        _caller: &'static str,
        query: operations::ScheduleTaskQuery,
    ) -> Result<operations::ScheduleTaskResponse, Problem> {
        match query.wait {
            None => Ok(operations::ScheduleTaskResponse::Status204),
            Some(wait) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy")
                .retry_after(std::time::Duration::from_millis(wait.unsigned_abs() * 1000 + 1))),
        }
    }

    async fn task_output_produced(
        &self,
        _caller: &'static str,
        _task_id: Uuid,
        _query: operations::TaskOutputProducedQuery,
        mut body: UploadBody,
    ) -> Result<operations::TaskOutputProducedResponse, Problem> {
        while let Some(piece) = body.next_part().await? {
            self.uploaded.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        Ok(operations::TaskOutputProducedResponse::Status202)
    }
}

impl JobsApi for Echo {
    async fn set_job_priority(
        &self,
        _caller: &'static str,
        _job_id: Uuid,
        _body: types::JobPriorityChange,
    ) -> Result<operations::SetJobPriorityResponse, Problem> {
        Ok(operations::SetJobPriorityResponse::Status204)
    }

    async fn submit_job(
        &self,
        _caller: &'static str,
        body: types::SubmittedJob,
    ) -> Result<operations::SubmitJobResponse, Problem> {
        let keys: Vec<_> = body.settings.iter().flat_map(|settings| settings.keys().cloned()).collect();
        Err(Problem::new(StatusCode::IM_A_TEAPOT, format!("{} {}", body.priority, keys.join(","))))
    }
}

impl WorkerMgtApi for Echo {}

impl ShamanApi for Echo {
    async fn shaman_file_store(
        &self,
        _caller: &'static str,
        _checksum: String,
        filesize: i64,
        headers: operations::ShamanFileStoreHeaders,
        body: UploadBody,
    ) -> Result<operations::ShamanFileStoreResponse, Problem> {
        let defer = headers.x_shaman_can_defer_upload;
        let go_ahead = if body.awaits_go_ahead { ", waits" } else { "" };
        let text = format!("{filesize} {defer:?} {:?}{go_ahead}", body.content_type);
        Err(Problem::new(StatusCode::IM_A_TEAPOT, text))
    }
}

fn app() -> Router {
    router(Echo::default())
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header(header::AUTHORIZATION, "Basic eDp5")
}

fn json_request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    request(method, path).header(header::CONTENT_TYPE, "application/json").body(body.into()).unwrap()
}

async fn send(request: Request<Body>) -> Response {
    app().oneshot(request).await.unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 100_000).await.unwrap().into()).unwrap()
}

/// The message of a rejection, after checking that it is one: the right status, and an `Error` in JSON.
async fn rejection(response: Response, status: u16) -> String {
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    let body: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(body["code"], json!(status));
    assert_eq!(body.as_object().unwrap().len(), 2);
    body["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn wrong_json_is_located() {
    for (body, expected) in [
        ("{", "request body: EOF while parsing an object (line 1, column 1)"),
        ("{} x", "request body: missing field `priority` (line 1, column 2)"),
        (
            r#"{"priority": "high"}"#,
            "request body: priority: invalid type: string \"high\", expected a whole number (line 1, column 19)",
        ),
        (r#"{"priority": 1} {}"#, "request body: trailing characters (line 1, column 17)"),
        (r#"[50]"#, "request body: invalid type: list, expected an object (line 1, column 0)"),
        (r#"{"priority": 101}"#, "request body: priority: must be from 0 to 100, not 101"),
        (r#"{"priority": -1}"#, "request body: priority: must be from 0 to 100, not -1"),
        ("", "request body: it is empty; send a JSON document"),
        (" \n", "request body: it is empty; send a JSON document"),
    ] {
        let response = send(json_request("POST", &format!("{JOB}/setpriority"), body)).await;
        assert_eq!(rejection(response, 400).await, expected, "{body}");
    }
}

#[tokio::test]
async fn the_place_of_a_nested_mistake_is_named() {
    let body =
        json!({"name": "n", "type": "t", "submitter_platform": "linux", "metadata": {"a": "b", "c": 7}});
    let message = rejection(send(json_request("POST", "/api/v3/jobs", body.to_string())).await, 400).await;
    assert!(
        message.starts_with("request body: metadata.c: invalid type: integer `7`, expected a string (line 1"),
        "{message}"
    );
}

#[tokio::test]
async fn unknown_fields_are_ignored_and_settings_keep_their_order() {
    let body = r#"{"name": "n", "type": "t", "submitter_platform": "linux", "from_the_future": [1],
        "settings": {"zebra": 1, "apple": 2, "mango": 3}}"#;
    let message = rejection(send(json_request("POST", "/api/v3/jobs", body)).await, 418).await;
    assert_eq!(message, "50 zebra,apple,mango", "the priority is 50 when there is none");
}

#[tokio::test]
async fn a_null_list_is_an_empty_one() {
    let registration: types::WorkerRegistration = serde_json::from_value(
        json!({"name": "w", "secret": "s", "platform": "linux", "supported_task_types": null}),
    )
    .unwrap();
    assert!(registration.supported_task_types.is_empty());
}

#[tokio::test]
async fn media_types_of_json() {
    for (given, status) in [
        (None, 204),
        (Some("application/json"), 204),
        (Some("Application/JSON; charset=utf-8"), 204),
        (Some("application/problem+json"), 204),
        (Some("text/plain"), 415),
        (Some("application/x-www-form-urlencoded"), 415),
    ] {
        let mut builder = request("POST", &format!("{JOB}/setpriority"));
        if let Some(given) = given {
            builder = builder.header(header::CONTENT_TYPE, given);
        }
        let response = send(builder.body(Body::from(r#"{"priority": 7}"#)).unwrap()).await;
        if status == 415 {
            let message = rejection(response, 415).await;
            assert!(message.contains("application/json") && message.contains(given.unwrap()), "{message}");
        } else {
            assert_eq!(response.status(), status, "{given:?}");
            assert!(response.headers().get(header::CONTENT_TYPE).is_none());
            assert_eq!(text(response).await, "");
        }
    }
}

#[tokio::test]
async fn large_json_is_refused_with_and_without_a_length() {
    let large = format!(r#"{{"priority": 1, "x": "{}"}}"#, "y".repeat(2000));
    let with_length = request("POST", &format!("{JOB}/setpriority"))
        .header(header::CONTENT_LENGTH, large.len())
        .body(Body::from(large.clone()));
    let pieces =
        stream::iter(large.into_bytes()).map(|byte| Ok::<_, std::io::Error>(Bytes::from(vec![byte])));
    let chunked = request("POST", &format!("{JOB}/setpriority")).body(Body::from_stream(pieces));
    for request in [with_length, chunked] {
        let message = rejection(send(request.unwrap()).await, 413).await;
        assert!(message.contains("1000 bytes"), "{message}");
    }
}

#[tokio::test]
async fn optional_bodies_may_be_left_out() {
    for (body, cause) in [("", "nothing given"), (r#"{"path": "/x"}"#, "given")] {
        let response = send(json_request("POST", "/api/v3/configuration/check/shared-storage", body)).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert!(text(response).await.contains(cause));
    }
}

#[tokio::test]
async fn ids_in_paths_have_36_characters() {
    for id in ["7", "123e4567e89b42d3a456426614174000", "%ff", "null"] {
        let response = send(request("GET", &format!("/api/v3/jobs/{id}")).body(Body::empty()).unwrap()).await;
        let message = rejection(response, 400).await;
        assert!(message.contains("job_id"), "{message}");
    }
}

#[tokio::test]
async fn parameters_in_queries_have_limits() {
    for (query, expected) in [
        ("wait=21", "query parameter wait must be from 0 to 20, not 21"),
        ("wait=soon", "query parameter wait must be a whole number, not \"soon\""),
        ("wait=", "query parameter wait must be a whole number, not \"\""),
    ] {
        let path = format!("/api/v3/worker/task?{query}");
        let response = send(request("POST", &path).body(Body::empty()).unwrap()).await;
        assert_eq!(rejection(response, 400).await, expected);
    }
    let response = send(request("POST", "/api/v3/worker/task?other=1").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), 204);
}

#[tokio::test]
async fn booleans_in_headers_are_those_of_go() {
    let path = "/api/v3/shaman/files/abc/3";
    for (given, expected) in [("True", "3 Some(true) None"), ("0", "3 Some(false) None")] {
        let builder = request("POST", path).header("X-Shaman-Can-Defer-Upload", given);
        assert_eq!(rejection(send(builder.body(Body::empty()).unwrap()).await, 418).await, expected);
    }
    let given = |value: &str| request("POST", path).header("X-Shaman-Can-Defer-Upload", value);
    for wrong in [given("maybe"), given("True").header("X-Shaman-Can-Defer-Upload", "True")] {
        let message = rejection(send(wrong.body(Body::empty()).unwrap()).await, 400).await;
        assert!(message.starts_with("header X-Shaman-Can-Defer-Upload"), "{message}");
    }
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let response = send(request("PATCH", JOB).body(Body::empty()).unwrap()).await;
    let allowed = response.headers()[header::ALLOW].to_str().unwrap().to_owned();
    assert!(allowed.contains("GET") && allowed.contains("DELETE"), "{allowed}");
    let message = rejection(response, 405).await;
    assert!(message.contains("PATCH") && message.contains("GET"), "{message}");
}

#[tokio::test]
async fn unknown_paths_are_json_errors() {
    for path in
        ["/api", "/api/", "/api/v3", "/api/v3/nonsense", &format!("{JOB}/nonsense"), "/api/v3/jobs/type/a/b"]
    {
        let message = rejection(send(request("GET", path).body(Body::empty()).unwrap()).await, 404).await;
        assert!(message.contains(path), "{message}");
    }
    // What is not the API's is left to the rest of the program.
    let outside = send(request("GET", "/app").body(Body::empty()).unwrap()).await;
    assert_eq!((outside.status().as_u16(), text(outside).await.as_str()), (404, ""));
}

#[tokio::test]
async fn what_is_not_implemented_says_so() {
    let message = rejection(send(request("GET", JOB).body(Body::empty()).unwrap()).await, 501).await;
    assert_eq!(message, "this manager does not have the operation fetchJob (GET /api/v3/jobs/{job_id})");
}

#[tokio::test]
async fn no_byte_of_a_body_is_read_before_the_sender_is_known() {
    let touched = Arc::new(AtomicU64::new(0));
    for path in [format!("{TASK}/output-produced"), TASK.to_owned()] {
        let touched = touched.clone();
        let pieces = stream::poll_fn(move |_| {
            touched.fetch_add(1, Ordering::Relaxed);
            Poll::Ready(Some(Ok::<_, std::io::Error>(Bytes::from_static(b"x"))))
        });
        let request =
            Request::post(path).header(header::CONTENT_TYPE, "image/png").body(Body::from_stream(pieces));
        let message = rejection(send(request.unwrap()).await, 401).await;
        assert_eq!(message, "credentials are missing");
    }
    assert_eq!(touched.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn uploads_are_streams_of_any_size() {
    let backend = Echo::default();
    // 3 GiB in pieces of 1 MiB: more than fits into memory limits of a test machine, and than 32 bits count.
    let piece = Bytes::from(vec![0; 1 << 20]);
    let pieces = stream::iter(0..3072).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
    let request = request("POST", &format!("{TASK}/output-produced"))
        .header(header::CONTENT_TYPE, "image/PNG; q=1")
        .body(Body::from_stream(pieces))
        .unwrap();
    let response = router(backend.clone()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 202);
    assert_eq!(backend.uploaded.load(Ordering::Relaxed), 3 << 30);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_to_come_is_given_up() {
    let too_large = Bytes::from(vec![b'x'; 1001]);
    for (kind, path, first) in [
        (
            "application/json",
            "/api/v3/configuration/check/shared-storage",
            Bytes::from_static(b"{\"path\": "),
        ),
        (
            "image/png",
            "/api/v3/worker/task/123e4567-e89b-42d3-a456-426614174000/output-produced",
            too_large.clone(),
        ),
    ] {
        let body = Body::from_stream(stream::iter([Ok::<_, std::io::Error>(first)]).chain(stream::pending()));
        let request = request("POST", path).header(header::CONTENT_TYPE, kind).body(body).unwrap();
        let started = tokio::time::Instant::now();
        let message = rejection(send(request).await, 408).await;
        assert_eq!(started.elapsed(), IDLE_LIMIT, "{path}");
        assert!(message.contains("60s"), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_refused_is_not_waited_for_for_ever() {
    let much = Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 1001]));
    let body = Body::from_stream(stream::iter([much]).chain(stream::pending()));
    let request = request("POST", "/api/v3/configuration/check/shared-storage").body(body).unwrap();
    let started = tokio::time::Instant::now();
    let _ = rejection(send(request).await, 413).await;
    assert_eq!(started.elapsed(), IDLE_LIMIT);
}

#[tokio::test(start_paused = true)]
async fn a_body_may_come_slowly() {
    let pieces = stream::iter(b"{\"path\": \"/mnt\"}".chunks(1)).then(|piece| async move {
        tokio::time::sleep(IDLE_LIMIT / 2).await;
        Ok::<_, std::io::Error>(Bytes::from_static(piece))
    });
    let request = request("POST", "/api/v3/configuration/check/shared-storage");
    let response = send(request.body(Body::from_stream(pieces)).unwrap()).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn media_types_of_uploads() {
    let image = format!("{TASK}/output-produced");
    for (path, given, status) in [
        (image.as_str(), Some("image/jpeg"), 202),
        (image.as_str(), Some("image/gif"), 415),
        (image.as_str(), None, 415),
        ("/api/v3/shaman/files/abc/3", None, 418),
        ("/api/v3/shaman/files/abc/3", Some("application/octet-stream"), 418),
        ("/api/v3/shaman/files/abc/3", Some("text/html"), 418),
    ] {
        let mut builder = request("POST", path);
        if let Some(given) = given {
            builder = builder.header(header::CONTENT_TYPE, given);
        }
        let response = send(builder.body(Body::from("abc")).unwrap()).await;
        assert_eq!(response.status(), status, "{path} {given:?}");
    }
}

#[tokio::test]
async fn an_upload_may_wait_for_the_word_to_send() {
    for (given, expected) in
        [("100-continue", "3 None None, waits"), ("100-Continue", "3 None None, waits"), ("x", "3 None None")]
    {
        let builder = request("POST", "/api/v3/shaman/files/abc/3").header(header::EXPECT, given);
        assert_eq!(rejection(send(builder.body(Body::empty()).unwrap()).await, 418).await, expected);
    }
}

#[tokio::test]
async fn answers_in_several_media_types() {
    let builder = request("GET", "/api/v3/configuration/file").header(header::ACCEPT, "application/yaml");
    let response = send(builder.body(Body::empty()).unwrap()).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/yaml");
    assert_eq!(text(response).await, "accept: application/yaml\n");
}

#[tokio::test]
async fn a_problem_may_say_when_to_try_again() {
    let response = send(request("POST", "/api/v3/worker/task?wait=2").body(Body::empty()).unwrap()).await;
    assert_eq!(response.headers()[header::RETRY_AFTER], "3");
    assert_eq!(rejection(response, 503).await, "busy");
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let response = send(request("HEAD", "/api/v3/configuration/file").body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), 200);
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn a_body_is_kept_for_whoever_asks() {
    let kept = KeptBody::default();
    let body = r#"{"priority": 7}"#;
    let request =
        Request::post(format!("{JOB}/setpriority")).header(header::CONTENT_TYPE, "application/json");
    let mut request = request.body(Body::from(body)).unwrap();
    request.extensions_mut().insert(kept.clone());
    let response = router(Echo::default()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(kept.get().map(AsRef::as_ref), Some(body.as_bytes()));
    for (length, is_kept) in [(KeptBody::LIMIT, true), (KeptBody::LIMIT + 1, false)] {
        let kept = KeptBody::default();
        kept.keep(&vec![b'1'; length]);
        assert_eq!(kept.get().is_some(), is_kept, "{length}");
    }
}
