//! The configuration: one YAML file, read once, checked completely, and passed to whoever needs it.
//!
//! ```text
//! flamenco-manager.yaml ─► Node (what was written, with lines) ─► Settings (typed) ─► Config (resolved, checked)
//!        ▲                                                              │
//!        └───────────────── save: the default file, with these values ◄─┘
//! ```
//!
//! A mistake never hides another: everything that is wrong is named at once, with its line and with what to write
//! instead. What only looks wrong is a warning. All paths are relative to the directory of the file. Keys that are
//! missing have their default, and a missing file is a farm with all defaults, which works.
//!
//! Three environment variables overrule the file ([`Environment`]). They are never written to it.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use flamenco_crosspath::Platform;
use flamenco_domain::variables::Variables;

mod broker;
mod definitions;
mod listen;
mod node;
mod problem;
mod resolve;
mod save;
mod secret;
mod section;
mod settings;
mod state;
mod yaml;

pub use broker::{Broker, BrokerTransport};
pub use listen::ListenAddress;
pub use problem::{ConfigError, Problem};
pub use secret::{DatabaseAddress, MASK, Secret};
pub use settings::{AccessSettings, MqttSettings, Secrets, Settings, ShamanSettings};
pub use state::{Origin, SettingState};

use node::Node;
use problem::Report;

/// The usual name of the file.
pub const FILE_NAME: &str = "flamenco-manager.yaml";

/// The file that documents every key, with its default.
pub const DEFAULT_FILE: &str = include_str!("config/default.yaml");

/// Where the shared storage is while nobody has set it up.
pub const DEFAULT_SHARED_STORAGE: &str = "flamenco-shared-storage";

/// What environment variables say. An empty one counts as not set.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `FLAMENCO_LISTEN` overrules `listen`.
    pub listen: Option<String>,
    /// `FLAMENCO_DATABASE` overrules `database`.
    pub database: Option<DatabaseAddress>,
    /// `FLAMENCO_SHARED_STORAGE` overrules `shared_storage_path`.
    pub shared_storage: Option<String>,
}

impl Environment {
    /// The variables of this process.
    pub fn from_process() -> Self {
        let get = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        Self {
            listen: get(resolve::LISTEN_VARIABLE),
            database: get(resolve::DATABASE_VARIABLE).map(DatabaseAddress::new),
            shared_storage: get(resolve::SHARED_STORAGE_VARIABLE),
        }
    }
}

/// Which database to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// The embedded database, in this file.
    Sqlite(PathBuf),
    /// A PostgreSQL server, by URL.
    Postgres(DatabaseAddress),
}

/// A configuration that can be used: everything is checked, every path absolute.
///
/// What has nothing to resolve (timeouts, thresholds, switches) is read from `settings`. Where a field here and one in
/// `settings` have the same name, the one here counts: it also knows the environment.
#[derive(Debug, Clone)]
pub struct Config {
    /// The settings as in the file, for showing, changing and writing them.
    pub settings: Settings,
    /// The file, absolute. It need not exist.
    pub file: PathBuf,
    /// What the environment overrules.
    pub environment: Environment,
    /// The platform this manager runs on.
    pub platform: Platform,
    /// Whether nobody has chosen a shared storage yet, so that the setup assistant should ask.
    pub first_run: bool,
    /// Where to listen.
    pub listen: ListenAddress,
    /// The database.
    pub database: Database,
    /// Where logs and images are kept.
    pub local_storage: PathBuf,
    /// The shared storage; beside the file as long as nobody has chosen one.
    pub shared_storage: PathBuf,
    /// Where submitted files are kept, below the shared storage: the value of the variable `jobs`.
    pub jobs_path: String,
    /// Directories with further job types.
    pub scripts_paths: Vec<PathBuf>,
}

/// A configuration, and what looks wrong about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// To be logged or shown; nothing here prevents anything from working.
    pub warnings: Vec<Problem>,
}

