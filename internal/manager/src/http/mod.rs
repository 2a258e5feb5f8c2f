//! The HTTP rim: extract, one call on the farm, convert. Nothing is decided here.
//!
//! One route list: the API of `openapi.yaml` (generated router), the document itself and Swagger UI, Socket.IO, the
//! files of jobs, and the web app. [`caller`](mod@caller) is the one place that decides who a caller is.

mod assets;
mod caller;
mod convert;
mod docs;
mod encoded_word;
mod job_files;
mod jobs;
mod meta;
mod problem;
mod shaman;
mod socketio;
mod worker;
mod worker_mgt;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, header};
use flamenco_api::Operation;
use flamenco_api::Problem;
use flamenco_api::server::Backend;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::farm::Farm;
pub(crate) use caller::Caller;

/// Largest JSON body, in bytes. A job has to fit.
const JSON_LIMIT: usize = 16 * 1024 * 1024;
/// Largest list of files of a checkout, in bytes: some three hundred thousand files.
const FILE_LIST_LIMIT: usize = 64 * 1024 * 1024;

/// What every handler has at hand.
#[derive(Clone)]
pub(crate) struct Api {
    pub(crate) farm: Farm,
    pub(crate) versions: Arc<Versions>,
    /// Cancelled when the manager stops, so that requests which are held open end.
    pub(crate) cancel: CancellationToken,
}

/// Which program this is.
#[derive(Debug, Clone)]
pub struct Versions {
    /// Version number.
    pub short: String,
    /// Version number, with the commit when it is not a release.
    pub long: String,
    /// The commit.
    pub git: String,
}

impl Backend for Api {
    type Caller = Caller;

    async fn authorize(
        &self,
        operation: &'static Operation,
        request: &axum::http::request::Parts,
    ) -> Result<Caller, Problem> {
        caller::authorize(&self.farm, operation, request).await
    }

    fn json_body_limit(&self, operation: &'static Operation) -> usize {
        if operation.path.starts_with("/api/v3/shaman/") { FILE_LIST_LIMIT } else { JSON_LIMIT }
    }
}

/// Everything that is served. Background work that serves it runs on `tracker` until `cancel`.
pub(crate) fn router(
    farm: Farm,
    versions: Versions,
    local_storage: PathBuf,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) -> Router {
    let api = Api { farm: farm.clone(), versions: Arc::new(versions), cancel: cancel.clone() };
    let routes = Router::new()
        .merge(flamenco_api::server::router(api))
        .merge(docs::router())
        .merge(job_files::router(local_storage))
        .merge(assets::router());
    let security = HeaderValue::from_static("default-src 'self'; img-src 'self' blob: data:");
    socketio::attach(routes, farm, tracker, cancel)
        .layer(SetResponseHeaderLayer::if_not_present(header::CONTENT_SECURITY_POLICY, security))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(CatchPanicLayer::custom(problem::panicked))
}
