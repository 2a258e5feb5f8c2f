//! Reads the keys of one section into typed values. Nothing stops at the first mistake.

use std::cell::RefCell;
use std::time::Duration;

use flamenco_domain::duration;

use super::node::{Content, Entry, Node};
use super::problem::Report;
use super::secret::Secret;

/// How many letters may differ for a key to be taken for a misspelling of another.
const TYPO_DISTANCE: usize = 3;

/// A mapping that is being read.
pub(super) struct Section<'a> {
    path: String,
    entries: &'a [Entry],
    known: Vec<&'static str>,
    report: &'a RefCell<Report>,
    /// In JSON a `null` is a mistake; in YAML it is a key whose value was left out, which keeps its default.
    null_is_absent: bool,
}

impl<'a> Section<'a> {
    /// The keys of a node; reports when it has none because it is something else.
    pub(super) fn new(path: &str, node: &'a Node, report: &'a RefCell<Report>, null_is_absent: bool) -> Self {
        let entries = match &node.content {
            Content::Map(entries) => entries.as_slice(),
            Content::Null if null_is_absent => &[],
            _ => {
                let expected = if path.is_empty() { "key: value" } else { "keys of its own below it" };
                let message = format!("expected {expected}, found {}", node.kind());
                report.borrow_mut().problem(path, node.line, message);
                &[]
            }
        };
        Self { path: path.to_owned(), entries, known: Vec::new(), report, null_is_absent }
    }

    /// The full name of a key.
    pub(super) fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// All entries, for a section whose keys are names.
    pub(super) fn entries(&self) -> &'a [Entry] {
        self.entries
    }

    /// The value of a key.
    pub(super) fn get(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        let node = &self.entries.iter().find(|entry| entry.key == key)?.value;
        if node.content == Content::Null && self.null_is_absent {
            return None;
        }
        Some(node)
    }

    /// The line of the value of a key.
    pub(super) fn line(&self, key: &str) -> Option<usize> {
        self.entries.iter().find(|entry| entry.key == key).and_then(|entry| entry.value.line)
    }

    /// The section that is the value of an entry, when its key is a name.
    pub(super) fn child(&self, key: &str, node: &'a Node) -> Section<'a> {
        Section::new(&self.name(key), node, self.report, self.null_is_absent)
    }

    /// A section inside this one; an empty one when it is absent.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        let name = self.name(key);
        match self.get(key) {
            Some(node) => Section::new(&name, node, self.report, self.null_is_absent),
            None => Section {
                path: name,
                entries: &[],
                known: Vec::new(),
                report: self.report,
                null_is_absent: self.null_is_absent,
            },
        }
    }

    pub(super) fn text(&mut self, key: &'static str, target: &mut String) {
        if let Some(node) = self.get(key) {
            match &node.content {
                Content::Plain(text) | Content::Text(text) => *target = text.clone(),
                _ => self.problem(key, format!("expected text, found {}", node.kind())),
            }
        }
    }

    /// As [`Self::text`], for what must not be shown.
    pub(super) fn secret(&mut self, key: &'static str, target: &mut Secret) {
        let mut text = target.expose().to_owned();
        self.text(key, &mut text);
        *target = Secret::new(text);
    }

    pub(super) fn boolean(&mut self, key: &'static str, target: &mut bool) {
        let Some(node) = self.get(key) else { return };
        let value = match &node.content {
            Content::Bool(value) => Some(*value),
            Content::Plain(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "y" => Some(true),
                "false" | "no" | "off" | "n" => Some(false),
                _ => None,
            },
            _ => None,
        };
        match value {
            Some(value) => *target = value,
            None => {
                self.problem(key, format!("expected true or false without quotes, found {}", node.kind()))
            }
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, target: &mut T, choices: &[(&str, T)]) {
        let Some(node) = self.get(key) else { return };
        let found = match &node.content {
            Content::Plain(text) | Content::Text(text) => {
                choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(text))
            }
            _ => None,
        };
        match found {
            Some((_, value)) => *target = *value,
            None => {
                let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
                self.problem(key, format!("expected one of {}, found {}", words.join(", "), node.kind()));
            }
        }
    }

    pub(super) fn count(&mut self, key: &'static str, target: &mut u32) {
        let Some(node) = self.get(key) else { return };
        let value = match &node.content {
            Content::Plain(text) | Content::Number(text) => text.parse().ok(),
            _ => None,
        };
        match value {
            Some(value) => *target = value,
            None => self.problem(key, format!("expected a whole number from 0 up, found {}", node.kind())),
        }
    }

    pub(super) fn duration(&mut self, key: &'static str, target: &mut Duration) {
        let Some(node) = self.get(key) else { return };
        let parsed = match &node.content {
            Content::Plain(text) | Content::Text(text) => {
                duration::parse(text).map_err(|error| error.to_string())
            }
            _ => Err(format!("expected a duration as text, for example \"10m\", found {}", node.kind())),
        };
        match parsed {
            Ok(value) => *target = value,
            Err(message) => self.problem(key, message),
        }
    }

    pub(super) fn texts(&mut self, key: &'static str, target: &mut Vec<String>) {
        let Some(node) = self.get(key) else { return };
        let read = |node: &Node| match &node.content {
            Content::Plain(text) | Content::Text(text) => Some(text.clone()),
            _ => None,
        };
        let items = match &node.content {
            Content::List(items) => items.iter().map(read).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        match items {
            Some(items) => *target = items,
            None => self
                .problem(key, format!("expected a list of texts, as in [one, two], found {}", node.kind())),
        }
    }

    /// Keys that once had a meaning.
    pub(super) fn legacy(&mut self, keys: &[(&'static str, &str)]) {
        for (key, advice) in keys {
            self.known.push(key);
            if self.entries.iter().any(|entry| entry.key == *key) {
                self.warning(key, format!("this key is no longer used; {advice}"));
            }
        }
    }

    pub(super) fn problem(&self, key: &str, message: impl Into<String>) {
        self.report.borrow_mut().problem(self.name(key), self.line(key), message);
    }

    pub(super) fn warning(&self, key: &str, message: impl Into<String>) {
        self.report.borrow_mut().warning(self.name(key), self.line(key), message);
    }

    /// Warns about the keys that nobody asked for.
    pub(super) fn finish(self) {
        for entry in self.entries {
            if self.known.contains(&entry.key.as_str()) {
                continue;
            }
            let hint = match similar(&entry.key, &self.known) {
                Some(known) => format!("; did you mean {known}?"),
                None => String::new(),
            };
            let message = format!("unknown key, ignored{hint}");
            self.report.borrow_mut().warning(self.name(&entry.key), entry.line, message);
        }
    }
}

/// The known name that a misspelt one most likely stands for.
pub(super) fn similar<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let distance = |known: &&&str| strsim::damerau_levenshtein(&plain(name), &plain(known));
    let closest = known.iter().min_by_key(distance)?;
    let allowed = TYPO_DISTANCE.min(closest.chars().count() / 3);
    (distance(&closest) <= allowed).then_some(*closest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names() {
        let known = ["listen", "worker_timeout", "task_timeout", "clientID", "mqtt"];
        for (name, expected) in [
            ("lisen", Some("listen")),
            ("worker-timeout", Some("worker_timeout")),
            ("WorkerTimeout", Some("worker_timeout")),
            ("tsak_timeout", Some("task_timeout")),
            ("client_id", Some("clientID")),
            ("mqqt", Some("mqtt")),
            ("something", None),
            ("x", None),
        ] {
            assert_eq!(similar(name, &known), expected, "{name}");
        }
        assert_eq!(similar("x", &[]), None);
    }
}
