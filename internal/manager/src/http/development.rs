//! Help for those who work on Flamenco itself. Everything here is off unless the program was started with its flag.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use rand_distr::{Distribution, Normal};
use tokio_util::sync::CancellationToken;
use tower_http::cors::CorsLayer;

/// Mean of the delay of an answer, and how much it varies, in seconds.
const DELAY: (f64, f64) = (0.125, 0.25);
/// The longest delay, in seconds.
const LONGEST_DELAY: f64 = 1.0;

/// What was switched on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Development {
    /// Answers of the API take a random time, so that a page shows how it looks when the manager is slow.
    pub delay: bool,
    /// Flame graphs at `/debug/pprof/`.
    pub profiler: bool,
    /// Pages of the web app's development server, on port 8081 of this machine, may use the API.
    pub allow_web_development: bool,
}

impl Development {
    pub(super) fn slow(self, routes: Router) -> Router {
        if self.delay { routes.layer(from_fn(later)) } else { routes }
    }

    pub(super) fn allow(self, origins: &[String], routes: Router) -> Router {
        if !self.allow_web_development {
            return routes;
        }
        let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
        let methods = [Method::POST, Method::GET, Method::OPTIONS, Method::PUT, Method::DELETE];
        let cors = CorsLayer::new().allow_origin(origins).allow_methods(methods);
        routes.layer(cors.allow_headers([header::CONTENT_TYPE, header::ACCEPT, header::AUTHORIZATION]))
    }

    #[cfg(unix)]
    pub(super) fn profiler(self, cancel: &CancellationToken) -> Router {
        if self.profiler { super::profiler::router(cancel.clone()) } else { Router::new() }
    }

    /// Samples are taken by a signal, which there is none of here.
    #[cfg(not(unix))]
    pub(super) fn profiler(self, _: &CancellationToken) -> Router {
        if self.profiler {
            tracing::warn!("-pprof has no effect on this platform");
        }
        Router::new()
    }
}

async fn later(request: Request, next: Next) -> Response {
    tokio::time::sleep(delay()).await;
    next.run(request).await
}

fn delay() -> Duration {
    let (mean, deviation) = DELAY;
    let seconds =
        Normal::new(mean, deviation).map_or(mean, |distribution| distribution.sample(&mut rand::rng()));
    Duration::from_secs_f64(seconds.clamp(0.0, LONGEST_DELAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_vary_within_their_limits() {
        let delays: Vec<f64> = (0..2000).map(|_| delay().as_secs_f64()).collect();
        assert!(delays.iter().all(|delay| (0.0..=LONGEST_DELAY).contains(delay)));
        let mean = delays.iter().sum::<f64>() / 2000.0;
        // What would be negative is none at all, which shifts the mean.
        assert!((0.12..0.24).contains(&mean), "{mean}");
        assert!(delays.iter().any(|delay| *delay > 0.4) && delays.contains(&0.0));
    }
}
