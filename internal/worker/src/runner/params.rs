//! Reads a command's parameters, with errors that say what to change in the job.

use serde_json::{Map, Value};

use super::CommandError;

/// The parameters of one command.
#[derive(Debug, Clone, Copy)]
pub struct Params<'a> {
    command: &'a str,
    values: &'a Map<String, Value>,
}

impl<'a> Params<'a> {
    pub fn new(command: &'a str, values: &'a Map<String, Value>) -> Self {
        Self { command, values }
    }

    pub fn missing(&self, parameter: &str) -> CommandError {
        let mut given: Vec<&str> = self.values.keys().map(String::as_str).collect();
        given.sort_unstable();
        CommandError::MissingParameter {
            command: self.command.to_owned(),
            parameter: parameter.to_owned(),
            given: if given.is_empty() { "none".to_owned() } else { given.join(", ") },
        }
    }

    pub fn invalid(&self, parameter: &str, message: impl Into<String>) -> CommandError {
        CommandError::InvalidParameter {
            command: self.command.to_owned(),
            parameter: parameter.to_owned(),
            value: self.values.get(parameter).map_or_else(|| "nothing".to_owned(), Value::to_string),
            message: message.into(),
        }
    }

    pub fn get(&self, parameter: &str) -> Option<&'a Value> {
        self.values.get(parameter)
    }

    /// A string that must be there and not be empty. Any other type counts as missing.
    pub fn required_string(&self, parameter: &str) -> Result<&'a str, CommandError> {
        match self.values.get(parameter).and_then(Value::as_str) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.missing(parameter)),
        }
    }

    /// A string, or nothing. Any other type counts as nothing.
    pub fn optional_string(&self, parameter: &str) -> &'a str {
        self.values.get(parameter).and_then(Value::as_str).unwrap_or_default()
    }

    /// A list of strings; absent means empty. Numbers and booleans in it are converted to text.
    pub fn string_list(&self, parameter: &str) -> Result<Vec<String>, CommandError> {
        let items = match self.values.get(parameter) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(_) => return Err(self.invalid(parameter, "cannot be converted to a list of strings")),
        };
        items
            .iter()
            .map(|item| match item {
                Value::Null | Value::Array(_) | Value::Object(_) => Err(self.invalid(
                    parameter,
                    format!("cannot be converted to a list of strings, because it contains {item}"),
                )),
                scalar => Ok(text_of(scalar)),
            })
            .collect()
    }
}

/// The text form of a JSON value: strings as they are, whole numbers without point or exponent.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (None, None, Some(float)) => float.to_string(),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn lists_become_strings() {
        let values = object(json!({
            "mixed": ["a", 47, 0.327], "numbers": [1000000, 1234567.0, 1e6, 0.00001, -3], "flags": [true],
            "null": null, "text": "no list", "nested": [["a"]], "with_null": [null],
        }));
        let params = Params::new("exec", &values);
        assert_eq!(params.string_list("mixed").unwrap(), ["a", "47", "0.327"]);
        assert_eq!(
            params.string_list("numbers").unwrap(),
            ["1000000", "1234567", "1000000", "0.00001", "-3"]
        );
        assert_eq!(params.string_list("flags").unwrap(), ["true"]);
        assert!(params.string_list("absent").unwrap().is_empty());
        for bad in ["null", "text", "nested", "with_null"] {
            let error = params.string_list(bad).unwrap_err();
            assert!(
                matches!(error, CommandError::InvalidParameter { ref parameter, .. } if parameter == bad)
            );
            assert!(error.to_string().contains("cannot be converted to a list of strings"), "{error}");
        }
    }

    #[test]
    fn strings_must_be_strings() {
        let values = object(json!({"text": "x", "empty": "", "number": 3, "null": null, "flag": false}));
        let params = Params::new("exec", &values);
        assert_eq!(params.required_string("text").unwrap(), "x");
        for missing in ["empty", "number", "null", "flag", "absent"] {
            let error = params.required_string(missing).unwrap_err();
            assert!(
                matches!(error, CommandError::MissingParameter { ref parameter, .. } if parameter == missing)
            );
        }
        assert_eq!(params.optional_string("text"), "x");
        assert_eq!(params.optional_string("number"), "");
    }

    #[test]
    fn errors_name_command_parameter_and_value() {
        let values = object(json!({"b": 1, "a": -47}));
        let params = Params::new("sleep", &values);
        let missing = params.missing("duration").to_string();
        for part in ["sleep", "duration", "a, b"] {
            assert!(missing.contains(part), "{missing}");
        }
        let invalid = params.invalid("a", "cannot be negative").to_string();
        for part in ["sleep", "\"a\"", "-47", "cannot be negative"] {
            assert!(invalid.contains(part), "{invalid}");
        }
    }
}
