//! From settings as written to a configuration that can be used: paths, addresses, and what must fit together.

use std::path::{Path, PathBuf};
use std::time::Duration;

use flamenco_crosspath::{Platform, is_unc};

use super::node::Node;
use super::problem::Report;
use super::{
    Broker, Config, DEFAULT_SHARED_STORAGE, Database, DatabaseAddress, Environment, ListenAddress, Settings,
};

pub(super) const LISTEN_VARIABLE: &str = "FLAMENCO_LISTEN";
pub(super) const DATABASE_VARIABLE: &str = "FLAMENCO_DATABASE";
pub(super) const SHARED_STORAGE_VARIABLE: &str = "FLAMENCO_SHARED_STORAGE";

pub(super) const BROKER_KEY: &str = "mqtt.client.broker";
pub(super) const TOPIC_PREFIX_KEY: &str = "mqtt.client.topic_prefix";
/// Fewest characters of a token. Half as many could be guessed in a week, if they are random.
const SHORTEST_TOKEN: usize = 16;

/// A value and where it came from: a key of the file, or an environment variable.
struct Sourced<'a> {
    text: &'a str,
    name: &'a str,
    line: Option<usize>,
}

/// Reports every problem. Gives `None` when something is so wrong that there is nothing to build.
pub(super) fn resolve(
    settings: Settings,
    node: &Node,
    file: &Path,
    environment: &Environment,
    report: &mut Report,
) -> Option<Config> {
    let platform = Platform::current();
    let file = match std::path::absolute(file) {
        Ok(file) => file,
        Err(error) => {
            report.problem("", None, format!("the path of the file cannot be used: {error}"));
            return None;
        }
    };
    let base = file.parent().unwrap_or(&file).to_owned();
    let mut resolver = Resolver { base: &base, platform: &platform, node, report };

    let database_text = environment.database.as_ref().map(DatabaseAddress::expose);
    let database = resolver.sourced("database", settings.database.expose(), DATABASE_VARIABLE, database_text);
    let database = resolver.database(&database);
    let listen = resolver.sourced("listen", &settings.listen, LISTEN_VARIABLE, environment.listen.as_deref());
    let listen = resolver.listen(&listen);
    let storage = environment.shared_storage.as_deref();
    let shared = resolver.sourced(
        "shared_storage_path",
        &settings.shared_storage_path,
        SHARED_STORAGE_VARIABLE,
        storage,
    );
    let first_run = shared.text.trim().is_empty();
    let shared_storage =
        if first_run { Some(base.join(DEFAULT_SHARED_STORAGE)) } else { resolver.path(&shared) };
    // Until somebody has chosen a storage, the file store does not run.
    let has_shaman = settings.shaman.enabled && !first_run;
    let jobs_path = shared_storage.as_deref().and_then(|path| resolver.jobs_path(path, has_shaman));
    let local_storage = resolver.key("local_manager_storage_path", &settings.local_manager_storage_path);
    let local_storage = resolver.path(&local_storage);
    let scripts_paths = settings.scripts_paths.iter();
    let scripts_paths: Vec<_> =
        scripts_paths.filter_map(|path| resolver.path(&resolver.key("scripts_paths", path))).collect();
    resolver.check_limits(&settings);
    resolver.check_disk_limit(&settings);
    resolver.check_mqtt(&settings);
    resolver.check_access(&settings);

    Some(Config {
        first_run,
        listen: listen?,
        database: database?,
        local_storage: local_storage?,
        shared_storage: shared_storage?,
        jobs_path: jobs_path?,
        scripts_paths,
        settings,
        file,
        environment: environment.clone(),
        platform,
    })
}

struct Resolver<'a> {
    base: &'a Path,
    platform: &'a Platform,
    node: &'a Node,
    report: &'a mut Report,
}

impl<'a> Resolver<'a> {
    fn key<'v>(&self, key: &'v str, text: &'v str) -> Sourced<'v> {
        Sourced { text, name: key, line: self.node.line_of(key) }
    }

