//! Variables: names for paths and programs that differ from platform to platform.
//!
//! A farm mixes platforms: what an artist on Windows calls `K:\farm`, a worker on Linux calls `/data/farm`.
//! A *two-way* variable gives such a place one name. At submission its value becomes `{name}`
//! ([`Variables::to_variables`]); when a task is handed out, `{name}` becomes the value for the worker's platform
//! ([`Variables::expand`]). A *one-way* variable is only expanded: `{blender}` is the program to run.
//!
//! ```text
//!   artist, windows            stored                     worker, linux
//!   K:\farm\shot\a.blend  ──►  {farm}\shot\a.blend   ──►  /data/farm/shot/a.blend
//!              to_variables                      expand
//! ```
//!
//! The manager's own paths are translated too: a text that begins with the value a two-way variable has on the
//! *manager's* platform gets the value for the target platform. That is what makes the implicit one-way variable
//! `{jobs}`, the job storage of this manager, of use everywhere.
//!
//! Everything here is a pure function of the definitions. Where several variables match, the longest value wins, and
//! between equally long ones the name that sorts first.

use std::collections::BTreeMap;

use flamenco_crosspath::{Platform, is_separator, starts_with_path, to_platform, trim_trailing_separator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// The implicit one-way variable that holds the job storage path of the manager.
pub const JOBS: &str = "jobs";

/// The platform name in a definition that stands for every platform.
pub const ALL_PLATFORMS: &str = "all";

/// Who is going to use a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// The programs that run tasks.
    Workers,
    /// People, and what runs on their machines: add-on, web page, command line.
    Users,
}

/// A variable as defined in the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Definition {
    /// Whether values are also replaced by the variable, at submission.
    pub is_twoway: bool,
    /// The values. A later one overrules an earlier one for the same audience and platform.
    pub values: Vec<DefinedValue>,
}

/// One value of a variable, and for whom it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinedValue {
    /// `None` is everyone.
    pub audience: Option<Audience>,
    /// Platform names, or [`ALL_PLATFORMS`]. A value without any platform reaches nobody.
    pub platforms: Vec<String>,
    /// What the variable stands for.
    pub value: String,
}

/// The value of a variable for one audience and platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    /// Whether this is a path that is also recognised at submission.
    pub is_twoway: bool,
    /// What the variable stands for. Two-way values have no separator at their end, except for the root.
    pub value: String,
}

/// What one audience sees, by platform name and variable name.
type PlatformTable = BTreeMap<String, BTreeMap<String, Value>>;

/// All variables of a farm, ready for use.
#[derive(Debug, Clone)]
pub struct Variables {
    workers: PlatformTable,
    users: PlatformTable,
    manager_platform: Platform,
    jobs_path: String,
}

impl Variables {
    /// Indexes the definitions.
    ///
    /// `jobs_path` becomes the variable [`JOBS`]; a definition of that name is ignored. `manager_platform` says whose
    /// values appear in the manager's own paths.
    pub fn new(
        definitions: &BTreeMap<String, Definition>,
        manager_platform: &Platform,
        jobs_path: impl Into<String>,
    ) -> Self {
        let jobs_path = jobs_path.into();
        let mut variables = Self {
            workers: PlatformTable::new(),
            users: PlatformTable::new(),
            manager_platform: manager_platform.clone(),
            jobs_path: jobs_path.clone(),
        };
        for (name, definition) in definitions.iter().filter(|(name, _)| *name != JOBS) {
            for defined in &definition.values {
                let value = match definition.is_twoway {
                    true => trim_trailing_separator(&defined.value).to_owned(),
                    false => defined.value.clone(),
                };
                let value = Value { is_twoway: definition.is_twoway, value };
                variables.insert(name, defined.audience, &defined.platforms, &value);
            }
        }
        let jobs = Value { is_twoway: false, value: jobs_path };
        variables.insert(JOBS, None, &[ALL_PLATFORMS.to_owned()], &jobs);
        variables
    }

    fn insert(&mut self, name: &str, audience: Option<Audience>, platforms: &[String], value: &Value) {
        for platform in platforms {
            if audience != Some(Audience::Users) {
                self.workers.entry(platform.clone()).or_default().insert(name.to_owned(), value.clone());
            }
            if audience != Some(Audience::Workers) {
                self.users.entry(platform.clone()).or_default().insert(name.to_owned(), value.clone());
            }
        }
    }

