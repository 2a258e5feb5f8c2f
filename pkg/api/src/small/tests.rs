//! Calls the router of the small document.

use axum::body::{Body, to_bytes};
use axum::response::Response;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use super::server::{ScanApi, ShelfApi, router};
use super::{operations, types};
use crate::server::{Backend, IdleLimit, UploadBody};
use crate::{BodyStream, Operation, Problem};

const SHELF: &str = "/api/v3/shelves/123e4567-e89b-42d3-a456-426614174000";

#[derive(Clone)]
struct Library;

impl Backend for Library {
    fn idle_limit(&self) -> IdleLimit {
        let limit = std::time::Duration::from_secs(60);
        IdleLimit { limit, sleep: |limit| Box::pin(tokio::time::sleep(limit)) }
    }

    type Caller = ();

    async fn authorize(
        &self,
        _operation: &'static Operation,
        _request: &http::request::Parts,
    ) -> Result<(), Problem> {
        Ok(())
    }

    fn json_body_limit(&self, _operation: &'static Operation) -> usize {
        10_000
    }
}

impl ShelfApi for Library {
    async fn list_books(
        &self,
        _caller: (),
        _shelf_id: Uuid,
        query: operations::ListBooksQuery,
        headers: operations::ListBooksHeaders,
    ) -> Result<operations::ListBooksResponse, Problem> {
        match query.verbose {
            Some(2) => {
                let body =
                    types::Error { code: 418, message: format!("{:?} {:?}", query.kind, headers.x_tags) };
                Ok(operations::ListBooksResponse::Status4xx { status: StatusCode::IM_A_TEAPOT, body })
            }
            _ => Ok(operations::ListBooksResponse::Status200 {
                body: Vec::new(),
                x_total: 7,
                x_changed: query.verbose.map(|_| query.since),
            }),
        }
    }

    async fn put_book(
        &self,
        _caller: (),
        _shelf_id: Uuid,
        query: operations::PutBookQuery,
        body: types::Book,
    ) -> Result<operations::PutBookResponse, Problem> {
        assert_eq!(query.verbose, Some(true));
        assert_eq!((body.copies, body.price), (50, None));
        let body = types::Error { code: 503, message: body.title };
        Ok(operations::PutBookResponse::Status503 { body, retry_after: Some(3) })
    }
}

impl ScanApi for Library {
    async fn upload_scan(
        &self,
        _caller: (),
        from: types::BookKind,
        mut body: UploadBody,
    ) -> Result<operations::UploadScanResponse, Problem> {
        assert_eq!(from, types::BookKind::TextBook);
        match body.next().await {
            Some(_) => Ok(operations::UploadScanResponse::Status202),
            None => Ok(operations::UploadScanResponse::Status208),
        }
    }

    async fn download_scan(
        &self,
        _caller: (),
        _from: types::BookKind,
    ) -> Result<operations::DownloadScanResponse, Problem> {
        Ok(operations::DownloadScanResponse::Status200(BodyStream::from(Bytes::from_static(b"PNG"))))
    }

    async fn read_notes(
        &self,
        _caller: (),
        headers: operations::ReadNotesHeaders,
    ) -> Result<operations::ReadNotesResponse, Problem> {
        use operations::ReadNotesStatus200Content::{Json, Plain};
        let plain = headers.accept.as_deref() == Some("text/plain");
        Ok(operations::ReadNotesResponse::Status200(if plain {
            Plain("x".to_owned())
        } else {
            Json(Default::default())
        }))
    }
}

async fn send(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    router(Library).oneshot(request.body(body.into()).unwrap()).await.unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 10_000).await.unwrap().into()).unwrap()
}

