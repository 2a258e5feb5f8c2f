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
//! the database. When the setup assistant has written its choices, or somebody wants a restart, the same happens, and
//! then all of it once more with the configuration as it is in the file. The listening socket stays open in between: whoever connects waits a moment for the answer.

pub mod blender;
pub mod config;
mod discovery;
pub mod error;
pub mod events;
pub mod farm;
mod http;
mod live;
mod loops;
mod mqtt;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use flamenco_domain::clock::{Clock, SystemClock};
use flamenco_domain::event::Event;
use flamenco_jobscript::{Limits, Scripts};
use flamenco_store::Location;
use flamenco_store::check::Health;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use config::{Config, Database};
use discovery::Urls;
use error::{Error, Result};
use farm::Farm;
use farm::logs::TaskLogs;
/// The engine of job types, for the program's `--check-script`.
pub use flamenco_jobscript as jobscript;
/// Keeps the end of a program's log.
pub use flamenco_logtail::LogTail;
pub use http::{Development, Versions};

/// How long the body of a request may pause.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// How long requests and loops may take to end.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);
/// How long before a restart connections that were just accepted may take to send their request.
const LAST_REQUESTS: Duration = Duration::from_millis(200);
/// How long after a first start the browser is opened.
const BROWSER_DELAY: Duration = Duration::from_secs(1);

/// Opens a URL in a web browser.
pub type Browser = Arc<dyn Fn(&str) -> std::io::Result<()> + Send + Sync>;

/// What a manager is made of besides its configuration.
#[derive(Clone)]
pub struct Parts {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Which program this is.
    pub versions: Versions,
    /// Folders with job types that every configuration has, searched before its own.
    pub scripts: Vec<PathBuf>,
    /// Ask for the essentials even if they are configured, until the first restart.
    pub setup_assistant: bool,
    /// Shows the setup assistant to whoever started the manager for the first time; `None` when nobody would see it.
    pub browser: Option<Browser>,
    /// Help for those who work on Flamenco itself.
    pub development: Development,
    /// How long the body of a request may pause before the request is answered with 408.
    pub idle_limit: Duration,
    /// Where the program writes its log to, for admins to look at the end of it.
    pub log: LogTail,
    /// When that log began.
    pub log_began: DateTime<Utc>,
}

impl Parts {
    /// The machine's clock, and nothing special.
    #[must_use]
    pub fn new(versions: Versions) -> Self {
        Self {
            clock: Arc::new(SystemClock),
            versions,
            scripts: Vec::new(),
            setup_assistant: false,
            browser: None,
            development: Development::default(),
            idle_limit: IDLE_LIMIT,
            log: LogTail::default(),
            log_began: Utc::now(),
        }
    }
}

/// Why a manager has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It was cancelled.
    Stopped,
    /// It is to start again in this process.
    Restart,
}

/// Runs a manager on `listener` until `cancel`. When the setup assistant has changed the configuration, or somebody asks
/// for it, it starts again with what is in the file, on the same listener.
///
/// # Errors
/// When it cannot start, or the listener fails.
pub async fn run(
    mut config: Config,
    listener: TcpListener,
    parts: Parts,
    cancel: CancellationToken,
) -> Result<()> {
    let mut listener = listener.into_std().map_err(Error::io("looking at the listening socket"))?;
    config.first_run |= parts.setup_assistant;
    loop {
        let mut starting = config.clone();
        starting.scripts_paths.splice(0..0, parts.scripts.iter().cloned());
        match one_life(&starting, listener, &parts, &cancel).await? {
            Some(kept) => (config, listener) = reload(&config, kept).await?,
            None => return Ok(()),
        }
    }
}

/// Runs until the next restart, which goes on with the socket that this gives, or until the end.
async fn one_life(
    config: &Config,
    listener: std::net::TcpListener,
    parts: &Parts,
    cancel: &CancellationToken,
) -> Result<Option<std::net::TcpListener>> {
    // Keeps the socket open during a restart, and is given up when the end has come.
    let mut kept = Some(listener.try_clone().map_err(Error::io("keeping the listening socket"))?);
    let accepting = TcpListener::from_std(listener).map_err(Error::io("using the listening socket"))?;
    let life = live(config, accepting, parts, cancel);
    tokio::pin!(life);
    let ended = tokio::select! {
        ended = &mut life => ended?,
        () = cancel.cancelled() => {
            kept = None;
            life.await?
        }
    };
    Ok(kept.filter(|_| ended == Ended::Restart && !cancel.is_cancelled()))
}

/// The configuration as the file has it now, and a listener for it.
async fn reload(
    current: &Config,
    listener: std::net::TcpListener,
) -> Result<(Config, std::net::TcpListener)> {
    let mut loaded =
        current.reload().map_err(|error| Error::Internal(format!("cannot start again: {error}")))?;
    for warning in &loaded.warnings {
        tracing::warn!("{}: {warning}", loaded.config.file.display());
    }
    if loaded.config.listen == current.listen {
        return Ok((loaded.config, listener));
    }
    let listener = match loaded.config.listen.bind().await.and_then(TcpListener::into_std) {
        Ok(new) => new,
        Err(error) => {
            tracing::error!(%error, "still listening where it was");
            // So that it is seen, and tried again at the next start.
            loaded.config.listen = current.listen.clone();
            listener
        }
    };
    Ok((loaded.config, listener))
}

