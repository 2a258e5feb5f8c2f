//! The client against servers on the loopback interface: the generated router, and answers that are made by hand as
//! other managers and proxies would send them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flamenco_api::server::{
    Backend, IdleLimit, JobsApi, MetaApi, ShamanApi, UploadBody, WorkerApi, WorkerMgtApi, router,
};
use flamenco_api::{Operation, Problem, operations, types};
use flamenco_client::{Client, Error, Upload};
use futures_util::{StreamExt, stream};
use uuid::Uuid;

/// Serves a router on a free port, as long as the test runs.
async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/")
}

/// Answers everything in the same way.
async fn always(status: u16, media_type: &'static str, body: &'static str) -> Client {
    let status = StatusCode::from_u16(status).unwrap();
    let app =
        Router::new().fallback(move || async move { (status, [(header::CONTENT_TYPE, media_type)], body) });
    client(&serve(app).await)
}

fn client(address: &str) -> Client {
    Client::builder(address).build().unwrap()
}

#[derive(Clone)]
struct Farm;

impl Backend for Farm {
    fn idle_limit(&self) -> IdleLimit {
        let limit = std::time::Duration::from_secs(60);
        IdleLimit { limit, sleep: |limit| Box::pin(tokio::time::sleep(limit)) }
    }

    type Caller = String;

    async fn authorize(
        &self,
        operation: &'static Operation,
        request: &axum::http::request::Parts,
    ) -> Result<String, Problem> {
        let credentials = request.headers.get(header::AUTHORIZATION);
        match credentials.map(|value| value.to_str().unwrap_or_default()) {
            // worker:secret
            Some("Basic d29ya2VyOnNlY3JldA==") => Ok("worker".to_owned()),
            _ if !operation.worker_auth => Ok("anybody".to_owned()),
            _ => Err(Problem::new(StatusCode::FORBIDDEN, "unknown worker")),
        }
    }

    fn json_body_limit(&self, _operation: &'static Operation) -> usize {
        1 << 20
    }
}

impl MetaApi for Farm {
    async fn get_configuration_file(
        &self,
        _caller: String,
        headers: operations::GetConfigurationFileHeaders,
    ) -> Result<operations::GetConfigurationFileResponse, Problem> {
        use operations::{
            GetConfigurationFileResponse::Status200, GetConfigurationFileStatus200Content as Content,
        };
        let yaml = headers.accept.as_deref() == Some("application/yaml");
        let settings = serde_json::Map::from_iter([("name".to_owned(), "Farm".into())]);
        Ok(Status200(if yaml {
            Content::Yaml("name: Farm\n".to_owned())
        } else {
            Content::Json(settings.into())
        }))
    }
}

impl WorkerApi for Farm {
    async fn schedule_task(
        &self,
        caller: String,
        query: operations::ScheduleTaskQuery,
    ) -> Result<operations::ScheduleTaskResponse, Problem> {
        assert_eq!((caller.as_str(), query.wait), ("worker", Some(3)));
        Ok(operations::ScheduleTaskResponse::Status423(types::WorkerStateChange {
            status_requested: types::WorkerStatus::Asleep,
            shared_storage: None,
        }))
    }

    async fn worker_state(&self, _caller: String) -> Result<operations::WorkerStateResponse, Problem> {
        Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "disk full").retry_after(Duration::from_secs(7)))
    }
}

impl JobsApi for Farm {
    async fn get_job_type(
        &self,
        _caller: String,
        type_name: String,
    ) -> Result<operations::GetJobTypeResponse, Problem> {
        Err(Problem::not_found(format!("no job type {type_name}")))
    }

    async fn remove_job_blocklist(
        &self,
        _caller: String,
        job_id: Uuid,
        body: Option<types::JobBlocklist>,
    ) -> Result<operations::RemoveJobBlocklistResponse, Problem> {
        Err(Problem::bad_request(format!("{job_id} {:?}", body.map(|list| list.len()))))
    }
}

impl WorkerMgtApi for Farm {}

impl ShamanApi for Farm {
    async fn shaman_file_store(
        &self,
        _caller: String,
        checksum: String,
        filesize: i64,
        headers: operations::ShamanFileStoreHeaders,
        mut body: UploadBody,
    ) -> Result<operations::ShamanFileStoreResponse, Problem> {
        let mut length = 0;
        while let Some(piece) = body.next().await {
            length += piece.map_err(|error| Problem::bad_request(error.to_string()))?.len();
        }
        Err(Problem::bad_request(format!(
            "{checksum} {filesize} {:?} {:?} {length} {:?}",
            headers.x_shaman_can_defer_upload, headers.x_shaman_original_filename, body.content_length
        )))
    }
}