async fn message(response: Response) -> String {
    let body: Value = serde_json::from_str(&text(response).await).unwrap();
    body["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn lists_are_repeated_or_have_commas() {
    let since = "since=2026-01-31T12:00:00Z&verbose=2";
    for (query, tags, expected) in [
        ("", None, "None None"),
        ("&kind=novel&kind=text-book", None, "Some([Novel, TextBook]) None"),
        ("&kind=novel,text-book,&kind=novel", None, "Some([Novel, TextBook, Novel]) None"),
        ("&kind=", Some("ab, cd"), "Some([]) Some([\"ab\", \"cd\"])"),
    ] {
        let headers: Vec<_> = tags.iter().map(|tags| ("x-tags", *tags)).collect();
        let response = send("GET", &format!("{SHELF}?{since}{query}"), &headers, "").await;
        assert_eq!(response.status(), 418);
        assert_eq!(message(response).await, expected);
    }
}

#[tokio::test]
async fn parameters_are_checked() {
    let since = "since=2026-01-31T12:00:00Z";
    for (query, tags, expected) in [
        ("", "ab", "parameter since is missing"),
        (
            "since=now",
            "ab",
            "query parameter since must be a date and time like 2026-01-31T12:00:00Z, not \"now\"",
        ),
        (&format!("{since}&verbose=4"), "ab", "query parameter verbose must be from 1 to 3, not 4"),
        (
            &format!("{since}&kind=poem"),
            "ab",
            "query parameter kind must be one of novel, text-book, not \"poem\"",
        ),
        (since, "ab,c", "header X-Tags must have at least 2 characters, not 1"),
    ] {
        let response = send("GET", &format!("{SHELF}?{query}"), &[("x-tags", tags)], "").await;
        assert_eq!(response.status(), 400);
        let message = message(response).await;
        assert!(message.starts_with(expected), "{message}");
    }
    let response = send("POST", "/api/v3/scans/poem", &[], "").await;
    assert_eq!(message(response).await, "path parameter from must be one of novel, text-book, not \"poem\"");
}

#[tokio::test]
async fn headers_of_answers() {
    let response = send("GET", &format!("{SHELF}?since=2026-01-31T12:00:00Z"), &[], "").await;
    assert_eq!(response.headers()["x-total"], "7");
    assert!(response.headers().get("x-changed").is_none());
    assert_eq!(text(response).await, "[]");

    let response = send("GET", &format!("{SHELF}?since=2026-01-31T12:00:00Z&verbose=1"), &[], "").await;
    assert_eq!(response.headers()["x-changed"], "2026-01-31T12:00:00Z");
}

#[tokio::test]
async fn bodies_are_checked_at_any_depth() {
    let good =
        json!({"title": "t", "pages": [1, 2], "kind": "novel", "price": null, "borrower": null, "type": "x"});
    let response = send("PUT", &format!("{SHELF}?verbose=1"), &[], good.to_string()).await;
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "3"));

    for (change, expected) in [
        (json!({"title": ""}), "title: must have at least 1 characters, not 0"),
        (json!({"pages": [1, 0]}), "pages[1]: must be at least 1, not 0"),
        (json!({"pages": [1, 2, 3, 4]}), "pages: must have at most 3 items, not 4"),
        (json!({"copies": 101}), "copies: must be from 0 to 100, not 101"),
        (json!({"price": 0.25}), "price: must be at least 0.5, not 0.25"),
        (json!({"labels": {"a": "short", "b": "longer"}}), "labels.b: must have at most 5 characters, not 6"),
        (
            json!({"sequel": {"title": "t", "pages": [-1], "kind": "novel", "price": null, "borrower": null, "type": "x"}}),
            "sequel.pages[0]: must be at least 1, not -1",
        ),
        (
            json!({"title": "", "copies": -1}),
            "title: must have at least 1 characters, not 0; copies: must be from 0 to 100, not -1",
        ),
        (json!({"type": null}), "type: invalid type: null, expected a string"),
        (json!({"kind": "poem"}), "kind: unknown variant `poem`, expected `novel` or `text-book`"),
        (
            json!({"dueDates": ["2026-01-31T12:00:00Z", "soon"]}),
            "dueDates[1]: must be a date and time like 2026-01-31T12",
        ),
        (json!({"dueDates": ["2026-01-31"]}), "dueDates[0]: must be a date and time like 2026-01-31T12"),
        (
            json!({"dueDates": ["2026-13-31T12:00:00Z"]}),
            "dueDates[0]: must be a date and time like 2026-01-31T12",
        ),
        (
            json!({"dueDates": ["2026-01-31T12:00:00Z!"]}),
            "dueDates[0]: must be a date and time like 2026-01-31T12",
        ),
    ] {
        let mut book = good.clone();
        book.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let response = send("PUT", &format!("{SHELF}?verbose=1"), &[], book.to_string()).await;
        assert_eq!(response.status(), 400, "{change}");
        let message = message(response).await;
        assert!(message.starts_with(&format!("request body: {expected}")), "{message}");
    }

    let response = send("PATCH", "/api/v3/notes", &[], r#"{"a": 1, "b": 0}"#).await;
    assert_eq!(message(response).await, "request body: b: must be at least 1, not 0");
    assert_eq!(send("PATCH", "/api/v3/notes", &[], "").await.status(), 501);
}

