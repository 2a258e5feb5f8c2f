//! From what a handler returns, or from no handler at all, to a response.

use std::future::Future;

use axum::http::Method;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, any};
use http::{StatusCode, header};

use super::reply;
use crate::Problem;

/// Runs a handler and writes its answer.
pub(crate) async fn answer<T: IntoResponse>(handler: impl Future<Output = Result<T, Problem>>) -> Response {
    match handler.await {
        Ok(answer) => answer.into_response(),
        Err(problem) => problem.into_response(),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = reply::json(self.status, &self.to_error());
        if let Some(seconds) = self.retry_after_seconds() {
            reply::header(&mut response, header::RETRY_AFTER.as_str(), &seconds.to_string());
        }
        response
    }
}

/// The start of a route: what it answers to a method that the path does not have. axum adds `Allow`.
pub(crate) fn methods<S: Clone + Send + Sync + 'static>(allowed: &'static str) -> MethodRouter<S> {
    MethodRouter::new().fallback(move |method: Method| async move {
        let message = format!("{method} is not possible on this path; use {allowed}");
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, message)
    })
}

/// The route of everything that the document does not have.
pub(crate) fn unknown_path<S: Clone + Send + Sync + 'static>() -> MethodRouter<S> {
    any(|uri: http::Uri| async move {
        Problem::not_found(format!(
            "there is nothing at {}; see /api/v3/swagger-ui/ for what there is",
            uri.path()
        ))
    })
}
