//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use flamenco_manager_core::config::FILE_NAME;

const AFTER_HELP: &str = "\
Flags may be written with one dash or with two.

Examples:
  flamenco-manager                     Run with ./flamenco-manager.yaml, or defaults
  flamenco-manager -write-config       Write that file, with every setting explained
  flamenco-manager --config /etc/flamenco/farm.yaml --log-format json
  flamenco-manager -shaman-gc-show         Print which stored files nobody needs
  flamenco-manager --check-script my_type.js --settings @settings.json

Environment variables, which overrule the configuration file:
  FLAMENCO_LISTEN          Host and port, for example :8080 or 127.0.0.1:8080
  FLAMENCO_DATABASE        SQLite file, or postgres://user:password@host/database
  FLAMENCO_SHARED_STORAGE  Directory that all workers can reach";

/// The manager of a Flamenco render farm.
#[derive(Debug, Parser)]
#[command(name = "flamenco-manager", version = env!("FLAMENCO_VERSION"), after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The configuration file; paths in it are relative to its directory
    #[arg(long, value_name = "FILE", default_value = FILE_NAME)]
    pub(crate) config: PathBuf,

    /// Write the configuration to its file, with every setting explained, and exit
    #[arg(long)]
    pub(crate) write_config: bool,

    /// Log only warnings and errors
    #[arg(long)]
    pub(crate) quiet: bool,

    /// Log more
    #[arg(long)]
    pub(crate) debug: bool,

    /// Log everything
    #[arg(long)]
    pub(crate) trace: bool,

    /// How to write log lines, to standard error
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// Print the stored files that garbage collection would delete, and exit
    #[arg(long, group = "printing")]
    pub(crate) shaman_gc_show: bool,

    /// Delete the stored files that no job has used for long, once, and exit
    #[arg(long, group = "printing")]
    pub(crate) shaman_gc_delete: bool,

    #[command(flatten)]
    pub(crate) check: CheckArguments,

    /// Print as JSON what would be printed as text
    #[arg(long, requires = "printing")]
    pub(crate) json: bool,
}

/// What `--check-script` needs to know.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArguments {
    /// Compile a job with this job type script, without a farm, print its tasks, and exit
    #[arg(long, value_name = "FILE", group = "printing")]
    pub(crate) check_script: Option<PathBuf>,

    /// Settings of that job, as JSON or as @FILE; without it, the defaults in the script
    #[arg(long, value_name = "JSON", requires = "check_script")]
    pub(crate) settings: Option<String>,

    /// Name of that job
    #[arg(long, value_name = "NAME", requires = "check_script", default_value = "check")]
    pub(crate) job_name: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

impl Arguments {
    /// The arguments of this process. Prints and exits when they are wrong, and for `-help` and `-version`.
    pub(crate) fn read() -> Self {
        Self::parse_from(with_two_dashes(std::env::args_os()))
    }
}

/// Gives long flags with one dash their second, as existing scripts and service files write `-quiet`.
fn with_two_dashes(arguments: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    arguments.map(|argument| match argument.to_str() {
        Some(text) if text.len() > 2 && text.starts_with('-') && !text.starts_with("--") => {
            format!("-{text}").into()
        }
        _ => argument,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(arguments: &[&str]) -> Arguments {
        let arguments = ["flamenco-manager"].iter().chain(arguments).map(OsString::from);
        Arguments::try_parse_from(with_two_dashes(arguments)).unwrap()
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        Arguments::command().debug_assert();
        for dashes in ["-", "--"] {
            let flag = |name: &str| format!("{dashes}{name}");
            let arguments =
                parse(&[&flag("quiet"), &flag("trace"), &flag("write-config"), &flag("config"), "x.yaml"]);
            assert!(arguments.quiet && arguments.trace && arguments.write_config && !arguments.debug);
            assert_eq!(arguments.config, PathBuf::from("x.yaml"));
            assert_eq!(parse(&[&flag("config=y.yaml")]).config, PathBuf::from("y.yaml"));
        }
        assert_eq!(parse(&[]).config, PathBuf::from("flamenco-manager.yaml"));
        let arguments = parse(&["-check-script", "x.js", "-settings", "{}", "-json"]);
        let (check, json) = (arguments.check, arguments.json);
        assert_eq!((check.check_script, json), (Some(PathBuf::from("x.js")), true));
        assert_eq!((check.settings.as_deref(), check.job_name.as_str()), (Some("{}"), "check"));
    }
}