    /// The values for an audience on a platform: those for all platforms, overlaid with those for this one.
    pub fn lookup(&self, audience: Audience, platform: &Platform) -> BTreeMap<String, Value> {
        self.resolve(audience, platform)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect()
    }

    fn resolve(&self, audience: Audience, platform: &Platform) -> BTreeMap<&str, &Value> {
        let table = match audience {
            Audience::Workers => &self.workers,
            Audience::Users => &self.users,
        };
        [ALL_PLATFORMS, platform.as_str()]
            .into_iter()
            .filter_map(|name| table.get(name))
            .flatten()
            .map(|(name, value)| (name.as_str(), value))
            .collect()
    }

    /// Replaces the path at the start of a text by a two-way variable: `/data/farm/x` becomes `{farm}/x`.
    ///
    /// The values that users of the platform have are tried first, then those of its workers.
    pub fn to_variables(&self, text: &str, platform: &Platform) -> String {
        for audience in [Audience::Users, Audience::Workers] {
            let table = self.resolve(audience, platform);
            let candidates = table.iter().filter(|(_, value)| value.is_twoway);
            let matched = longest_prefix(text, candidates.map(|(name, value)| (value.value.as_str(), *name)));
            if let Some((length, name)) = matched {
                return format!("{{{name}}}{}", &text[length..]);
            }
        }
        text.to_owned()
    }

    /// The values of all two-way variables on a platform: folders that the farm shares.
    pub fn twoway_values(&self, platform: &Platform) -> Vec<String> {
        let tables = [Audience::Users, Audience::Workers].map(|audience| self.resolve(audience, platform));
        let values = tables.iter().flat_map(BTreeMap::values).filter(|value| value.is_twoway);
        values.map(|value| value.value.clone()).filter(|value| !value.is_empty()).collect()
    }

    /// Applies [`Variables::to_variables`] to the settings of a job: to strings at the top level, and nothing else.
    pub fn replace_in_settings(&self, settings: &mut Map<String, Json>, platform: &Platform) {
        for setting in settings.values_mut() {
            if let Json::String(text) = setting {
                *text = self.to_variables(text, platform);
            }
        }
    }

    /// Applies [`Variables::to_variables`] to the metadata of a job: give it the values.
    pub fn replace_in_metadata<'a>(
        &self,
        values: impl IntoIterator<Item = &'a mut String>,
        platform: &Platform,
    ) {
        for value in values {
            *value = self.to_variables(value, platform);
        }
    }

    /// Replaces every `{name}` by its value for an audience on a platform, and translates paths of the manager.
    ///
    /// A text that used a two-way value, or began with one of the manager's, is a path: it gets the separators of the
    /// platform. All other texts keep every character. Placeholders that have no value here stay as they are.
    pub fn expand(&self, text: &str, audience: Audience, platform: &Platform) -> String {
        Expansion::new(self, audience, platform).expand(text)
    }

    /// Applies [`Variables::expand`] to the parameters of a command: to strings, and to the strings in lists. Names,
    /// nested objects and other types are left alone.
    pub fn expand_parameters(
        &self,
        parameters: &Map<String, Json>,
        audience: Audience,
        platform: &Platform,
    ) -> Map<String, Json> {
        let expansion = Expansion::new(self, audience, platform);
        let expand_text = |value: &Json| match value {
            Json::String(text) => Json::String(expansion.expand(text)),
            other => other.clone(),
        };
        let expand_parameter = |value: &Json| match value {
            Json::Array(items) => Json::Array(items.iter().map(expand_text).collect()),
            other => expand_text(other),
        };
        parameters.iter().map(|(name, value)| (name.clone(), expand_parameter(value))).collect()
    }

    /// Where an audience on a platform finds the job storage.
    pub fn shared_storage(&self, audience: Audience, platform: &Platform) -> String {
        self.expand(&self.jobs_path, audience, platform)
    }
}

/// The values for one target, resolved once for all parameters of a command.
struct Expansion<'a> {
    values: BTreeMap<&'a str, &'a Value>,
    /// Value on the manager's platform and value on the target, of every two-way variable that has both.
    manager_paths: Vec<(&'a str, &'a str)>,
    platform: &'a Platform,
}

