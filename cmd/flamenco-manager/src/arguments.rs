//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, CommandFactory, Parser, ValueEnum};
use flamenco_manager_core::Development;
use flamenco_manager_core::config::FILE_NAME;

const AFTER_HELP: &str = "\
Flags may be written with one dash or with two.

Examples:
  flamenco-manager                     Run with ./flamenco-manager.yaml, or defaults
  flamenco-manager -setup-assistant    Let the web page ask for the essentials once more
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

    /// Let the web page ask for shared storage and Blender, even if they are configured
    #[arg(long)]
    pub(crate) setup_assistant: bool,

    /// Check the database, also of a manager that runs, print what is wrong, and exit: 1 when something is
    #[arg(long)]
    pub(crate) check_database: bool,

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
    pub(crate) development: DevelopmentArguments,

    #[command(flatten)]
    pub(crate) check: CheckArguments,

    /// Print as JSON what would be printed as text
    #[arg(long, requires = "printing")]
    pub(crate) json: bool,
}

/// For those who work on Flamenco itself.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "For the development of Flamenco")]
pub(crate) struct DevelopmentArguments {
    /// Let answers of the API take a random time of up to a second
    #[arg(long)]
    delay: bool,

    /// Offer flame graphs at /debug/pprof/
    #[arg(long)]
    pprof: bool,

    /// Let pages of the web app's development server, on port 8081, use the API
    #[arg(long)]
    allow_web_development: bool,
}

impl From<&DevelopmentArguments> for Development {
    fn from(arguments: &DevelopmentArguments) -> Self {
        Self {
            delay: arguments.delay,
            profiler: arguments.pprof,
            allow_web_development: arguments.allow_web_development,
        }
    }
}

/// What `--check-script` needs to know.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "For authors of job types")]
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

/// Gives long flags with one dash their second, as existing scripts and service files write `-quiet`, and understands
/// switches with a value, as in `-quiet=true`.
fn with_two_dashes(arguments: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let command = Arguments::command();
    let is_switch = |argument: &clap::Arg| matches!(argument.get_action(), ArgAction::SetTrue);
    let switches: Vec<String> = command
        .get_arguments()
        .filter(|one| is_switch(one))
        .filter_map(clap::Arg::get_long)
        .map(str::to_owned)
        .collect();
    arguments.filter_map(move |argument| {
        let long = match argument.to_str() {
            Some(text) if text.starts_with("--") => text.to_owned(),
            Some(text) if text.len() > 2 && text.starts_with('-') => format!("-{text}"),
            _ => return Some(argument),
        };
        match long.split_once('=') {
            Some((name, value)) if switches.iter().any(|switch| name.strip_prefix("--") == Some(switch)) => {
                match value {
                    "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(name.into()),
                    "0" | "f" | "F" | "false" | "FALSE" | "False" => None,
                    // Refused, with the flag in the message.
                    _ => Some(long.into()),
                }
            }
            _ => Some(long.into()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for dashes in ["-", "--"] {
            let flags = ["setup-assistant", "delay", "pprof"].map(|name| format!("{dashes}{name}"));
            let parsed = parse(&flags.each_ref().map(String::as_str));
            let expected = Development { delay: true, profiler: true, allow_web_development: false };
            assert!(parsed.setup_assistant);
            assert_eq!(Development::from(&parsed.development), expected);
        }
        assert_eq!(Development::from(&parse(&[]).development), Development::default());
        let arguments = parse(&["-check-script", "x.js", "-settings", "{}", "-json"]);
        let (check, json) = (arguments.check, arguments.json);
        assert_eq!((check.check_script, json), (Some(PathBuf::from("x.js")), true));
        assert_eq!((check.settings.as_deref(), check.job_name.as_str()), (Some("{}"), "check"));
    }

    #[test]
    fn switches_may_have_a_value() {
        let parsed = parse(&["-quiet=true", "--pprof=1", "-delay=false", "--setup-assistant=0"]);
        assert!(parsed.quiet && !parsed.setup_assistant);
        let expected = Development { profiler: true, ..Development::default() };
        assert_eq!(Development::from(&parsed.development), expected);
        let wrong = ["flamenco-manager", "-quiet=maybe"].map(OsString::from);
        assert!(Arguments::try_parse_from(with_two_dashes(wrong.into_iter())).is_err());
        let text = parse(&["-check-script", "x.js", "-settings", "quiet=false"]).check.settings;
        assert_eq!(text.as_deref(), Some("quiet=false"), "values of others stay as they are");
    }
}
