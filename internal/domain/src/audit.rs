//! The audit trail: what people changed, and who they said they are.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::role::Role;
use crate::status::status_enum;

status_enum! {
    /// What was changed.
    ObjectKind, "kind of object" {
        /// A job, or several.
        Job = "job",
        /// A task.
        Task = "task",
        /// A worker.
        Worker = "worker",
        /// A worker tag.
        Tag = "tag",
        /// Files of a job, laid out by the file store.
        Checkout = "checkout",
        /// Settings of the manager.
        Configuration = "configuration",
        /// Somebody signed in.
        Session = "session",
    }
}

/// One change that somebody made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: DateTime<Utc>,
    /// The operation of the API.
    pub operation: String,
    /// What was changed.
    pub kind: ObjectKind,
    /// The id of what was changed, where it is one thing that has one.
    pub object: Option<Uuid>,
    /// Its name at that time; may be empty.
    pub object_name: String,
    /// What was asked for, in few words; may be empty.
    pub summary: String,
    /// What the person may do.
    pub role: Role,
    /// Who the person says to be; may be empty.
    pub name: String,
    /// The network address of the person; may be empty.
    pub address: String,
}

/// Fields of requests that say in few words what was asked for. No other field gets into the audit trail.
const TELLING: [&str; 12] = [
    "status",
    "is_lazy",
    "enabled",
    "priority",
    "frames",
    "frame",
    "name",
    "last_updated_max",
    "is_active",
    "start_time",
    "end_time",
    "reason",
];
/// Longest value that is kept, in characters.
const LONGEST: usize = 200;

/// What a request asks for, as `status: cancel-requested, reason: wrong camera`.
#[must_use]
pub fn summary(request: &Map<String, Value>) -> String {
    let told = TELLING.iter().filter_map(|field| {
        let text = match request.get(*field)? {
            Value::String(text) if text.trim().is_empty() => return None,
            Value::String(text) => one_line(text, LONGEST),
            value @ (Value::Number(_) | Value::Bool(_)) => value.to_string(),
            _ => return None,
        };
        Some(format!("{field}: {text}"))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// A text on one line, cut off where it is too long.
#[must_use]
pub fn one_line(text: &str, longest: usize) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

/// The settings that differ, by their keys: `manager_name, mqtt.client.enabled`. Values are not told.
#[must_use]
pub fn changed_keys(before: &Value, after: &Value) -> Vec<String> {
    let mut changed = Vec::new();
    compare("", before, after, &mut changed);
    changed
}

fn compare(path: &str, before: &Value, after: &Value, changed: &mut Vec<String>) {
    if before == after {
        return;
    }
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        changed.push(path.to_owned());
        return;
    };
    let added = after.keys().filter(|key| !before.contains_key(*key));
    for key in before.keys().chain(added) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let [before, after] = [before, after].map(|map| map.get(key).unwrap_or(&Value::Null));
        compare(&path, before, after, changed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_summary_tells_only_what_is_harmless() {
        let long = "a".repeat(300);
        for (request, expected) in [
            (json!({}), ""),
            (json!({ "status": "cancel-requested", "reason": "" }), "status: cancel-requested"),
            (
                json!({ "reason": "wrong\n camera", "status": "failed" }),
                "status: failed, reason: wrong camera",
            ),
            (json!({ "priority": 90 }), "priority: 90"),
            (json!({ "enabled": false, "reason": "dust" }), "enabled: false, reason: dust"),
            (
                json!({ "token": "secret", "password": "x", "secret": "y", "access": { "admin_token": "z" } }),
                "",
            ),
            (json!({ "name": { "secret": 1 }, "status": ["x"], "frames": null }), ""),
            (json!({ "frames": "1-10", "name": "Tag" }), "frames: 1-10, name: Tag"),
            (json!({ "name": long }), &format!("name: {}…", "a".repeat(200))),
        ] {
            assert_eq!(summary(request.as_object().unwrap()), expected, "{request}");
        }
    }

    #[test]
    fn lines_are_cut_between_characters() {
        for (text, longest, expected) in [
            ("", 3, ""),
            (" a \t b\r\nc\0d ", 20, "a b c d"),
            ("äöü", 3, "äöü"),
            ("äöüß", 3, "äöü…"),
            ("ab cd", 3, "ab…"),
        ] {
            assert_eq!(one_line(text, longest), expected, "{text:?}");
        }
    }

    #[test]
    fn changed_settings_are_told_by_their_keys() {
        let before = json!({ "a": 1, "b": { "c": [1], "d": "x" }, "gone": true });
        for (after, expected) in [
            (before.clone(), vec![]),
            (json!({ "a": 2, "b": { "c": [1], "d": "x" }, "gone": true }), vec!["a"]),
            (json!({ "a": 1, "b": { "c": [2], "d": "y" }, "gone": true }), vec!["b.c", "b.d"]),
            (json!({ "a": 1, "b": 5, "new": 1 }), vec!["b", "gone", "new"]),
        ] {
            assert_eq!(changed_keys(&before, &after), expected, "{after}");
        }
    }
}
