//! What people and CI do with the repository that is more than a shell command: `cargo xtask <command>`.

#[cfg(feature = "demo")]
mod address;
mod arrows;
#[cfg(feature = "demo")]
mod bench;
#[cfg(feature = "demo")]
mod children;
#[cfg(feature = "demo")]
mod demo;
mod generate;
mod unimplemented;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

/// Tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the Rust and Python code that follows from openapi.yaml.
    ///
    /// Writes pkg/api/src/generated, pkg/client/src/generated.rs and the generated modules of addon/flamenco/flamenco_client.
    /// Files that would not change are not touched.
    Generate {
        /// Write nothing; fail with a list of the files that would change. This is what CI runs.
        #[arg(long)]
        check: bool,
    },
    /// Check who depends on whom in the workspace.
    ///
    /// Fails on every dependency between our crates that the architecture does not have, and on every foreign crate
    /// that one of ours must not know.
    Arrows,
    /// Print the operations that the manager answers with 501, and their number.
    ///
    /// They are listed in internal/manager/tests/it/unimplemented.txt, one operationId a line; `#` starts a comment.
    /// Fails if the list names an operation that openapi.yaml does not have.
    Unimplemented,
    /// Start a farm in a throw-away folder and render a small job on it.
    ///
    /// Prints each frame as it lands, and at the end where everything is.
    #[cfg(feature = "demo")]
    Demo(demo::Arguments),
    /// Measure a manager under the load of simulated workers.
    ///
    /// Starts one in a throw-away folder, or measures one that runs already. Prints a table, and writes it as JSON and
    /// Markdown when asked to.
    #[cfg(feature = "demo")]
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let root = root()?;
    match command {
        Command::Generate { check } => generate::run(&root, check),
        Command::Arrows => arrows::run(&root),
        Command::Unimplemented => unimplemented::run(&root),
        #[cfg(feature = "demo")]
        Command::Demo(arguments) => demo::run(&root, &arguments),
        #[cfg(feature = "demo")]
        Command::Bench(arguments) => bench::run(&root, &arguments),
    }
}

/// The root of the repository, wherever below it the command is started.
fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map(Path::to_owned).context("this crate has to be at cmd/xtask")
}
