//! The HTTP rim: extract, one call on the farm, convert. Nothing is decided here.
//!
//! One route list: the API of `openapi.yaml` (generated router), the document itself and Swagger UI, Socket.IO, the
//! files of jobs, and the web app. [`caller`](mod@caller) is the one place that decides who a caller is.

mod access;
mod assets;
mod attention;
mod audit;
mod caller;
mod connections;
pub(crate) mod convert;
mod development;
mod docs;
mod encoded_word;
pub(crate) mod frames;
mod job_files;
mod jobs;
mod links;
mod lists;
pub(crate) mod machines;
mod mass_deletion;
mod meta;
mod origin;
mod problem;
#[cfg(unix)]
mod profiler;
mod roles;
mod setup;
mod shaman;
mod socketio;
mod submission;
mod upnp;
mod worker;
mod worker_mgt;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, map_response, map_response_with_state};
use axum::response::Response;
use chrono::{DateTime, Utc};
use flamenco_api::Operation;
use flamenco_api::Problem;
use flamenco_api::server::{Backend, IdleLimit};
use flamenco_logtail::LogTail;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::farm::Farm;
pub(crate) use caller::Caller;
pub(crate) use connections::{Listener, Peer};
pub use development::Development;

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
    idle_limit: Duration,
    log: LogTail,
    log_began: DateTime<Utc>,
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

    fn idle_limit(&self) -> IdleLimit {
        IdleLimit { limit: self.idle_limit, sleep: |limit| Box::pin(tokio::time::sleep(limit)) }
    }
}

/// Whoever has asked for a restart should not send the next request into the connection that it ends.
async fn hang_up_before_restart(State(farm): State<Farm>, mut response: Response) -> Response {
    // An answer that changes the protocol ends in a connection that is told of the end in its own way.
    if farm.restart_token().is_cancelled() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What is served besides the farm itself.
pub(crate) struct Rim {
    pub(crate) versions: Versions,
    pub(crate) local_storage: PathBuf,
    /// Whether the manager is announced on the network.
    pub(crate) discoverable: bool,
    /// How long the body of a request may pause.
    pub(crate) idle_limit: Duration,
    /// The end of the program's own log, and when it began.
    pub(crate) log: LogTail,
    pub(crate) log_began: DateTime<Utc>,
    pub(crate) development: Development,
    /// Origins of web apps in development.
    pub(crate) development_origins: Vec<String>,
}

/// Everything that is served. Background work that serves it runs on `tracker` until `cancel`.
pub(crate) fn router(farm: Farm, rim: Rim, tracker: &TaskTracker, cancel: &CancellationToken) -> Router {
    let api = Api {
        farm: farm.clone(),
        versions: Arc::new(rim.versions),
        cancel: cancel.clone(),
        idle_limit: rim.idle_limit,
        log: rim.log,
        log_began: rim.log_began,
    };
    let mut routes = Router::new();
    if rim.discoverable {
        routes = routes.merge(upnp::router(&api));
    }
    let routes = routes
        .merge(rim.development.slow(audit::recorded(flamenco_api::server::router(api), &farm)))
        .merge(docs::router())
        .merge(job_files::router(farm.clone(), rim.local_storage))
        .merge(assets::router::<assets::WebApp>())
        .merge(rim.development.profiler(cancel));
    let security = HeaderValue::from_static("default-src 'self'; img-src 'self' blob: data:");
    let guarded = caller::Guarded::new(&farm, rim.development, &rim.development_origins);
    let guard = move |request: Request, next: Next| caller::guard(guarded.clone(), request, next);
    let routes = socketio::attach(routes, farm.clone(), tracker, cancel);
    let routes = routes
        .layer(from_fn(guard))
        .layer(map_response(name_the_scheme))
        .layer(map_response_with_state(farm, hang_up_before_restart));
    rim.development
        .allow(&rim.development_origins, routes)
        .layer(SetResponseHeaderLayer::if_not_present(header::CONTENT_SECURITY_POLICY, security))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(CatchPanicLayer::custom(problem::panicked))
}

/// As HTTP has it, an answer that asks for credentials says of which kind.
async fn name_the_scheme(mut response: Response) -> Response {
    if response.status() == StatusCode::UNAUTHORIZED {
        let bearer = HeaderValue::from_static("Bearer realm=\"flamenco\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
    }
    response
}
