//! `/job-files/…`: task logs and pictures, as files, with byte ranges.

use std::path::PathBuf;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use flamenco_api::Problem;
use tower_http::services::ServeDir;

/// Only `job-<4>/<job>/<file>`, without anything that starts with a dot, and no listings of folders.
async fn only_files_of_jobs(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let fits = parts.len() == 3
        && parts[0].starts_with("job-")
        && parts.iter().all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains('%'));
    let missing = || {
        let problem = Problem::not_found(format!("there is no file /job-files{path}"));
        (problem.status, axum::Json(problem.to_error())).into_response()
    };
    if !fits {
        return missing();
    }
    // Another picture has another name.
    let is_immutable = ["frame-", "preview-"].iter().any(|start| parts[2].starts_with(start));
    let mut response = next.run(request).await;
    if response.status() == StatusCode::NOT_FOUND {
        return missing();
    }
    // A log grows, so a cached copy is never good without asking.
    let cache = if is_immutable { "private, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

pub(super) fn router(local_storage: PathBuf) -> Router {
    let files = ServeDir::new(local_storage).append_index_html_on_directories(false);
    let inner = Router::new().fallback_service(files).layer(from_fn(only_files_of_jobs));
    Router::new().nest("/job-files", inner)
}
