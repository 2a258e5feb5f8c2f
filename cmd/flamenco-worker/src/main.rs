//! The worker program: reads the command line, starts logging, runs the worker, and maps its end to an exit code.

mod arguments;

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use flamenco_worker_core::{Config, ConfigError, DISCOVERY_GROUP, LogTail, find_manager, run};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::time::ChronoLocal;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use arguments::Arguments;

/// A stop that takes longer than this is cut short.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// How long a worker that was told of no manager searches for one.
const START_LIMIT: Duration = Duration::from_secs(600);
/// How long `-find-manager` searches.
const FIND_LIMIT: Duration = Duration::from_secs(60);
const EXIT_FAILED: i32 = 1;
const EXIT_STOP_TOOK_TOO_LONG: i32 = 254;

fn main() {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == flamenco_worker_core::GUARD_ARGUMENT) {
        return flamenco_worker_core::guard_processes();
    }
    let arguments = Arguments::parse_from(arguments::normalise(std::env::args_os()));
    if arguments.version {
        println!("{}", flamenco_worker_core::config::software_version());
        return;
    }
    let own_log = LogTail::default();
    start_logging(arguments.level(), &own_log);
    let code = start(&arguments, own_log).unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        EXIT_FAILED
    });
    // Not by returning: that would wait for a file operation that hangs on a dead network drive.
    std::process::exit(code);
}

fn start(arguments: &Arguments, own_log: LogTail) -> anyhow::Result<i32> {
    let directory = std::env::current_dir().context("cannot tell the working directory")?;
    let file = directory.join(flamenco_worker_core::config::CONFIG_FILE);
    tracing::info!(
        version = flamenco_worker_core::config::software_version(), os = std::env::consts::OS,
        arch = std::env::consts::ARCH, pid = std::process::id(), config = %file.display(), "flamenco-worker starting"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let code = runtime.block_on(async {
        if arguments.find_manager {
            println!("{}", find_manager(FIND_LIMIT).await?);
            return Ok(0);
        }
        let mut config = configuration(arguments, &directory).await?;
        config.own_log = own_log;
        config.guard = std::env::current_exe()
            .inspect_err(
                |error| tracing::warn!(%error, "cannot tell where this program is; there is no guard"),
            )
            .ok();
        work(config).await
    });
    runtime.shutdown_background();
    code
}

/// Reads the configuration, and finds a manager if it names none.
async fn configuration(arguments: &Arguments, directory: &Path) -> anyhow::Result<Config> {
    let mut command_line = arguments.command_line();
    let environment = |name: &str| std::env::var_os(name);
    match Config::load(&command_line, directory, &environment) {
        Err(ConfigError::NoManager(_)) => {
            command_line.manager_url = Some(find_manager(START_LIMIT).await?);
            let config = Config::load(&command_line, directory, &environment)?;
            Ok(Config { search_group: Some(DISCOVERY_GROUP), ..config })
        }
        loaded => Ok(loaded?),
    }
}

/// Runs the worker on this thread. A first signal stops it in good order, a second one at once.
async fn work(config: Config) -> anyhow::Result<i32> {
    let cancel = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let stop = async {
        next_signal(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping; a second signal stops at once");
        cancel.cancel();
        tokio::select! {
            () = next_signal(&mut terminate, &mut interrupt) => EXIT_FAILED,
            () = tokio::time::sleep(STOP_LIMIT) => {
                tracing::error!("stopping takes too long; giving up");
                EXIT_STOP_TOOK_TOO_LONG
            }
        }
    };
    // Whichever ends first drops the other; dropping the worker kills the program it runs.
    tokio::select! {
        result = run(config, cancel.clone()) => Ok(i32::from(result?.exit_code())),
        code = stop => Ok(code),
    }
}

async fn next_signal(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Our own lines at the wanted level; those of libraries only when something is wrong. The end of them is kept for the
/// manager to show.
fn start_logging(level: Level, own_log: &LogTail) {
    let filter = Targets::new()
        .with_default(Level::WARN)
        .with_target("flamenco_worker", level)
        .with_target("flamenco_worker_core", level);
    let lines = tracing_subscriber::fmt::layer()
        .with_timer(ChronoLocal::rfc_3339())
        .with_target(false)
        .with_ansi(std::io::stdout().is_terminal());
    let own_log = own_log.clone();
    let kept = tracing_subscriber::fmt::layer()
        .with_timer(ChronoLocal::rfc_3339())
        .with_target(false)
        .with_ansi(false)
        .with_writer(move || own_log.writer());
    tracing_subscriber::registry().with(lines).with(kept).with(filter).init();
}