impl Config {
    /// Reads a file. One that does not exist has all defaults.
    ///
    /// # Errors
    /// When the file cannot be read, or with everything that is wrong in it.
    pub fn load(file: &Path, environment: &Environment) -> Result<Loaded, ConfigError> {
        let text = match std::fs::read_to_string(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::File { action: "read", file: file.to_owned(), source }),
            Ok(text) => text,
        };
        Self::parse(&text, file, environment)
    }

    /// As [`Config::load`], from a text that would be in the file.
    ///
    /// # Errors
    /// Everything that is wrong in the text.
    pub fn parse(text: &str, file: &Path, environment: &Environment) -> Result<Loaded, ConfigError> {
        let node = Node::from_yaml(text).map_err(|(line, message)| {
            let message = format!("this is not YAML: {message}");
            let problem = Problem { key: String::new(), line: Some(line), message };
            ConfigError::Invalid { file: file.to_owned(), problems: vec![problem], warnings: Vec::new() }
        })?;
        let report = RefCell::default();
        let settings = Settings::read(&node, true, &report);
        Self::check(settings, &node, file, environment, report.into_inner())
    }

    /// The configuration that a restart of the manager puts in force: what the file says now, or this one as long as
    /// there is no file. Blocks while the disk works.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn reload(&self) -> Result<Loaded, ConfigError> {
        match self.file.try_exists() {
            Ok(false) => {
                let config = Self { first_run: !self.has_shared_storage(), ..self.clone() };
                Ok(Loaded { config, warnings: Vec::new() })
            }
            _ => Self::load(&self.file, &self.environment),
        }
    }

    /// How every setting stands in a manager that started with this configuration and has `live` in force as far as
    /// that goes without a restart; and what is wrong with the file, if anything is. Blocks while the disk works.
    #[must_use]
    pub fn states(&self, live: &Self) -> (Vec<SettingState>, Option<ConfigError>) {
        // What cannot be read has nothing written in it; why it cannot is told by the reload.
        let written = std::fs::read_to_string(&self.file).ok().and_then(|text| Node::from_yaml(&text).ok());
        let written = written.unwrap_or_else(|| Node::from_json(&serde_json::Value::Null));
        match live.reload() {
            Ok(loaded) => (state::states(self, live, &loaded.config, &written), None),
            Err(error) => (state::states(self, live, live, &written), Some(error)),
        }
    }

    /// This configuration with other settings, from JSON of the shape of [`Config::to_json`]. What is absent has its
    /// default. A masked secret stands for the current one.
    ///
    /// # Errors
    /// Everything that is wrong in the JSON.
    pub fn with_json(&self, json: &serde_json::Value) -> Result<Loaded, ConfigError> {
        let node = Node::from_json(json);
        let report = RefCell::default();
        let mut settings = Settings::read(&node, false, &report);
        settings.keep_masked_secrets(&self.settings);
        if json.get("access").is_none() {
            // A program that does not know these settings must not open the farm to everybody by saving its own.
            settings.access = self.settings.access.clone();
        }
        let loaded = Self::check(settings, &node, &self.file, &self.environment, report.into_inner())?;
        // Whoever changes settings is there to correct them.
        let (problems, warnings): (Vec<_>, _) = loaded.warnings.into_iter().partition(|warning| {
            [resolve::BROKER_KEY, resolve::TOPIC_PREFIX_KEY].contains(&warning.key.as_str())
        });
        if problems.is_empty() {
            return Ok(Loaded { config: loaded.config, warnings });
        }
        Err(ConfigError::Invalid { file: self.file.clone(), problems, warnings })
    }

    /// This configuration with other settings.
    ///
    /// # Errors
    /// Everything that is wrong with the settings.
    pub fn with_settings(&self, settings: Settings) -> Result<Loaded, ConfigError> {
        // By way of the tree, so that the same checks apply as to a file.
        let node = settings.to_node(Secrets::Shown);
        let report = RefCell::default();
        let settings = Settings::read(&node, false, &report);
        Self::check(settings, &node, &self.file, &self.environment, report.into_inner())
    }

    fn check(
        settings: Settings,
        node: &Node,
        file: &Path,
        environment: &Environment,
        mut report: Report,
    ) -> Result<Loaded, ConfigError> {
        let config = resolve::resolve(settings, node, file, environment, &mut report);
        let Report { mut problems, mut warnings } = report;
        // Found by key and then by meaning; people fix a file from top to bottom.
        problems.sort_by_key(|problem| problem.line);
        warnings.sort_by_key(|warning| warning.line);
        match config {
            Some(config) if problems.is_empty() => Ok(Loaded { config, warnings }),
            _ => Err(ConfigError::Invalid { file: file.to_owned(), problems, warnings }),
        }
    }

    /// Whether somebody has chosen a shared storage.
    pub fn has_shared_storage(&self) -> bool {
        self.environment.shared_storage.is_some() || !self.settings.shared_storage_path.trim().is_empty()
    }

    /// The directory that relative paths are relative to.
    pub fn directory(&self) -> &Path {
        self.file.parent().unwrap_or(&self.file)
    }

    /// The variables of the farm, with `jobs`.
    pub fn variables(&self) -> Variables {
        Variables::new(&self.settings.variables, &self.platform, self.jobs_path.as_str())
    }

    /// The settings as JSON, with the keys of the file. Secrets are masked unless asked for.
    pub fn to_json(&self, secrets: Secrets) -> serde_json::Value {
        self.settings.to_node(secrets).to_json()
    }

    /// The settings as they are written to the file, secrets included.
    pub fn to_yaml(&self, now: DateTime<Utc>) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let date = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        format!(
            "# Configuration of Flamenco Manager.\n\
             # Written by version {version} on {date}. The settings page and the setup assistant write it\n\
             # again: they keep your values, but not your comments.\n\n{}",
            yaml::render(&self.settings.to_node(Secrets::Shown))
        )
    }

    /// Writes the settings to the file, readable only by its owner. Whatever happens, the file is either the old or
    /// the new one. Blocks while the disk works.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save(&self, now: DateTime<Utc>) -> Result<(), ConfigError> {
        save::replace(&self.file, &self.to_yaml(now)).map_err(|source| ConfigError::File {
            action: "write",
            file: self.file.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests;
