//! Finding jobs by a part of a path: what is kept of a job for that, and what a text that somebody types may mean.
//!
//! Paths are compared without regard to the case of A to Z and to which way slashes lean. Nothing in the text has a
//! special meaning. A rendered frame is found by the pattern of its output, so that a job of ten thousand frames is one
//! entry and not ten thousand.

use serde_json::{Map, Value};

use crate::frame_log::output;

/// Most paths that are kept of the settings of a job, and most outputs of its frames.
pub const MOST_PATHS: usize = 50;
/// Longest path that is kept, in characters.
pub const LONGEST: usize = 2000;

/// A path as it is compared.
#[must_use]
pub fn folded(path: &str) -> String {
    path.chars().map(|letter| if letter == '\\' { '/' } else { letter.to_ascii_lowercase() }).collect()
}

/// The paths in the settings of a job: every text with a slash, as far as it may be one. Which settings are paths is
/// known to the job type alone, and that may have changed since.
#[must_use]
pub fn paths_in(settings: &Map<String, Value>) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for text in settings.values().filter_map(Value::as_str) {
        let is_path =
            text.contains(['/', '\\']) && !text.contains('\n') && text.chars().nth(LONGEST).is_none();
        if is_path && !found.contains(&text) && found.len() < MOST_PATHS {
            found.push(text);
        }
    }
    found
}

/// What somebody looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The text as it is compared.
    pub text: String,
    /// How the pattern of an output looks that the text may be a frame of; `None` when it has no number.
    pub pattern: Option<String>,
}

impl Wanted {
    /// What a text may mean.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let text = folded(text.trim());
        let before = text.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let pattern = match text.len() - before.len() {
            0 => output(&text),
            // Also when the rest of the name is still to be typed, and what is there looks like an extension.
            digits => format!("{before}{}", "#".repeat(digits)),
        };
        let pattern = (pattern != text).then_some(pattern);
        Self { text, pattern }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_may_be_a_path_or_a_frame() {
        for (text, want, pattern) in [
            (" Shots/SQ010 ", "shots/sq010", Some("shots/sq###")),
            ("K:\\Shots\\a.blend", "k:/shots/a.blend", None),
            ("sq010/000123.png", "sq010/000123.png", Some("sq010/######.png")),
            ("beauty.0099", "beauty.0099", Some("beauty.####")),
            ("v001/lighting_", "v001/lighting_", None),
            ("100%_", "100%_", None),
            ("ÄRA/", "Ära/", None),
        ] {
            let found = Wanted::of(text);
            assert_eq!((found.text.as_str(), found.pattern.as_deref()), (want, pattern), "{text}");
        }
    }

    #[test]
    fn settings_that_are_paths() {
        let long = format!("/{}", "x".repeat(LONGEST));
        let settings = json!({
            "blendfile": "{jobs}/a.blend", "again": "{jobs}/a.blend", "output": "C:\\out\\####", "frames": "1-10", "fps": 24,
            "script": "a = 1 / 2\nprint(a)", "long": long, "nested": { "path": "/no" },
        });
        assert_eq!(paths_in(settings.as_object().unwrap()), ["{jobs}/a.blend", "C:\\out\\####"]);
        let many: Map<_, _> =
            (0..200).map(|number| (number.to_string(), json!(format!("/{number}")))).collect();
        assert_eq!(paths_in(&many).len(), MOST_PATHS);
    }
}
