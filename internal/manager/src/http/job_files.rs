//! `/job-files/…`: task logs, as files, with byte ranges.

use std::path::PathBuf;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use flamenco_api::Problem;
use tower_http::services::ServeDir;
use tower_http::set_header::SetResponseHeaderLayer;

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
    let response = next.run(request).await;
    if response.status() == StatusCode::NOT_FOUND { missing() } else { response }
}

pub(super) fn router(local_storage: PathBuf) -> Router {
    let files = ServeDir::new(local_storage).append_index_html_on_directories(false);
    // A log grows, so a cached copy is never good without asking.
    let no_cache =
        SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let inner = Router::new().fallback_service(files).layer(from_fn(only_files_of_jobs)).layer(no_cache);
    Router::new().nest("/job-files", inner)
}
