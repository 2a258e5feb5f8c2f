//! `JOB_TYPE`: what a script says about itself.

use crate::engine::Stop;
use crate::error::Error;
use crate::host::{Host, evaluate};
use crate::json::{Trail, sorted};
use rquickjs::{Ctx, Value};
use serde_json::{Map, Value as Json, json};
use sha1::{Digest, Sha1};
use std::fmt::Write as _;

/// A job type as it is offered to the add-on and the web app.
#[derive(Debug, Clone, PartialEq)]
pub struct JobType {
    /// Name, from the file name: `simple-blender-render`.
    pub name: String,
    /// Where its script is: the path on disk, or the file name of one that is built in.
    pub file: String,
    /// Label for people.
    pub label: String,
    /// Tooltip.
    pub description: Option<String>,
    /// Array of setting objects as the wire contract has them: keys in alphabetical order, keys that the script
    /// leaves out are absent, no defaults filled in.
    pub settings: Json,
    /// SHA-1 of the above in hexadecimal. Tells a submitter that the settings are not the ones it knows.
    pub etag: String,
}

impl JobType {
    fn new(name: &str, file: &str, label: String, description: Option<String>, settings: Vec<Json>) -> Self {
        let (name, file, settings) = (name.to_owned(), file.to_owned(), Json::Array(settings));
        let mut job_type = Self { name, file, label, description, settings, etag: String::new() };
        job_type.etag = etag(&job_type.to_json());
        job_type
    }

    /// The wire form, with its keys in the documented order. `description` is absent when the script has none.
    pub fn to_json(&self) -> Json {
        let mut map = Map::new();
        if let Some(description) = &self.description {
            map.insert("description".to_owned(), json!(description));
        }
        map.insert("etag".to_owned(), json!(self.etag));
        map.insert("label".to_owned(), json!(self.label));
        map.insert("name".to_owned(), json!(self.name));
        map.insert("settings".to_owned(), self.settings.clone());
        Json::Object(map)
    }
}

/// Hash of the JSON form with an empty etag, in the encoding that other implementations hash.
fn etag(job_type: &Json) -> String {
    let mut text = String::new();
    for character in sorted(job_type.clone()).to_string().chars() {
        // These only ever stand inside of strings.
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\u{:04x}", u32::from(character));
            }
            other => text.push(other),
        }
    }
    Sha1::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What is found where a script should declare its `JOB_TYPE`.
pub(crate) enum Declared {
    JobType(JobType),
    /// The script declares nothing of that name: it may be a helper of other scripts.
    Nothing,
}

/// Reads `JOB_TYPE` after the script's top-level code has run.
pub(crate) fn read<'js>(ctx: &Ctx<'js>, host: &Host<'js>, name: &str, file: &str) -> Result<Declared, Stop> {
    // By name, because `const` makes a variable that is no property of the global object.
    let declared: Value<'js> =
        evaluate(ctx, "typeof JOB_TYPE === 'undefined' ? undefined : JOB_TYPE", file, true)?;
    if declared.is_undefined() {
        return Ok(Declared::Nothing);
    }
    let broken = |message: String| {
        let message = format!("JOB_TYPE of the job type script is not proper: {message}");
        Stop::Error(Error::broken(file, message))
    };
    let Some(object) = declared.into_object().filter(|object| !object.is_array() && !object.is_function())
    else {
        return Err(broken("it must be an object with a label and settings".to_owned()));
    };
    // Only the known keys: a script may keep functions of its own in JOB_TYPE.
    let field = |key: &str| -> Result<Json, Stop> {
        let value: Value<'js> = object.get(key)?;
        let trail = format!("JOB_TYPE.{key}");
        if key == "settings" && value.is_array() {
            return Ok(Json::Null);
        }
        host.converter.value(value, &Trail::root(&trail)).map_err(|stop| problem(stop, &broken))
    };
    let label = text(&field("label")?).unwrap_or_default();
    let description = text(&field("description")?);
    if !field("settings")?.is_null() {
        return Err(broken("its settings must be an array".to_owned()));
    }

    let mut settings = Vec::new();
    let list: Value<'js> = object.get("settings")?;
    for (index, setting) in list.as_array().into_iter().flat_map(|list| list.iter::<Value<'js>>()).enumerate()
    {
        let trail = format!("JOB_TYPE.settings[{index}]");
        settings.push(read_setting(host, setting?, &trail).map_err(|stop| problem(stop, &broken))?);
    }
    Ok(Declared::JobType(JobType::new(name, file, label, description, settings)))
}

/// The error for a script without `JOB_TYPE` that is used as a job type.
pub(crate) fn missing(file: &str) -> Error {
    let message = "JOB_TYPE is missing in the job type script; declare it with its label and settings";
    Error::broken(file, message.to_owned())
}

fn problem(stop: Stop, broken: &impl Fn(String) -> Stop) -> Stop {
    match stop {
        Stop::Problem(message) => broken(message),
        other => other,
    }
}

/// How an attribute of a setting is written in JSON.
#[derive(Clone, Copy)]
enum Kind {
    Any,
    Text,
    Truth,
    Choices,
    EvalInfo,
}