/// From one start to the next end.
async fn live(
    config: &Config,
    listener: TcpListener,
    parts: &Parts,
    cancel: &CancellationToken,
) -> Result<Ended> {
    let farm = open_farm(config, Arc::clone(&parts.clock)).await?;
    if !config.has_shared_storage() {
        tracing::info!(storage = %config.shared_storage.display(), "no shared storage is configured; using a folder beside the configuration");
    }
    let address = listener.local_addr().map_err(Error::io("looking at the listening socket"))?;
    let tracker = TaskTracker::new();
    // Follows `cancel`, but only when the end was announced, so that whoever passes events on has seen it.
    let stopping = CancellationToken::new();
    loops::spawn_all(&farm, &tracker, &stopping);
    tracker.spawn(mqtt::run(farm.clone(), farm.subscribe(), stopping.clone()));
    let urls = Urls::new(config, address);
    let discoverable = config.settings.autodiscoverable
        && discovery::start(urls.clone(), &parts.versions, &tracker, &stopping);
    let rim = http::Rim {
        versions: parts.versions.clone(),
        local_storage: config.local_storage.clone(),
        discoverable,
        idle_limit: parts.idle_limit,
        log: parts.log.clone(),
        log_began: parts.log_began,
        development: parts.development,
        development_origins: urls.development_origins(),
    };
    let router = http::router(farm.clone(), rim, &tracker, &stopping);
    farm.announce(Event::ManagerStarted);
    for url in urls.now() {
        tracing::info!("ready: the web app is at {url}app/");
    }
    if config.first_run {
        tracing::info!("this farm is not set up yet; the web app asks for what it needs");
        if let Some(browser) = &parts.browser {
            tracker.spawn(show(Arc::clone(browser), urls.first(), stopping.clone()));
        }
    }

    let stop = end(farm.clone(), cancel.clone(), stopping.clone());
    let service = router.into_make_service_with_connect_info::<http::Peer>();
    let accepting = http::Listener { listener, pause: farm.restart_token().clone() };
    let serving = axum::serve(accepting, service).with_graceful_shutdown(stop).into_future();
    let served = serve_until(serving, &stopping).await;
    let ended = if cancel.is_cancelled() { Ended::Stopped } else { Ended::Restart };
    stopping.cancel();
    tracker.close();
    if tokio::time::timeout(SHUTDOWN_LIMIT, tracker.wait()).await.is_err() {
        tracing::warn!("some background work did not end in time");
    }
    let broken = farm.why_broken();
    farm.close().await;
    tracing::info!("stopped");
    if let Some(error) = broken {
        return Err(error);
    }
    served.map_err(Error::io("serving HTTP")).map(|()| ended)
}

/// Waits for a reason to end, and says so: first to whoever listens to events, then to what runs by itself.
async fn end(farm: Farm, cancel: CancellationToken, stopping: CancellationToken) {
    let broken = farm.broken();
    tokio::select! {
        () = cancel.cancelled() => {}
        // The database turned out to be damaged.
        () = broken.cancelled() => {}
        () = async {
            farm.restart_token().cancelled().await;
            tokio::time::sleep(LAST_REQUESTS).await;
        } => {}
    }
    farm.announce(Event::ManagerStopping);
    stopping.cancel();
}

/// Opens the web app in a browser, when the manager has had a moment to start.
async fn show(browser: Browser, url: String, cancel: CancellationToken) {
    if cancel.run_until_cancelled(tokio::time::sleep(BROWSER_DELAY)).await.is_none() {
        return;
    }
    let opened = tokio::task::spawn_blocking({
        let url = url.clone();
        move || browser(&url)
    });
    if let Ok(Err(error)) = opened.await {
        tracing::info!(%error, "cannot open a web browser; open {url} yourself");
    }
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

pub(crate) fn location(config: &Config) -> Location {
    match &config.database {
        Database::Sqlite(path) => Location::Sqlite(path.clone()),
        Database::Postgres(address) => Location::Postgres { url: address.expose().to_owned(), schema: None },
    }
}

/// Checks the database of a manager, which may be running, and gives back what is wrong.
///
/// # Errors
/// When it cannot be checked, which says nothing about it.
pub async fn check_database(config: &Config) -> Result<Vec<String>> {
    let never = CancellationToken::new();
    match flamenco_store::check::inspect(&location(config), &never).await? {
        Health::Sound => Ok(Vec::new()),
        Health::Damaged(problems) => Ok(problems),
        Health::NotChecked(why) => Err(Error::Store(flamenco_store::Error::Unavailable(why))),
    }
}

async fn open_farm(config: &Config, clock: Arc<dyn Clock>) -> Result<Farm> {
    let settings = &config.settings;
    let location = location(config);
    for folder in [&config.local_storage, &config.shared_storage] {
        std::fs::create_dir_all(folder)
            .map_err(Error::io(format!("cannot make the folder {}", folder.display())))?;
    }
    let logs = TaskLogs::new(&config.local_storage).map_err(Error::io("cannot start writing task logs"))?;
    let limits = Limits { cpu: settings.script_time_limit, ..Limits::default() };
    let scripts = Scripts::new(config.scripts_paths.clone(), limits);
    Farm::open(&location, logs, scripts, clock, config.clone()).await
}
