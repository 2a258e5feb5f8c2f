//! Flame graphs of the running manager, when it was started with `-pprof`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Samples a second. Not a round number, so that nothing that happens regularly hides between them.
const FREQUENCY: i32 = 99;
const DEFAULT_SECONDS: u64 = 30;
const MOST_SECONDS: u64 = 300;

const INDEX: &str = "<!DOCTYPE html><html lang=\"en\"><title>Profiles</title><h1>Profiles</h1>\
    <p><a href=\"profile?seconds=10\">CPU, 10 seconds</a>: a flame graph of what the manager computes from now on. \
    <code>seconds</code> can be 1 to 300.</p></html>";

#[derive(Clone)]
struct Profiler {
    /// There is one clock for samples in a process.
    turn: Arc<Semaphore>,
    cancel: CancellationToken,
}

#[derive(Deserialize)]
struct Wanted {
    seconds: Option<String>,
}

pub(super) fn router(cancel: CancellationToken) -> Router {
    let profiler = Profiler { turn: Arc::new(Semaphore::new(1)), cancel };
    Router::new()
        .route("/debug/pprof/", get(|| async { Html(INDEX) }))
        .route("/debug/pprof/profile", get(profile))
        .with_state(profiler)
}

async fn profile(State(profiler): State<Profiler>, Query(wanted): Query<Wanted>) -> Response {
    let seconds = wanted.seconds.as_deref().map_or(Ok(DEFAULT_SECONDS), str::parse);
    let Some(seconds) = seconds.ok().filter(|seconds| (1..=MOST_SECONDS).contains(seconds)) else {
        let text = format!("seconds must be a whole number from 1 to {MOST_SECONDS}\n");
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    let Ok(_turn) = profiler.turn.try_acquire() else {
        return (StatusCode::CONFLICT, "another profile is being taken; wait for its end\n").into_response();
    };
    match take(Duration::from_secs(seconds), &profiler.cancel).await {
        // The graph styles itself and has a script to zoom.
        Ok(graph) => {
            let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'";
            let headers: [(HeaderName, &str); 2] =
                [(header::CONTENT_TYPE, "image/svg+xml"), (header::CONTENT_SECURITY_POLICY, policy)];
            (headers, graph).into_response()
        }
        Err(error) => {
            tracing::error!(error, "cannot take a profile");
            (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot take a profile: {error}\n")).into_response()
        }
    }
}

async fn take(duration: Duration, cancel: &CancellationToken) -> Result<Vec<u8>, String> {
    let guard = pprof::ProfilerGuardBuilder::default()
        .frequency(FREQUENCY)
        // A sample in these could wait for a lock that its own thread holds.
        .blocklist(&["libc", "libgcc", "pthread", "vdso"])
        .build()
        .map_err(|error| error.to_string())?;
    // When the manager stops, what there is has to do.
    cancel.run_until_cancelled(tokio::time::sleep(duration)).await;
    let graph = tokio::task::spawn_blocking(move || {
        let report = guard.report().build().map_err(|error| error.to_string())?;
        if report.data.is_empty() {
            return Ok(NOTHING.as_bytes().to_vec());
        }
        let mut graph = Vec::new();
        report.flamegraph(&mut graph).map_err(|error| error.to_string())?;
        Ok(graph)
    });
    graph.await.map_err(|error| error.to_string())?
}

/// An idle manager leaves no samples.
const NOTHING: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"600\" height=\"40\">\
    <text x=\"10\" y=\"25\">The manager was idle: there are no samples.</text></svg>";
