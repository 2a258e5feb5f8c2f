//! The manager: API, web app and schedule of the farm.
//!
//! # The way of a request
//!
//! "Worker says task 7 failed": the generated router finds the operation, `http` decides who the caller is before a
//! byte of the body is read, the handler converts the body and calls [`farm::Farm::report_task`]. That appends the log
//! text to the task's file, and hands an operation to the store's writer: it loads task and job, asks the pure
//! functions of `flamenco_domain` what follows, stores it, and is committed together with what else waits. After the
//! commit the events go to the [`events`] bus, and from there to browsers; then the handler answers 204. A change that
//! was rolled back was never announced, and what was answered is on disk.
//!
//! # Start and end
//!
//! [`run`] is given the listener and the token that ends it. It opens the farm, which repairs what a crash left half
//! done, starts the loops, and serves until it is cancelled: then it stops to accept, finishes what it has, and closes
//! the database.

pub mod config;
pub mod error;
pub mod events;
pub mod farm;
mod http;
mod loops;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flamenco_domain::clock::{Clock, SystemClock};
use flamenco_domain::event::Event;
use flamenco_jobscript::{Limits, Scripts};
use flamenco_store::Location;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use config::{Config, Database};
use error::{Error, Result};
use farm::Farm;
use farm::logs::TaskLogs;
/// The engine of job types, for the program's `--check-script`.
pub use flamenco_jobscript as jobscript;
pub use http::Versions;

/// How long requests and loops may take to end.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

/// What a manager is made of besides its configuration.
pub struct Parts {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Which program this is.
    pub versions: Versions,
}

impl Parts {
    /// The machine's clock.
    #[must_use]
    pub fn new(versions: Versions) -> Self {
        Self { clock: Arc::new(SystemClock), versions }
    }
}

/// Runs a manager on `listener` until `cancel`.
///
/// # Errors
/// When it cannot start, or the listener fails.
pub async fn run(
    config: Config,
    listener: TcpListener,
    parts: Parts,
    cancel: CancellationToken,
) -> Result<()> {
    let farm = open_farm(&config, parts.clock).await?;
    if config.first_run {
        tracing::info!(storage = %config.shared_storage.display(), "no shared storage is configured; using a folder beside the configuration");
    }
    let address = listener.local_addr().map_err(Error::io("looking at the listening socket"))?;
    let tracker = TaskTracker::new();
    // Follows `cancel`, but only when the end was announced, so that whoever passes events on has seen it.
    let stopping = CancellationToken::new();
    loops::spawn_all(&farm, &tracker, &stopping);
    let router =
        http::router(farm.clone(), parts.versions, config.local_storage.clone(), &tracker, &stopping);
    farm.announce(Event::ManagerStarted);
    tracing::info!(%address, "ready: the web app is at http://{}/app/", reachable(address));

    let stop = {
        let (farm, cancel, stopping) = (farm.clone(), cancel.clone(), stopping.clone());
        async move {
            cancel.cancelled().await;
            farm.announce(Event::ManagerStopping);
            stopping.cancel();
        }
    };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop).into_future();
    let served = serve_until(serving, &cancel).await;
    stopping.cancel();
    tracker.close();
    if tokio::time::timeout(SHUTDOWN_LIMIT, tracker.wait()).await.is_err() {
        tracing::warn!("some background work did not end in time");
    }
    farm.close().await;
    tracing::info!("stopped");
    served.map_err(Error::io("serving HTTP"))
}

/// Serves; after the cancellation, connections get a limited time to finish what they are at.
async fn serve_until(
    serving: impl Future<Output = std::io::Result<()>>,
    cancel: &CancellationToken,
) -> std::io::Result<()> {
    let limit = async {
        cancel.cancelled().await;
        tokio::time::sleep(SHUTDOWN_LIMIT).await;
    };
    tokio::select! {
        served = serving => served,
        () = limit => {
            tracing::warn!("some connections did not end in time and are cut off");
            Ok(())
        }
    }
}

/// An address that a browser on this machine can open.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        std::net::IpAddr::V4(_) => SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), address.port()),
        std::net::IpAddr::V6(_) => SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), address.port()),
    }
}

async fn open_farm(config: &Config, clock: Arc<dyn Clock>) -> Result<Farm> {
    let settings = &config.settings;
    let location = match &config.database {
        Database::Sqlite(path) => Location::Sqlite(path.clone()),
        Database::Postgres(address) => Location::Postgres { url: address.expose().to_owned(), schema: None },
    };
    for folder in [&config.local_storage, &config.shared_storage] {
        std::fs::create_dir_all(folder)
            .map_err(Error::io(format!("cannot make the folder {}", folder.display())))?;
    }
    let logs = TaskLogs::new(&config.local_storage).map_err(Error::io("cannot start writing task logs"))?;
    let limits = Limits { cpu: settings.script_time_limit, ..Limits::default() };
    let scripts = Scripts::new(config.scripts_paths.clone(), limits);
    Farm::open(&location, logs, scripts, clock, config.clone()).await
}
