//! Configuration: command line over configuration file over environment, validated once.

mod file;
mod home;
mod manager_url;

use std::ffi::OsString;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use file::FileError;
use flamenco_logtail::LogTail;
pub use home::HomeError;
pub(crate) use home::{HomeLock, write_private};
pub use manager_url::UrlError;

/// Name of the configuration file, looked for in the working directory.
pub const CONFIG_FILE: &str = "flamenco-worker.yaml";

/// Everything the worker needs to know to start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the manager is, such as `http://manager:8080/`.
    pub manager_url: String,
    /// Where to search for the manager again when it is lost, for a worker that found it by searching. `None` when
    /// its address was given: then it stays there.
    pub search_group: Option<SocketAddrV4>,
    /// The name that people see.
    pub worker_name: String,
    /// The types of tasks this worker takes.
    pub task_types: Vec<String>,
    /// The exit code that makes whoever started the worker start it again; `None` if nobody does.
    pub restart_exit_code: Option<u8>,
    /// Linux: how readily the system kills the programs of a task when memory runs out, -1000 to 1000.
    pub oom_score_adjust: Option<i32>,
    /// A program of a task that runs for longer is stopped, and the task fails.
    pub command_time_limit: Option<Duration>,
    /// A program of a task that writes nothing for longer is stopped, and the task fails.
    pub silence_limit: Option<Duration>,
    /// The program that ends what a killed worker leaves behind: the worker's own, started with
    /// [`crate::GUARD_ARGUMENT`]. `None` for no such guard.
    pub guard: Option<PathBuf>,
    /// Directory of credentials, queue and lock.
    pub home: PathBuf,
    /// Version that the manager shows.
    pub software_version: String,
    /// Ignore the stored credentials, and register as a new worker.
    pub register_again: bool,
    /// Only deliver what is queued, then stop.
    pub flush_only: bool,
    /// The end of the log of this program, for the manager to show. Empty when nobody writes to it.
    pub own_log: LogTail,
    /// How often what is done.
    pub pace: Pace,
}

/// The intervals of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long the manager is asked to hold a request for a task open when there is none.
    pub task_wait: Duration,
    /// Pause after "no task" from a manager that does not hold the request open: at first.
    pub idle_first: Duration,
    /// The same, at most. Well below the manager's worker timeout of 60 s.
    pub idle_most: Duration,
    /// Between two looks at the requested state while asleep.
    pub asleep_poll: Duration,
    /// Between two questions whether a task may go on.
    pub may_i_run: Duration,
    /// How long a line of a task's log waits for more lines.
    pub log_age: Duration,
    /// Between two reports of how this machine is doing.
    pub machine_load: Duration,
    /// Between two reports of what changes slowly.
    pub machine_state: Duration,
    /// How long a manager that was found by searching is silent before it is searched again.
    pub lost_after: Duration,
    /// How long delivering what is queued may take when the worker stops.
    pub flush_at_exit: Duration,
    /// How long signing off may take.
    pub sign_off: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            task_wait: Duration::from_secs(20),
            idle_first: Duration::from_secs(1),
            idle_most: Duration::from_secs(20),
            asleep_poll: Duration::from_secs(3),
            may_i_run: Duration::from_secs(5),
            log_age: Duration::from_secs(1),
            machine_load: Duration::from_secs(5),
            machine_state: Duration::from_secs(60),
            lost_after: Duration::from_secs(90),
            flush_at_exit: Duration::from_secs(5),
            sign_off: Duration::from_secs(3),
        }
    }
}

/// What was given on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Overrides `manager_url`.
    pub manager_url: Option<String>,
    /// Overrides `restart_exit_code`.
    pub restart_exit_code: Option<u8>,
    /// See [`Config::register_again`].
    pub register_again: bool,
    /// See [`Config::flush_only`].
    pub flush_only: bool,
}

/// Why the worker cannot start as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The configuration file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A manager address makes no sense.
    #[error("{origin}: {source}")]
    ManagerUrl {
        /// Where the address comes from.
        origin: String,
        /// What is wrong with it.
        source: UrlError,
    },
    /// Nobody said where the manager is: it has to be [found](crate::find_manager) first.
    #[error(
        "no manager given: start with -manager http://<host>:8080/, or write manager_url: http://<host>:8080/ into \
         {file}",
        file = .0.display()
    )]
    NoManager(PathBuf),
    /// The machine has no usable name, and none was given.
    #[error(
        "this machine's name cannot be read ({0}): give the worker a name, with worker_name in {CONFIG_FILE} or \
         with FLAMENCO_WORKER_NAME"
    )]
    NoName(String),
    /// The home directory cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
}

