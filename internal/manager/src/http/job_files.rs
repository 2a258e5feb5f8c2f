//! `/job-files/…`: task logs, pictures, finished videos and rendered files, with byte ranges.

use std::path::PathBuf;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use flamenco_api::Problem;
use tower::ServiceExt;
use tower_http::services::{ServeDir, ServeFile};
use uuid::Uuid;

use crate::farm::Farm;
use crate::farm::frames::{original, video};

/// Only `job-<4>/<job>/<file>`, without anything that starts with a dot, and no listings of folders.
async fn only_files_of_jobs(State(farm): State<Farm>, request: Request, next: Next) -> Response {
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
    let of_storage = [video::PREFIX, original::PREFIX].iter().any(|start| parts[2].starts_with(start));
    let is_immutable = of_storage || ["frame-", "preview-"].iter().any(|start| parts[2].starts_with(start));
    let mut response = if of_storage {
        match file_of_storage(&farm, parts[1], parts[2], request).await {
            Some(response) => response,
            None => return missing(),
        }
    } else {
        next.run(request).await
    };
    if response.status() == StatusCode::NOT_FOUND {
        return missing();
    }
    // A log grows, so a cached copy is never good without asking.
    let cache = if is_immutable { "private, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

/// The video of a job or the file of a frame, which are not among its local files, if it has this name.
async fn file_of_storage(farm: &Farm, job: &str, name: &str, request: Request) -> Option<Response> {
    let job: Uuid = job.parse().ok()?;
    if name.starts_with(original::PREFIX) {
        let file = farm.original(job.into(), name).await.ok()??;
        let Ok(response) = ServeFile::new(&file.path).oneshot(request).await;
        let mut response = response.into_response();
        // Its own name may promise anything.
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(file.media_type));
        return Some(response);
    }
    let video = farm.preview_video(job.into()).await.ok()??;
    if video.name != name {
        return None;
    }
    let Ok(response) = ServeFile::new(&video.path).oneshot(request).await;
    Some(response.into_response())
}

pub(super) fn router(farm: Farm, local_storage: PathBuf) -> Router {
    let files = ServeDir::new(local_storage).append_index_html_on_directories(false);
    let inner = Router::new().fallback_service(files).layer(from_fn_with_state(farm, only_files_of_jobs));
    Router::new().nest("/job-files", inner)
}