/// All attributes of a setting, in the order of the wire form.
const ATTRIBUTES: &[(&str, Kind)] = &[
    ("choices", Kind::Choices),
    ("default", Kind::Any),
    ("description", Kind::Any),
    ("editable", Kind::Truth),
    ("eval", Kind::Text),
    ("evalInfo", Kind::EvalInfo),
    ("key", Kind::Text),
    ("label", Kind::Any),
    ("propargs", Kind::Any),
    ("required", Kind::Truth),
    ("subtype", Kind::Text),
    ("type", Kind::Text),
    ("visible", Kind::Text),
];

fn read_setting<'js>(host: &Host<'js>, setting: Value<'js>, trail: &str) -> Result<Json, Stop> {
    let Some(object) = setting.into_object().filter(|object| !object.is_array() && !object.is_function())
    else {
        return Err(Stop::Problem(format!("{trail} must be an object with a key and a type")));
    };
    let mut attributes = Map::new();
    for &(name, kind) in ATTRIBUTES {
        let attribute_trail = format!("{trail}.{name}");
        let value = host.converter.value(object.get(name)?, &Trail::root(&attribute_trail))?;
        match attribute(value, kind) {
            Ok(Json::Null) if matches!(name, "key" | "type") => {
                return Err(Stop::Problem(format!("{attribute_trail} is missing")));
            }
            Ok(Json::Null) => {}
            Ok(value) => {
                attributes.insert(name.to_owned(), value);
            }
            Err(expected) => return Err(Stop::Problem(format!("{attribute_trail} must be {expected}"))),
        }
    }
    Ok(Json::Object(attributes))
}

/// The attribute as the wire contract wants it, null when it is absent, or what it should have been.
fn attribute(value: Json, kind: Kind) -> Result<Json, &'static str> {
    if value.is_null() {
        return Ok(value);
    }
    match kind {
        Kind::Any => Ok(sorted(value)),
        Kind::Text => text(&value).map(Json::String).ok_or("text"),
        Kind::Truth => Ok(Json::Bool(is_true(&value))),
        Kind::Choices => match value {
            Json::Array(items) => {
                let choices: Option<Vec<Json>> =
                    items.iter().map(|item| text(item).map(Json::String)).collect();
                choices.map(Json::Array).ok_or("a list of texts")
            }
            _ => Err("a list of texts"),
        },
        Kind::EvalInfo => match value {
            Json::Object(info) => {
                let description = info.get("description").and_then(text).unwrap_or_default();
                let show = info.get("showLinkButton").is_some_and(is_true);
                Ok(json!({ "description": description, "showLinkButton": show }))
            }
            _ => Err("an object with showLinkButton and description"),
        },
    }
}

/// Text, or a number or truth value as text.
fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(_) | Json::Bool(_) => Some(value.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// Whether JavaScript takes a value for true.
fn is_true(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(truth) => *truth,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(_) | Json::Object(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etag_of_the_test_vector() {
        let settings = vec![
            json!({"key": "message", "type": "string", "required": true}),
            json!({"key": "sleep_duration_seconds", "type": "int32", "default": 1}),
            json!({"key": "sleep_repeats", "type": "int32", "default": 1}),
        ];
        let job_type = JobType::new(
            "echo-sleep-test",
            "echo_sleep_test.js",
            "Echo Sleep Test".to_owned(),
            None,
            settings,
        );
        assert_eq!(job_type.etag, "eba586e16d6b55baaa43e32f9e78ae514b457fee");
    }

    #[test]
    fn etag_escapes_what_html_does() {
        let plain = etag(&json!({"label": "a\\u003cb"}));
        assert_ne!(etag(&json!({"label": "a<b"})), plain);
        // The hash of {"label":"\u003c\u003e\u0026\u2028ü"} with the escapes spelled out.
        let expected = Sha1::digest("{\"label\":\"\\u003c\\u003e\\u0026\\u2028ü\"}".as_bytes());
        let expected: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(etag(&json!({"label": "<>&\u{2028}ü"})), expected);
    }

    #[test]
    fn attributes_by_kind() {
        for (value, kind, expected) in [
            (json!(null), Kind::Text, Ok(json!(null))),
            (json!(""), Kind::Any, Ok(json!(""))),
            (json!(0), Kind::Truth, Ok(json!(false))),
            (json!("yes"), Kind::Truth, Ok(json!(true))),
            (json!([1, "b"]), Kind::Choices, Ok(json!(["1", "b"]))),
            (json!([]), Kind::Choices, Ok(json!([]))),
            (json!("a"), Kind::Choices, Err("a list of texts")),
            (json!({}), Kind::EvalInfo, Ok(json!({"description": "", "showLinkButton": false}))),
            (json!([]), Kind::Text, Err("text")),
        ] {
            assert_eq!(attribute(value.clone(), kind), expected, "{value}");
        }
        let sorted_keys = attribute(json!({"min": 0, "max": 3}), Kind::Any).unwrap();
        assert_eq!(sorted_keys.to_string(), r#"{"max":3,"min":0}"#);
    }
}