impl Config {
    /// Reads the configuration file of `directory`, if there is one, and puts everything together. Creates the home
    /// directory. `environment` looks up a variable.
    ///
    /// # Errors
    /// Names what is wrong, where, and what to write instead.
    pub fn load(
        command_line: &CommandLine,
        directory: &Path,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let path = directory.join(CONFIG_FILE);
        let file = file::read(&path)?;
        let (origin, address) = match (&command_line.manager_url, file.manager_url) {
            (Some(address), _) => ("-manager".to_owned(), address.clone()),
            (None, Some(address)) => (format!("{}: manager_url", path.display()), address),
            (None, None) => return Err(ConfigError::NoManager(path)),
        };
        let manager_url =
            manager_url::normalise(&address).map_err(|source| ConfigError::ManagerUrl { origin, source })?;
        // Only now: this is called again when no manager was given and one is found.
        for warning in &file.warnings {
            tracing::warn!("{warning}");
        }
        let restart_exit_code = command_line.restart_exit_code.or(file.restart_exit_code);
        Ok(Self {
            manager_url,
            search_group: None,
            worker_name: worker_name(file.worker_name, environment)?,
            task_types: file.task_types,
            restart_exit_code: restart_exit_code.filter(|code| *code != 0),
            oom_score_adjust: file.oom_score_adjust,
            command_time_limit: file.command_time_limit,
            silence_limit: file.silence_limit,
            guard: None,
            home: home::find(environment)?,
            software_version: software_version(),
            register_again: command_line.register_again,
            flush_only: command_line.flush_only,
            own_log: LogTail::default(),
            pace: Pace::default(),
        })
    }
}

/// The version of this worker.
pub fn software_version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

fn worker_name(
    from_file: Option<String>,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<String, ConfigError> {
    let from_environment =
        || environment("FLAMENCO_WORKER_NAME").map(|name| name.to_string_lossy().trim().to_owned());
    let given = from_file.into_iter().chain(from_environment()).find(|name| !name.is_empty());
    match given {
        Some(name) => Ok(name),
        None => host_name().map_err(ConfigError::NoName),
    }
}

fn host_name() -> Result<String, String> {
    let name = nix::unistd::gethostname().map_err(|error| error.to_string())?;
    let name = name.to_string_lossy().trim().to_owned();
    if name.is_empty() { Err("it is empty".to_owned()) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Setup {
        directory: tempfile::TempDir,
        variables: Vec<(&'static str, String)>,
    }

    impl Setup {
        fn new(file: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join(CONFIG_FILE), file).unwrap();
            let home = directory.path().join("home").to_str().unwrap().to_owned();
            Self { directory, variables: vec![("FLAMENCO_HOME", home)] }
        }

        fn load(&self, command_line: &CommandLine) -> Result<Config, ConfigError> {
            let lookup = |name: &str| {
                self.variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
            };
            Config::load(command_line, self.directory.path(), &lookup)
        }
    }

    fn manager(url: &str) -> CommandLine {
        CommandLine { manager_url: Some(url.to_owned()), ..CommandLine::default() }
    }

    #[test]
    fn defaults() {
        let setup = Setup::new("");
        let config = setup.load(&manager("farm")).unwrap();
        assert_eq!(config.manager_url, "http://farm/");
        assert_eq!(config.task_types, ["blender", "ffmpeg", "file-management", "misc"]);
        assert_eq!((config.restart_exit_code, config.oom_score_adjust), (None, None));
        assert_eq!(config.worker_name, host_name().unwrap());
        assert!(config.home.is_dir());
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let setup = Setup::new("manager_url: filehost:1234\nrestart_exit_code: 47\nworker_name: ' node '\n");
        let from_file = setup.load(&CommandLine::default()).unwrap();
        assert_eq!(from_file.manager_url, "http://filehost:1234");
        assert_eq!((from_file.restart_exit_code, from_file.worker_name.as_str()), (Some(47), "node"));
        let typed = CommandLine { restart_exit_code: Some(3), ..manager("https://typed/sub") };
        let overridden = setup.load(&typed).unwrap();
        assert_eq!(overridden.manager_url, "https://typed/sub");
        assert_eq!(overridden.restart_exit_code, Some(3));
        let off = CommandLine { restart_exit_code: Some(0), ..manager("x") };
        assert_eq!(setup.load(&off).unwrap().restart_exit_code, None);
    }

    #[test]
    fn the_name_comes_from_file_environment_or_machine() {
        let mut setup = Setup::new("worker_name: '  '");
        setup.variables.push(("FLAMENCO_WORKER_NAME", " from env ".to_owned()));
        assert_eq!(setup.load(&manager("x")).unwrap().worker_name, "from env");
        setup.variables.pop();
        setup.variables.push(("FLAMENCO_WORKER_NAME", "  ".to_owned()));
        assert_eq!(setup.load(&manager("x")).unwrap().worker_name, host_name().unwrap());
    }

    #[test]
    fn errors_say_what_to_do() {
        let error = Setup::new("").load(&CommandLine::default()).unwrap_err().to_string();
        assert!(error.contains("-manager") && error.contains(CONFIG_FILE), "{error}");
        let error = Setup::new("manager_url: ':80'").load(&CommandLine::default()).unwrap_err().to_string();
        assert!(error.contains("manager_url") && error.contains("host name"), "{error}");
    }
}
