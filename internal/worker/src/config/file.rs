//! The file `flamenco-worker.yaml`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// Every setting there is.
const KEYS: [&str; 7] = [
    "worker_name",
    "manager_url",
    "task_types",
    "restart_exit_code",
    "oom_score_adjust",
    "command_time_limit",
    "silence_limit",
];
const DEFAULT_TASK_TYPES: [&str; 4] = ["blender", "ffmpeg", "file-management", "misc"];

/// Why the configuration file cannot be used. Each names the file, and where possible line and column.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is there, but cannot be read.
    #[error("cannot read {path}: {source}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no YAML, or a value has the wrong type.
    #[error("{place}: {message}")]
    Syntax {
        /// File, line and column.
        place: String,
        /// What is wrong there.
        message: String,
    },
    /// A value is of the right type, but makes no sense.
    #[error("{place}: {key} {message}")]
    Value {
        /// File and line.
        place: String,
        /// The key.
        key: &'static str,
        /// What to write instead.
        message: String,
    },
}

/// As typed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Typed {
    worker_name: Option<String>,
    manager_url: Option<String>,
    task_types: Option<Vec<String>>,
    restart_exit_code: Option<i64>,
    oom_score_adjust: Option<i64>,
    command_time_limit: Option<String>,
    silence_limit: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    unknown: std::collections::BTreeMap<String, serde_yaml_ng::Value>,
}

/// Checked. Text is trimmed, and blank text is nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    pub worker_name: Option<String>,
    pub manager_url: Option<String>,
    pub task_types: Vec<String>,
    pub restart_exit_code: Option<u8>,
    pub oom_score_adjust: Option<i32>,
    pub command_time_limit: Option<Duration>,
    pub silence_limit: Option<Duration>,
    /// What to warn about.
    pub warnings: Vec<String>,
}

/// Reads the file; one that is missing is like an empty one.
pub fn read(path: &Path) -> Result<File, FileError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(source) => return Err(FileError::Read { path: path.to_owned(), source }),
    };
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<File, FileError> {
    let typed: Typed = serde_yaml_ng::from_str::<Option<Typed>>(text)
        .map_err(|error| {
            let place = match error.location() {
                Some(at) => format!("{}:{}:{}", path.display(), at.line(), at.column()),
                None => path.display().to_string(),
            };
            FileError::Syntax { place, message: error.to_string() }
        })?
        .unwrap_or_default();
    let invalid = |key: &'static str, message: String| FileError::Value {
        place: format!("{}:{}", path.display(), line_of(text, key)),
        key,
        message,
    };
    let task_types = match typed.task_types {
        None => DEFAULT_TASK_TYPES.map(str::to_owned).to_vec(),
        Some(given) => given.into_iter().filter_map(not_blank).collect(),
    };
    if task_types.is_empty() {
        let message =
            "is empty, so this worker would never get a task; name at least one, or leave the key out";
        return Err(invalid("task_types", message.to_owned()));
    }
    let restart_exit_code = typed
        .restart_exit_code
        .map(|code| {
            let message = || format!("is {code}; it must be a number from 0 to 255");
            u8::try_from(code).map_err(|_| invalid("restart_exit_code", message()))
        })
        .transpose()?;
    let oom_score_adjust = typed
        .oom_score_adjust
        .map(|score| match i32::try_from(score) {
            Ok(valid @ -1000..=1000) => Ok(valid),
            _ => Err(invalid(
                "oom_score_adjust",
                format!("is {score}; it must be a number from -1000 to 1000"),
            )),
        })
        .transpose()?;
    let limit = |key: &'static str, typed: Option<String>| match typed.and_then(not_blank) {
        None => Ok(None),
        Some(text) => duration(&text).map(Some).ok_or_else(|| {
            invalid(key, format!("is {text:?}; it must be a time such as 90s, 30m or 1h30m, and more than 0"))
        }),
    };
    let unknown = typed.unknown.keys().map(|key| {
        let place = format!("{}:{}", path.display(), line_of(text, key));
        format!("{place}: {key} is no setting of this worker, and is ignored; known are {}", KEYS.join(", "))
    });
    Ok(File {
        command_time_limit: limit("command_time_limit", typed.command_time_limit)?,
        silence_limit: limit("silence_limit", typed.silence_limit)?,
        warnings: unknown.collect(),
        worker_name: typed.worker_name.and_then(not_blank),
        manager_url: typed.manager_url.and_then(not_blank),
        task_types,
        restart_exit_code,
        oom_score_adjust,
    })
}