#[tokio::test]
async fn files_go_both_ways() {
    for (media_type, body, status) in
        [("image/anything", "x", 202), ("application/octet-stream", "", 208), ("text/plain", "x", 415)]
    {
        let response = send("POST", "/api/v3/scans/text-book", &[("content-type", media_type)], body).await;
        assert_eq!(response.status(), status, "{media_type}");
    }
    let response = send("GET", "/api/v3/scans/novel", &[], "").await;
    assert_eq!(response.headers()["content-type"], "image/png");
    assert_eq!(response.headers()["content-length"], "3");
    assert_eq!(text(response).await, "PNG");
}

#[tokio::test]
async fn the_media_type_is_that_of_the_answer() {
    for (accept, expected) in [("text/plain", "text/plain; charset=utf-8"), ("*/*", "application/json")] {
        let response = send("GET", "/api/v3/notes", &[("accept", accept)], "").await;
        assert_eq!(response.headers()["content-type"], expected);
    }
}

#[test]
fn what_is_absent_is_not_written() {
    let book = types::Book {
        borrower: Some("me".to_owned()),
        copies: 50,
        due_dates: Some(Vec::new()),
        extra: None,
        kind: types::BookKind::Novel,
        labels: None,
        pages: Vec::new(),
        price: None,
        sequel: None,
        title: "t".to_owned(),
        type_: "x".to_owned(),
    };
    let written = serde_json::to_value(&book).unwrap();
    let expected = json!({"title": "t", "pages": [], "kind": "novel", "copies": 50, "price": null, "borrower": "me",
        "type": "x", "dueDates": []});
    assert_eq!(written, expected);
    assert_eq!(serde_json::from_value::<types::Book>(expected).unwrap(), book);
}

#[test]
fn problems_of_answers() {
    let error = || types::Error { code: 0, message: "m".to_owned() };
    let status = StatusCode::IM_A_TEAPOT;
    let since: DateTime<Utc> = DateTime::UNIX_EPOCH;
    for (answer, problem) in [
        (operations::ListBooksResponse::Status200 { body: vec![], x_total: 1, x_changed: Some(since) }, None),
        (operations::ListBooksResponse::Status4xx { status, body: error() }, Some(Problem::new(status, "m"))),
        (operations::ListBooksResponse::Default { status, body: error() }, Some(Problem::new(status, "m"))),
    ] {
        assert_eq!(answer.problem(), problem);
    }
    let busy = operations::PutBookResponse::Status503 { body: error(), retry_after: Some(3) };
    assert_eq!(busy.problem().and_then(|problem| problem.retry_after_seconds()), Some(3));
    assert_eq!(operations::PutBookResponse::Status204.status(), StatusCode::NO_CONTENT);
}