async fn farm() -> Client {
    client(&serve(router(Farm)).await)
}

#[tokio::test]
async fn an_answer_is_the_variant_of_its_status() {
    let worker = farm().await.with_credentials("worker", "secret");
    let answer = worker.schedule_task(&operations::ScheduleTaskQuery { wait: Some(3) }).await.unwrap();
    assert_eq!(
        answer,
        operations::ScheduleTaskResponse::Status423(types::WorkerStateChange {
            status_requested: types::WorkerStatus::Asleep,
            shared_storage: None,
        })
    );
}

#[tokio::test]
async fn failures_are_answers_too() {
    let farm = farm().await;
    let refused = farm.schedule_task(&operations::ScheduleTaskQuery::default()).await.unwrap();
    assert_eq!(refused.problem(), Some(Problem::new(StatusCode::FORBIDDEN, "unknown worker")));
    assert!(matches!(refused, operations::ScheduleTaskResponse::Status403(_)));

    let busy = farm.with_credentials("worker", "secret").worker_state().await.unwrap().problem().unwrap();
    assert_eq!((busy.message.as_str(), busy.retry_after), ("disk full", Some(Duration::from_secs(7))));

    let missing = farm.get_version().await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_IMPLEMENTED);
    assert!(missing.problem().unwrap().message.contains("getVersion"));
}

#[tokio::test]
async fn parameters_arrive_as_they_were_sent() {
    let farm = farm().await;
    let name = "ä / ?%#&+";
    let answer = farm.get_job_type(name).await.unwrap();
    assert_eq!(answer.problem().unwrap().message, format!("no job type {name}"));

    let list = types::JobBlocklist(Vec::new());
    for (body, expected) in [(Some(&list), "Some(0)"), (None, "None")] {
        let answer = farm.remove_job_blocklist(Uuid::nil(), body).await.unwrap();
        assert_eq!(answer.problem().unwrap().message, format!("{} {expected}", Uuid::nil()));
    }
}

#[tokio::test]
async fn the_media_type_of_an_answer_decides() {
    use operations::{
        GetConfigurationFileResponse::Status200, GetConfigurationFileStatus200Content as Content,
    };
    let farm = farm().await;
    let asked = |accept: &str| operations::GetConfigurationFileHeaders { accept: Some(accept.to_owned()) };
    let yaml = farm.get_configuration_file(&asked("application/yaml")).await.unwrap();
    assert_eq!(yaml, Status200(Content::Yaml("name: Farm\n".to_owned())));
    let json = farm.get_configuration_file(&asked("application/json")).await.unwrap();
    assert!(matches!(json, Status200(Content::Json(settings)) if settings["name"] == "Farm"));
}

#[tokio::test]
async fn uploads_are_streamed_with_their_length() {
    let farm = farm().await;
    let headers = operations::ShamanFileStoreHeaders {
        x_shaman_can_defer_upload: Some(true),
        x_shaman_original_filename: Some("scène.blend".to_owned()),
    };
    let pieces = || stream::iter(0..64).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![7; 1 << 16])));
    let known = Upload::new(reqwest::Body::wrap_stream(pieces())).content_length(64 << 16);
    let chunked = Upload::new(reqwest::Body::wrap_stream(pieces()));
    for (upload, length) in [(known, "Some(4194304)"), (chunked, "None")] {
        let answer = farm.shaman_file_store("abc", 5, &headers, upload).await.unwrap();
        assert_eq!(
            answer.problem().unwrap().message,
            format!("abc 5 Some(true) Some(\"scène.blend\") 4194304 {length}")
        );
    }
}

#[tokio::test]
async fn a_path_in_the_address_is_kept() {
    let inner = Router::new().fallback(|request: Request<Body>| async move {
        (StatusCode::INTERNAL_SERVER_ERROR, request.uri().path().to_owned()).into_response()
    });
    let address = serve(inner).await;
    for base in ["flamenco", "flamenco/"] {
        let answer = client(&format!("{address}{base}")).get_version().await.unwrap();
        assert_eq!(answer.problem().unwrap().message, "/flamenco/api/v3/version");
    }
}

