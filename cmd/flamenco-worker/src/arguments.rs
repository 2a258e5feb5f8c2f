//! The command line. Long flags may have one dash or two: existing service files use one.

use std::ffi::OsString;

use clap::Parser;
use flamenco_worker_core::CommandLine;
use tracing::Level;

/// Runs tasks of a render farm on this machine.
///
/// The worker asks the manager for tasks, runs their commands (Blender, FFmpeg, ...), and reports. It stops in good
/// order on Ctrl+C or SIGTERM.
#[derive(Debug, Parser)]
#[command(
    name = "flamenco-worker",
    disable_version_flag = true,
    after_help = "Flags may be written with one dash or two.\n\n\
        Settings are read from flamenco-worker.yaml in the working directory, if it is there. Keys: worker_name, \
        manager_url, task_types (default: blender, ffmpeg, file-management, misc), restart_exit_code, \
        oom_score_adjust, command_time_limit, silence_limit (such as 90s, 30m, 2h).\n\n\
        Environment: FLAMENCO_HOME is the directory for the credentials and the queue of task updates (default: \
        ~/.local/share/flamenco). FLAMENCO_WORKER_NAME is the name, if the file gives none (default: the name of \
        this machine). To run several workers on one machine, give each its own FLAMENCO_HOME and name.\n\n\
        Exit code: 0 after stopping in good order, 1 when something is wrong, 2 for a wrong command line, or the \
        restart exit code."
)]
pub struct Arguments {
    /// Address of the manager, such as http://manager:8080/; overrides manager_url. Without either, the worker searches
    /// the network for ten minutes
    #[arg(long, value_name = "URL")]
    manager: Option<String>,

    /// Search the network for a manager, print its address, and exit
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false",
        value_parser = parse_bool, value_name = "BOOL", hide_default_value = true)]
    pub find_manager: bool,

    /// Exit with this code when the manager asks for a restart, for whoever starts the worker again; overrides
    /// restart_exit_code, and 0 means that nobody does
    #[arg(long, value_name = "CODE")]
    restart_exit_code: Option<u8>,

    /// Ignore the stored credentials, and register as a new worker
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false",
        value_parser = parse_bool, value_name = "BOOL", hide_default_value = true)]
    register: bool,

    /// Only sign on, deliver the task updates that are queued, and sign off
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false",
        value_parser = parse_bool, value_name = "BOOL", hide_default_value = true)]
    flush: bool,

    /// Log only warnings and errors
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false",
        value_parser = parse_bool, value_name = "BOOL", hide_default_value = true)]
    quiet: bool,

    /// Log more, such as every line of output of the programs
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false",
        value_parser = parse_bool, value_name = "BOOL", hide_default_value = true)]
    debug: bool,

    /// Log everything
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false",
        value_parser = parse_bool, value_name = "BOOL", hide_default_value = true)]
    trace: bool,

    /// Print the version, and exit
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false",
        value_parser = parse_bool, value_name = "BOOL", hide_default_value = true)]
    pub version: bool,
}

impl Arguments {
    /// The most talkative level that was asked for.
    pub fn level(&self) -> Level {
        match (self.trace, self.debug, self.quiet) {
            (true, _, _) => Level::TRACE,
            (_, true, _) => Level::DEBUG,
            (_, _, true) => Level::WARN,
            _ => Level::INFO,
        }
    }

    /// What concerns the worker itself.
    pub fn command_line(&self) -> CommandLine {
        CommandLine {
            manager_url: self.manager.clone(),
            restart_exit_code: self.restart_exit_code,
            register_again: self.register,
            flush_only: self.flush,
        }
    }
}

fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

/// Gives long flags with one dash their second one. Values stay as they are.
pub fn normalise(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    arguments
        .into_iter()
        .map(|argument| match argument.to_str().and_then(|text| text.strip_prefix('-')) {
            Some(flag) if flag.len() > 1 && flag.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                OsString::from(format!("--{flag}"))
            }
            _ => argument,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        let all = std::iter::once("flamenco-worker").chain(arguments.iter().copied()).map(OsString::from);
        Arguments::try_parse_from(normalise(all))
    }

    #[test]
    fn one_dash_is_as_good_as_two() {
        let variants: [&[&str]; 4] = [
            &["-manager", "http://m/", "-restart-exit-code", "47"],
            &["--manager", "http://m/", "--restart-exit-code", "47"],
            &["-manager=http://m/", "-restart-exit-code=47"],
            &["--manager=http://m/", "--restart-exit-code=47"],
        ];
        for arguments in variants {
            let line = parse(arguments).unwrap().command_line();
            assert_eq!(line.manager_url.as_deref(), Some("http://m/"));
            assert_eq!(line.restart_exit_code, Some(47));
        }
    }

    #[test]
    fn booleans_may_have_a_value() {
        let cases = [("-flush", true), ("--flush", true), ("-flush=true", true), ("-flush=0", false)];
        for (argument, expected) in cases {
            assert_eq!(parse(&[argument]).unwrap().command_line().flush_only, expected, "{argument}");
        }
        assert!(!parse(&[]).unwrap().flush);
        for flag in ["-find-manager", "--find-manager"] {
            assert!(parse(&[flag]).unwrap().find_manager);
        }
        assert!(parse(&["-flush=maybe"]).is_err());
    }

    #[test]
    fn the_most_talkative_level_wins() {
        let cases: [(&[&str], Level); 5] = [
            (&[], Level::INFO),
            (&["-quiet"], Level::WARN),
            (&["-quiet", "-debug"], Level::DEBUG),
            (&["-debug", "-trace"], Level::TRACE),
            (&["-debug=false"], Level::INFO),
        ];
        for (arguments, expected) in cases {
            assert_eq!(parse(arguments).unwrap().level(), expected, "{arguments:?}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_exit_code_2() {
        let cases: [&[&str]; 4] =
            [&["-no-such-flag"], &["positional"], &["-restart-exit-code", "256"], &["-manager"]];
        for arguments in cases {
            assert_eq!(parse(arguments).unwrap_err().exit_code(), 2, "{arguments:?}");
        }
        for help in ["-h", "-help", "--help"] {
            assert_eq!(parse(&[help]).unwrap_err().exit_code(), 0, "{help}");
        }
    }
}
