//! Compares answers with `openapi.yaml`.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use flamenco_api::operations::OPERATIONS;
use http::Method;
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| Contract::new(include_str!("../../../openapi.yaml")));

/// Says what about an answer is not as the document has it. Below `/api/`, whatever is not in the document must be
/// refused with an `Error`; elsewhere everything goes.
pub(crate) fn check(
    method: &Method,
    path: &str,
    status: u16,
    content_type: &str,
    body: &[u8],
) -> Result<(), String> {
    let path = path.split('?').next().unwrap_or_default();
    match operation(method, path) {
        Some((template, method)) => CONTRACT.check(template, method, status, content_type, body),
        None if path.starts_with("/api/") && status >= 400 => CONTRACT.check_error(content_type, body),
        None => Ok(()),
    }
}

/// The operation that a path belongs to: its template and method. A template without parameter wins.
fn operation(method: &Method, path: &str) -> Option<(&'static str, &'static str)> {
    let fits = |template: &str| {
        let (ours, theirs) = (path.split('/'), template.split('/'));
        ours.clone().count() == theirs.clone().count()
            && ours
                .zip(theirs)
                .all(|(is, wanted)| is == wanted || (wanted.starts_with('{') && !is.is_empty()))
    };
    let all =
        OPERATIONS.iter().filter(|operation| operation.method == method.as_str() && fits(operation.path));
    let best = all.min_by_key(|operation| operation.path.matches('{').count())?;
    Some((best.path, best.method))
}

struct Contract {
    document: Value,
    /// The component schemas as JSON schemas.
    schemas: Value,
    /// Compiled schemas, by their JSON text.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Contract {
    fn new(yaml: &str) -> Self {
        let document: Value = serde_yaml_ng::from_str(yaml).expect("openapi.yaml is YAML");
        let schemas = to_json_schema(&document["components"]["schemas"]);
        Self { document, schemas, validators: Mutex::default() }
    }

    fn check(
        &self,
        path: &str,
        method: &str,
        status: u16,
        content_type: &str,
        body: &[u8],
    ) -> Result<(), String> {
        let responses = &self.document["paths"][path][method.to_lowercase()]["responses"];
        let response = [status.to_string(), format!("{}XX", status / 100), "default".to_owned()]
            .iter()
            .find_map(|key| responses.get(key).filter(|_| key != "default" || status >= 400))
            .ok_or_else(|| format!("{status} is not among the answers"))?;
        let response = self.resolve(response);
        let Some(content) = response.get("content").and_then(Value::as_object) else {
            return if body.is_empty() { Ok(()) } else { Err("there must be no body".to_owned()) };
        };
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let described =
            content.get(kind).ok_or_else(|| format!("{content_type:?} is none of its media types"))?;
        match described.get("schema") {
            Some(schema) if kind == "application/json" => self.validate(schema, body),
            _ => Ok(()),
        }
    }

    fn check_error(&self, content_type: &str, body: &[u8]) -> Result<(), String> {
        if !content_type.starts_with("application/json") {
            return Err(format!("an error must be JSON, not {content_type:?}"));
        }
        self.validate(&json!({ "$ref": "#/components/schemas/Error" }), body)
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value.get("$ref").and_then(Value::as_str) {
            Some(pointer) => {
                self.document.pointer(pointer.trim_start_matches('#')).expect("a $ref that exists")
            }
            None => value,
        }
    }

    fn validate(&self, schema: &Value, body: &[u8]) -> Result<(), String> {
        let instance: Value =
            serde_json::from_slice(body).map_err(|error| format!("this is not JSON: {error}"))?;
        let validator = self.validator(schema);
        let problems: Vec<String> = validator
            .iter_errors(&instance)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        if problems.is_empty() { Ok(()) } else { Err(format!("{}\nin {instance}", problems.join("\n"))) }
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().expect("no other check panicked here");
        let compiled = validators.entry(schema.to_string()).or_insert_with(|| {
            let root =
                json!({ "allOf": [to_json_schema(schema)], "components": { "schemas": self.schemas } });
            let options = jsonschema::options().with_draft(Draft::Draft201909).should_validate_formats(true);
            Arc::new(options.build(&root).expect("a schema that can be used"))
        });
        Arc::clone(compiled)
    }
}

/// Turns OpenAPI 3.0's dialect into JSON schema: `nullable` becomes a second type, and an object may only have the
/// properties that are described, so that an answer with a misspelt or undocumented one is found.
fn to_json_schema(schema: &Value) -> Value {
    let mut converted = match schema {
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), to_json_schema(value))).collect())
        }
        Value::Array(all) => Value::Array(all.iter().map(to_json_schema).collect()),
        other => return other.clone(),
    };
    let Some(map) = converted.as_object_mut() else { return converted };
    if map.get("properties").is_some_and(Value::is_object)
        && map.get("type").is_some_and(|kind| kind == "object")
        && !map.contains_key("additionalProperties")
    {
        map.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if map.get("nullable") == Some(&Value::Bool(true)) {
        map.remove("nullable");
        return json!({ "anyOf": [converted, { "type": "null" }] });
    }
    converted
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r"
paths: {}
components:
  schemas:
    Thing:
      type: object
      required: [id]
      properties:
        id: { type: string, format: uuid }
        note: { type: string, nullable: true }
";

    #[test]
    fn answers_that_do_not_fit_are_found() {
        let contract = Contract::new(DOCUMENT);
        let schema = json!({ "$ref": "#/components/schemas/Thing" });
        let id = "6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11";
        for (body, fits) in [
            (json!({ "id": id }), true),
            (json!({ "id": id, "note": null }), true),
            (json!({ "id": id, "note": "x" }), true),
            (json!({ "id": id, "note": 1 }), false),
            (json!({ "id": "1234" }), false),
            (json!({ "id": id, "nota": "x" }), false),
            (json!({}), false),
            (json!([]), false),
        ] {
            let got = contract.validate(&schema, body.to_string().as_bytes());
            assert_eq!(got.is_ok(), fits, "{body}: {got:?}");
        }
    }

    #[test]
    fn the_operation_of_a_path_is_found() {
        for (method, path, want) in [
            (Method::GET, "/api/v3/jobs", Some("/api/v3/jobs")),
            (Method::GET, "/api/v3/jobs/types", Some("/api/v3/jobs/types")),
            (Method::GET, "/api/v3/jobs/x", Some("/api/v3/jobs/{job_id}")),
            (Method::PATCH, "/api/v3/jobs/x", None),
            (Method::GET, "/api/v3/nothing", None),
        ] {
            assert_eq!(operation(&method, path).map(|found| found.0), want, "{method} {path}");
        }
    }

    #[test]
    fn statuses_and_media_types_are_checked() {
        let version = br#"{"name":"x","version":"1","shortversion":"1","git":"g"}"#;
        let check = |status, kind, body: &[u8]| check(&Method::GET, "/api/v3/version", status, kind, body);
        assert_eq!(check(200, "application/json", version), Ok(()));
        assert!(check(200, "text/plain", version).is_err());
        assert!(check(201, "application/json", version).is_err(), "a success that is not described");
        assert!(check(500, "application/json", version).is_err(), "not an error");
        assert_eq!(check(500, "application/json", br#"{"code":500,"message":"sorry"}"#), Ok(()));
    }
}
