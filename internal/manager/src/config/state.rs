//! The settings as they are in force, beside their defaults and where each comes from.

use std::path::Path;

use super::node::{Content, Node};
use super::resolve::{DATABASE_VARIABLE, LISTEN_VARIABLE, SHARED_STORAGE_VARIABLE};
use super::{Config, Database, DatabaseAddress, Environment, Secrets, Settings};

/// Settings, and sections of them, that are only looked at when the manager starts.
const AT_RESTART: [&str; 8] = [
    "database",
    "listen",
    "autodiscoverable",
    "local_manager_storage_path",
    "shared_storage_path",
    "shaman",
    "scripts_paths",
    "script_time_limit",
];
/// Not settings of this kind: the version of the file, and what the farm defines itself.
const LEFT_OUT: [&str; 2] = ["_meta", "variables"];

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It is written nowhere.
    Default,
    /// It is written in the configuration file.
    File,
    /// This environment variable overrules the file.
    Environment(&'static str),
}

/// A setting, as text and with secrets masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingState {
    /// Its key with those around it.
    pub key: String,
    /// What is in force.
    pub value: String,
    /// What holds when nothing is written.
    pub default: String,
    /// Where the value in force comes from.
    pub origin: Origin,
    /// A change takes effect only at the next start.
    pub at_restart: bool,
    /// The file says something else by now.
    pub waiting: bool,
}

/// Every setting but the variables, in the order of the file: of a manager that started with `started`, has `live` in
/// force as far as that goes without a restart, and would start with `next`, of which `written` is in the file.
pub(super) fn states(started: &Config, live: &Config, next: &Config, written: &Node) -> Vec<SettingState> {
    let defaults = flat(&Settings::default().to_node(Secrets::Masked));
    let masked = [values(started, Secrets::Masked), values(live, Secrets::Masked)];
    let shown = [values(started, Secrets::Shown), values(live, Secrets::Shown)];
    let wanted = values(next, Secrets::Shown);
    let mut states = Vec::with_capacity(wanted.len());
    for (index, (key, wanted)) in wanted.into_iter().enumerate() {
        let at_restart = is_at_restart(&key);
        let in_force = usize::from(!at_restart);
        // The lists all have the keys of the same tree.
        let at =
            |list: &[(String, String)]| list.get(index).map(|(_, value)| value.clone()).unwrap_or_default();
        let origin = match overruled_by(&key, &started.environment) {
            Some(variable) => Origin::Environment(variable),
            None if written.line_of(&key).is_some() => Origin::File,
            None => Origin::Default,
        };
        states.push(SettingState {
            value: at(&masked[in_force]),
            default: at(&defaults),
            origin,
            at_restart,
            waiting: at(&shown[in_force]) != wanted,
            key,
        });
    }
    states
}

fn is_at_restart(key: &str) -> bool {
    AT_RESTART.contains(&key.split('.').next().unwrap_or(key))
}

fn overruled_by(key: &str, environment: &Environment) -> Option<&'static str> {
    match key {
        "database" => environment.database.as_ref().map(|_| DATABASE_VARIABLE),
        "listen" => environment.listen.as_ref().map(|_| LISTEN_VARIABLE),
        "shared_storage_path" => environment.shared_storage.as_ref().map(|_| SHARED_STORAGE_VARIABLE),
        _ => None,
    }
}

/// The values that a configuration puts in force.
fn values(config: &Config, secrets: Secrets) -> Vec<(String, String)> {
    let mut values = flat(&config.settings.to_node(secrets));
    for (key, value) in &mut values {
        match key.as_str() {
            "database" => *value = database(&config.database, secrets),
            "listen" => *value = config.listen.to_string(),
            "local_manager_storage_path" => *value = path(&config.local_storage),
            "shared_storage_path" => *value = path(&config.shared_storage),
            _ => {}
        }
    }
    values
}

fn database(database: &Database, secrets: Secrets) -> String {
    match (database, secrets) {
        (Database::Sqlite(file), _) => path(file),
        (Database::Postgres(address), Secrets::Masked) => DatabaseAddress::masked(address),
        (Database::Postgres(address), Secrets::Shown) => address.expose().to_owned(),
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// The leaves of a tree with their whole keys. A list is one leaf, with one item a line.
fn flat(tree: &Node) -> Vec<(String, String)> {
    let mut leaves = Vec::new();
    if let Content::Map(entries) = &tree.content {
        for entry in entries.iter().filter(|entry| !LEFT_OUT.contains(&entry.key.as_str())) {
            gather(&entry.key, &entry.value, &mut leaves);
        }
    }
    leaves
}

fn gather(key: &str, node: &Node, leaves: &mut Vec<(String, String)>) {
    let text = match &node.content {
        Content::Map(entries) => {
            for entry in entries {
                gather(&format!("{key}.{}", entry.key), &entry.value, leaves);
            }
            return;
        }
        Content::List(items) => items.iter().map(scalar).collect::<Vec<_>>().join("\n"),
        _ => scalar(node),
    };
    leaves.push((key.to_owned(), text));
}

fn scalar(node: &Node) -> String {
    match &node.content {
        Content::Bool(value) => value.to_string(),
        Content::Number(text) | Content::Plain(text) | Content::Text(text) => text.clone(),
        Content::Null | Content::List(_) | Content::Map(_) => String::new(),
    }
}