    fn sourced<'v>(
        &self,
        key: &'v str,
        text: &'v str,
        variable: &'v str,
        overruled: Option<&'v str>,
    ) -> Sourced<'v> {
        match overruled {
            Some(text) => Sourced { text, name: variable, line: None },
            None => self.key(key, text),
        }
    }

    fn problem(&mut self, value: &Sourced<'_>, message: impl Into<String>) {
        self.report.problem(value.name, value.line, message);
    }

    fn listen(&mut self, value: &Sourced<'_>) -> Option<ListenAddress> {
        ListenAddress::parse(value.text).map_err(|message| self.problem(value, message)).ok()
    }

    fn database(&mut self, value: &Sourced<'_>) -> Option<Database> {
        let text = value.text.trim();
        match text.split_once("://") {
            Some(("postgres" | "postgresql", rest)) if !rest.is_empty() => {
                Some(Database::Postgres(DatabaseAddress::new(text)))
            }
            Some((scheme, _)) => {
                let advice = "write the path of a file, or postgres://user:password@host/database";
                self.problem(value, format!("{scheme}:// is not a database this program knows; {advice}"));
                None
            }
            None => self.path(value).map(Database::Sqlite),
        }
    }

    /// An absolute path, relative to the directory of the file.
    fn path(&mut self, value: &Sourced<'_>) -> Option<PathBuf> {
        let text = value.text.trim();
        if text.is_empty() {
            self.problem(value, "must not be empty; write a path");
            return None;
        }
        if is_unc(text) {
            let message =
                "UNC paths are not supported by all programs; mount the share under a drive letter instead";
            self.report.warning(value.name, value.line, message);
        } else if !self.platform.is_windows() && has_drive(text) {
            let message = format!("{text:?} is a Windows path, but this manager runs on {}", self.platform);
            self.problem(value, format!("{message}; write the path as it is called here"));
            return None;
        }
        if text.starts_with("~/") {
            self.problem(value, "~ is not understood here; write the whole path of your home directory");
            return None;
        }
        // Leaves out the `.` in the middle, which would otherwise show wherever the path does.
        Some(self.base.join(text).components().collect())
    }

    /// The effective storage path, as text because it travels to other platforms.
    fn jobs_path(&mut self, shared_storage: &Path, shaman: bool) -> Option<String> {
        let path = if shaman { shared_storage.join("jobs") } else { shared_storage.to_owned() };
        match path.into_os_string().into_string() {
            Ok(path) => Some(path),
            Err(path) => {
                let message = format!("{path:?} is not Unicode; choose a path without such characters");
                self.report.problem("shared_storage_path", None, message);
                None
            }
        }
    }

    fn check_limits(&mut self, settings: &Settings) {
        if settings.script_time_limit == Duration::ZERO {
            let line = self.node.line_of("script_time_limit");
            self.report.problem(
                "script_time_limit",
                line,
                "must be longer than nothing; write for example \"5s\"",
            );
        }
    }

    fn check_disk_limit(&mut self, settings: &Settings) {
        if settings.worker_disk_limit > 100 {
            let line = self.node.line_of("worker_disk_limit");
            self.report.problem(
                "worker_disk_limit",
                line,
                "is a percentage; write at most 100, or 0 for no limit",
            );
        }
    }

    /// Warnings: a farm should not stand still because events cannot be told to somebody else.
    fn check_mqtt(&mut self, settings: &Settings) {
        let mqtt = &settings.mqtt;
        if !mqtt.enabled {
            return;
        }
        if let Err(why) = Broker::parse(&mqtt.broker) {
            let line = self.node.line_of(BROKER_KEY);
            self.report.warning(BROKER_KEY, line, format!("MQTT stays off: {why}"));
        }
        if mqtt.topic_prefix.contains(['+', '#', '\0']) {
            let message = "MQTT stays off: + and # are for subscribers; write the prefix without them";
            self.report.warning(TOPIC_PREFIX_KEY, self.node.line_of(TOPIC_PREFIX_KEY), message);
        }
    }

    fn check_access(&mut self, settings: &Settings) {
        let access = &settings.access;
        let tokens = [
            ("access.admin_token", &access.admin_token),
            ("access.artist_token", &access.artist_token),
            ("access.viewer_token", &access.viewer_token),
            ("access.registration_token", &access.registration_token),
        ];
        for (index, (key, token)) in tokens.iter().enumerate() {
            if token.expose().is_empty() {
                continue;
            }
            // Who knows one of two equal tokens knows the other.
            let same = tokens[..index].iter().find(|(_, other)| other == token).map(|(other, _)| *other);
            if let Some(message) = wrong_token(token.expose(), same) {
                self.report.problem(*key, self.node.line_of(key), message);
            }
        }
        for (key, token) in &tokens[1..3] {
            if !token.expose().is_empty() && access.admin_token.expose().is_empty() {
                let message = "has no effect while everybody is an admin; set access.admin_token too, or leave this \
                               one empty";
                self.report.problem(*key, self.node.line_of(key), message);
            }
        }
        for origin in &access.allowed_origins {
            let fits = origin.split_once("://").is_some_and(|(scheme, host)| {
                matches!(scheme, "http" | "https")
                    && !host.is_empty()
                    && !host.trim_end_matches('/').contains(['/', '@', '*'])
            });
            if !fits {
                let message = format!("{origin:?} is no origin; write https://host or http://host:port");
                let key = "access.allowed_origins";
                self.report.problem(key, self.node.line_of(key), message);
            }
        }
    }
}

/// What is wrong with a token. `same` is the key of another token that is the same.
fn wrong_token(token: &str, same: Option<&str>) -> Option<String> {
    if !token.chars().all(|letter| letter.is_ascii_graphic() && letter != ':') {
        Some("may only have ASCII letters, digits and signs, without blanks and colons".to_owned())
    } else if token.len() < SHORTEST_TOKEN {
        Some(format!("is too easy to guess; write at least {SHORTEST_TOKEN} characters"))
    } else {
        same.map(|other| format!("is the same as {other}, which is for other people; choose another one"))
    }
}

fn has_drive(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && characters.next() == Some(':')
        && characters.next().is_none_or(|c| matches!(c, '/' | '\\'))
}
