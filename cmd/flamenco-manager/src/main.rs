//! The manager of a Flamenco render farm: arguments, logging, configuration, socket, signals. The work is in
//! `flamenco_manager_core`.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use flamenco_manager_core::config::{Config, Environment};
use flamenco_manager_core::{Browser, LogTail, Parts, Versions};
use tokio_util::sync::CancellationToken;

mod arguments;
mod check_script;
mod garbage;
mod log;
mod open_files;
mod signals;

use arguments::Arguments;
use signals::Signals;

/// A large job is millions of small pieces of memory, taken on one thread and given back on another. That of the C library
/// kept hundreds of megabytes of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::read();
    let log = log::start(&arguments);
    if let Some(file) = &arguments.check.check_script {
        return check_script::run(file, &arguments.check, arguments.json);
    }
    match start(&arguments, log) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &Arguments, log: LogTail) -> anyhow::Result<ExitCode> {
    let loaded = Config::load(&arguments.config, &Environment::from_process())?;
    for warning in &loaded.warnings {
        tracing::warn!("{}: {warning}", arguments.config.display());
    }
    if arguments.write_config {
        loaded.config.save(std::time::SystemTime::now().into())?;
        println!("Written: {}", loaded.config.file.display());
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.shaman_gc_show || arguments.shaman_gc_delete {
        garbage::run(&loaded.config, arguments.shaman_gc_show, arguments.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    open_files::raise_limit();
    tracing::info!(version = env!("FLAMENCO_VERSION"), config = %loaded.config.file.display(), "Flamenco Manager starts");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    if arguments.check_database {
        return runtime.block_on(check_database(&loaded.config));
    }
    let result = runtime.block_on(serve(loaded.config, arguments, log));
    if result.is_err() {
        // Dropping it would wait for whatever is stuck.
        runtime.shutdown_background();
    }
    result.map(|()| ExitCode::SUCCESS)
}

async fn check_database(config: &Config) -> anyhow::Result<ExitCode> {
    let problems = flamenco_manager_core::check_database(config).await?;
    if problems.is_empty() {
        println!("The database is sound.");
        return Ok(ExitCode::SUCCESS);
    }
    for problem in problems {
        println!("{problem}");
    }
    Ok(ExitCode::FAILURE)
}

async fn serve(config: Config, arguments: &Arguments, log: LogTail) -> anyhow::Result<()> {
    let cancel = CancellationToken::new();
    // Before anything else, so that a signal during a long start is not lost.
    let mut signals = Signals::new().context("cannot listen for signals")?;
    let listener = config.listen.bind().await?;
    let versions = Versions {
        short: env!("CARGO_PKG_VERSION").to_owned(),
        long: env!("FLAMENCO_VERSION").to_owned(),
        git: env!("FLAMENCO_COMMIT").to_owned(),
    };
    let parts = Parts {
        scripts: scripts_beside_program(),
        setup_assistant: arguments.setup_assistant,
        browser: somebody_is_watching().then(|| Arc::new(|url: &str| open::that_detached(url)) as Browser),
        development: (&arguments.development).into(),
        log,
        ..Parts::new(versions)
    };
    let run = flamenco_manager_core::run(config, listener, parts, cancel.clone());
    tokio::pin!(run);
    tokio::select! {
        result = &mut run => return Ok(result?),
        name = signals.next() => tracing::info!("{name} received, shutting down; once more to stop at once"),
    }
    cancel.cancel();
    tokio::select! {
        result = &mut run => Ok(result?),
        name = signals.next() => anyhow::bail!("{name} received again, stopped without waiting"),
    }
}

/// Whether a browser would be seen by the person who started this program: there is a terminal, and a display. A
/// service has neither, and what a script starts should not open windows.
fn somebody_is_watching() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let display = cfg!(any(windows, target_os = "macos")) || set("DISPLAY") || set("WAYLAND_DISPLAY");
    display && std::io::stderr().is_terminal()
}

/// The folder `scripts` beside the program: as it was started, and when that is a link, beside what it points to.
/// The folders need not exist; one that is made later is found.
fn scripts_beside_program() -> Vec<PathBuf> {
    let started = std::env::args_os().next().map(PathBuf::from).filter(|path| path.components().count() > 1);
    let programs = [started, std::env::current_exe().ok()];
    let mut folders: Vec<PathBuf> = programs
        .into_iter()
        .flatten()
        .filter_map(|path| Some(std::path::absolute(path.parent()?).ok()?.join("scripts")))
        .collect();
    folders.dedup();
    folders
}