/// A time such as `90s`, `30m`, `1h30m`; more than nothing.
fn duration(text: &str) -> Option<Duration> {
    let (mut seconds, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..end].parse().ok()?;
        let factor = match rest[end..].chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return None,
        };
        seconds = seconds.checked_add(number.checked_mul(factor)?)?;
        rest = &rest[end + 1..];
    }
    // Longer than a year is never meant, and would overflow clocks.
    (1..=31_536_000).contains(&seconds).then(|| Duration::from_secs(seconds))
}

fn not_blank(text: String) -> Option<String> {
    let trimmed = text.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// The line that sets a top-level key, counted from 1.
fn line_of(text: &str, key: &str) -> usize {
    text.lines().position(|line| line.starts_with(key)).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> Result<File, FileError> {
        parse(Path::new("flamenco-worker.yaml"), text)
    }

    #[test]
    fn an_empty_or_missing_file_gives_defaults() {
        let missing = read(Path::new("/no/such/directory/flamenco-worker.yaml")).unwrap();
        assert_eq!(missing.task_types, DEFAULT_TASK_TYPES);
        for text in ["", "\n\n", "# only a comment\n", "worker_name:\nmanager_url: '  '\n", "{}", "---\n"] {
            assert_eq!(parse_text(text).unwrap(), missing, "{text:?}");
        }
    }

    #[test]
    fn every_key_is_read_and_others_are_warned_about() {
        let text = "worker_name: node\nmanager_url: http://m/\ntask_types: [blender, ' misc ']\n\
                    restart_exit_code: 47\noom_score_adjust: -500\ncommand_time_limit: 1h30m\n\
                    silence_limit: 90s\nmanager_ulr: {a: 1}\n";
        let expected = File {
            worker_name: Some("node".to_owned()),
            manager_url: Some("http://m/".to_owned()),
            task_types: vec!["blender".to_owned(), "misc".to_owned()],
            restart_exit_code: Some(47),
            oom_score_adjust: Some(-500),
            command_time_limit: Some(Duration::from_secs(5400)),
            silence_limit: Some(Duration::from_secs(90)),
            warnings: Vec::new(),
        };
        let mut parsed = parse_text(text).unwrap();
        let warnings = std::mem::take(&mut parsed.warnings);
        assert_eq!(parsed, expected);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("flamenco-worker.yaml:8: manager_ulr"), "{warnings:?}");
        assert!(warnings[0].contains("manager_url"), "it tells the right name: {warnings:?}");
    }

    #[test]
    fn errors_name_file_line_and_column() {
        let cases = [
            ("a: b\nworker_name: [x\n", "flamenco-worker.yaml:"),
            ("worker_name: x\ntask_types: blender\n", "flamenco-worker.yaml:2:13"),
            ("restart_exit_code: many\n", "flamenco-worker.yaml:1:20"),
            ("\nrestart_exit_code: 256\n", "flamenco-worker.yaml:2: restart_exit_code is 256"),
            ("restart_exit_code: -1\n", "0 to 255"),
            ("worker_name: x\noom_score_adjust: 1001\n", "flamenco-worker.yaml:2: oom_score_adjust is 1001"),
            ("silence_limit: soon\n", "flamenco-worker.yaml:1: silence_limit is \"soon\""),
            ("silence_limit: 0s\n", "more than 0"),
            ("command_time_limit: 5\n", "flamenco-worker.yaml:1"),
            ("command_time_limit: 99999999999999999999h\n", "90s, 30m or 1h30m"),
            ("task_types: []\n", "flamenco-worker.yaml:1: task_types is empty"),
        ];
        for (text, expected) in cases {
            let error = parse_text(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