#[tokio::test]
async fn errors_of_others_are_understood_whatever_they_look_like() {
    for (status, media_type, body, message) in [
        (403, "application/json", r#"{"message": "no"}"#, "no"),
        (500, "application/json", r#"{"code": 1, "message": "broken"}"#, "broken"),
        (404, "application/json", r#""no such task""#, "no such task"),
        (502, "text/html", "<h1>Bad Gateway</h1>", "<h1>Bad Gateway</h1>"),
        (429, "text/html", "<h1>Slowly</h1>", "<h1>Slowly</h1>"),
        (503, "text/plain", "", "Service Unavailable"),
    ] {
        let problem = always(status, media_type, body).await.sign_off().await.unwrap().problem().unwrap();
        assert_eq!((problem.status.as_u16(), problem.message.as_str()), (status, message));
    }
}

#[tokio::test]
async fn a_refusal_that_is_not_a_managers_is_no_answer() {
    for (status, body) in [
        (401, "<h1>Who are you?</h1>"),
        (403, "<h1>Forbidden</h1>"),
        (404, "404 page not found"),
        (404, ""),
        (404, r#"{"detail": "no such page"}"#),
        (409, "<h1>Conflict</h1>"),
        (418, "<h1>Teapot</h1>"),
    ] {
        let error = always(status, "text/html", body).await.sign_off().await.unwrap_err();
        match &error {
            Error::NotManager { operation: "signOff", status: found, body: quoted } => {
                assert_eq!((found.as_u16(), quoted.as_str()), (status, body));
            }
            other => panic!("{status} {body}: {other:?}"),
        }
        assert!(error.may_have_arrived());
    }
}

#[tokio::test]
async fn an_answer_that_the_document_does_not_have_is_an_error() {
    let error = always(206, "text/plain", "part of it").await.get_version().await.unwrap_err();
    match &error {
        Error::UnexpectedStatus { operation, status, body } => {
            assert_eq!((*operation, status.as_u16(), body.as_str()), ("getVersion", 206, "part of it"));
        }
        other => panic!("{other:?}"),
    }
    assert!(error.may_have_arrived());

    let error = always(200, "application/json", r#"{"version": 3}"#).await.get_version().await.unwrap_err();
    assert!(matches!(&error, Error::Decode { operation: "getVersion", .. }), "{error:?}");
    assert!(error.to_string().contains(r#"{"version": 3}"#), "{error}");
}

#[tokio::test]
async fn endless_error_bodies_are_cut() {
    let app = Router::new().fallback(|| async {
        let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 4096])));
        let mut response = Response::new(Body::from_stream(endless));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        response
    });
    let problem = client(&serve(app).await).get_version().await.unwrap().problem().unwrap();
    assert!(problem.message.len() < 5000);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let app = Router::new().fallback(|| async { (StatusCode::FOUND, [(header::LOCATION, "/elsewhere")]) });
    let error = client(&serve(app).await).get_version().await.unwrap_err();
    assert!(matches!(error, Error::UnexpectedStatus { status: StatusCode::FOUND, .. }), "{error:?}");
}

#[tokio::test]
async fn nobody_there_is_told_from_no_answer_in_time() {
    // The port is free again once the listener is dropped.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = client(&format!("http://{free}/")).get_version().await.unwrap_err();
    assert!(matches!(error, Error::Connection { never_connected: true, .. }), "{error:?}");
    assert!(!error.may_have_arrived());

    let app = Router::new().fallback(|| async { std::future::pending::<Response>().await });
    let impatient =
        Client::builder(serve(app).await).request_timeout(Duration::from_millis(50)).build().unwrap();
    let error = impatient.get_version().await.unwrap_err();
    assert!(matches!(error, Error::Timeout { never_connected: false, .. }), "{error:?}");
    assert!(error.may_have_arrived());
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_an_error() {
    let app = Router::new().fallback(|| async {
        let broken =
            stream::iter([Ok(Bytes::from_static(b"{\"version\"")), Err(std::io::Error::other("gone"))]);
        Response::new(Body::from_stream(broken))
    });
    let error = client(&serve(app).await).get_version().await.unwrap_err();
    assert!(matches!(error, Error::Connection { never_connected: false, .. }), "{error:?}");
}