impl<'a> Expansion<'a> {
    fn new(variables: &'a Variables, audience: Audience, platform: &'a Platform) -> Self {
        let values = variables.resolve(audience, platform);
        let manager_paths = variables
            .resolve(audience, &variables.manager_platform)
            .into_iter()
            .filter(|(_, value)| value.is_twoway)
            .filter_map(|(name, value)| Some((value.value.as_str(), values.get(name)?)))
            .filter(|(_, target)| target.is_twoway)
            .map(|(manager, target)| (manager, target.value.as_str()))
            .collect();
        Self { values, manager_paths, platform }
    }

    fn expand(&self, text: &str) -> String {
        let (text, _) = self.substitute(text, false);
        // A path that starts with a two-way variable is already the target's. Taking it for one of the manager's
        // would translate it twice.
        let translated = self.starts_with_twoway(&text);
        let (text, mut is_path) = self.substitute(&text, true);
        let text = match self.translate_manager_path(&text).filter(|_| !translated) {
            Some(path) => {
                is_path = true;
                path
            }
            None => text,
        };
        if is_path { to_platform(&text, self.platform) } else { text }
    }

    /// Replaces the placeholders of one-way or of two-way variables, and says whether there were any. What a value
    /// brings in is not looked at again.
    fn substitute(&self, text: &str, twoway: bool) -> (String, bool) {
        let mut result = String::with_capacity(text.len());
        let mut found = false;
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            result.push_str(&rest[..start]);
            rest = &rest[start..];
            let named = self.placeholder(rest).filter(|(value, _)| value.is_twoway == twoway);
            let Some((value, after)) = named else {
                result.push('{');
                rest = &rest[1..];
                continue;
            };
            found = true;
            rest = after;
            match twoway {
                true => rest = push_path(&mut result, &value.value, rest, self.platform),
                false => result.push_str(&value.value),
            }
        }
        result.push_str(rest);
        (result, found)
    }

    /// The variable whose placeholder starts a text, and what follows it.
    fn placeholder<'t>(&self, text: &'t str) -> Option<(&'a Value, &'t str)> {
        let (name, after) = text.strip_prefix('{')?.split_once('}')?;
        self.values.get(name).map(|value| (*value, after))
    }

    fn starts_with_twoway(&self, text: &str) -> bool {
        self.placeholder(text).is_some_and(|(value, _)| value.is_twoway)
    }

    /// A path of the manager as the target knows it, or `None` when the text is no such path.
    fn translate_manager_path(&self, text: &str) -> Option<String> {
        let (length, (manager, target)) =
            longest_prefix(text, self.manager_paths.iter().map(|paths| (paths.0, *paths)))?;
        if manager == target {
            // Nothing to translate, and on a case-sensitive disk the text may mean another path than the value.
            return Some(text.to_owned());
        }
        let mut result = String::new();
        let rest = push_path(&mut result, target, &text[length..], self.platform);
        Some(result + rest)
    }
}

/// Appends a path that `rest` is going to follow, so that exactly the needed separators stand between the two. Gives
/// what is left of `rest` to append.
fn push_path<'t>(result: &mut String, path: &str, rest: &'t str, platform: &Platform) -> &'t str {
    result.push_str(path);
    let rest_has_separator = rest.starts_with(is_separator);
    let is_bare_drive =
        path.len() == 2 && path.ends_with(':') && path.starts_with(|c: char| c.is_ascii_alphabetic());
    if path.ends_with(is_separator) && rest_has_separator {
        return &rest[1..];
    }
    if platform.is_windows() && is_bare_drive && !rest_has_separator {
        result.push('\\');
    }
    rest
}

/// The longest of some path prefixes that a text starts with: how many bytes of the text it takes, and what came
/// with it. A root takes no separator away from what follows, so that `/x` under `/` leaves `/x`.
fn longest_prefix<'a, T>(text: &str, prefixes: impl Iterator<Item = (&'a str, T)>) -> Option<(usize, T)> {
    let mut best: Option<(usize, T)> = None;
    for (prefix, attached) in prefixes {
        let Some(matched) = starts_with_path(text, prefix) else { continue };
        if best.as_ref().is_some_and(|(length, _)| *length >= matched) {
            continue;
        }
        best = Some((matched, attached));
    }
    best.map(|(length, attached)| {
        let keeps_separator = length < text.len() && text[..length].ends_with(is_separator);
        (length - usize::from(keeps_separator), attached)
    })
}

#[cfg(test)]
mod tests;
