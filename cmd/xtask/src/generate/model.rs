//! The API as plain data: what `openapi.yaml` says, with every reference followed and every default applied, so
//! that the writers for Rust and Python need not know OpenAPI.

use serde_json::{Map, Value};

/// The whole API.
#[derive(Debug)]
pub struct Api {
    /// The named schemas as written, in the order of the document.
    pub schemas: Map<String, Value>,
    /// The tags in the order in which they first appear.
    pub tags: Vec<String>,
    /// The operations in the order of the document.
    pub operations: Vec<Operation>,
}

/// One method on one path.
#[derive(Debug)]
pub struct Operation {
    /// The `operationId`, in camel case.
    pub id: String,
    pub tag: String,
    /// In capitals.
    pub method: String,
    /// With `{parameters}`.
    pub path: String,
    /// Summary and description.
    pub doc: String,
    /// True if the document asks for a worker's credentials.
    pub worker_auth: bool,
    /// In the order of the path's template.
    pub path_params: Vec<Param>,
    pub query: Vec<Param>,
    pub headers: Vec<Param>,
    pub body: Option<Body>,
    /// Exact codes first, ranges next, `default` last.
    pub responses: Vec<Response>,
}

/// A parameter in a path, a query or a header; also a header of a response.
#[derive(Debug)]
pub struct Param {
    pub name: String,
    pub doc: String,
    pub required: bool,
    pub schema: Value,
}

/// What a request carries.
#[derive(Debug)]
pub struct Body {
    pub required: bool,
    pub kind: BodyKind,
}

#[derive(Debug)]
pub enum BodyKind {
    Json(Value),
    /// Streamed, never held in memory as a whole. Holds the media types that are accepted.
    Upload(Vec<String>),
}

impl BodyKind {
    /// What an upload is declared as if nothing else is said: the first media type that is one, and not a pattern.
    pub fn usual_media_type(&self) -> &str {
        match self {
            BodyKind::Json(_) => "application/json",
            BodyKind::Upload(accepted) => {
                let plain = accepted.iter().find(|media_type| !media_type.contains('*'));
                plain.map_or("application/octet-stream", String::as_str)
            }
        }
    }
}

#[derive(Debug)]
pub struct Response {
    pub code: Code,
    pub doc: String,
    pub headers: Vec<Param>,
    /// Empty if there is no body.
    pub contents: Vec<Content>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    Exact(u16),
    /// The first digit of, for example, `4XX`.
    Range(u16),
    Default,
}

/// One way in which a response body can be written.
#[derive(Debug)]
pub struct Content {
    pub media_type: String,
    pub kind: ContentKind,
}

#[derive(Debug, Clone)]
pub enum ContentKind {
    Json(Value),
    Text,
    Binary,
}

impl Api {
    /// Follows a `$ref` to a named schema; gives back the schema itself if it is none.
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match reference_name(schema).and_then(|name| self.schemas.get(name)) {
            Some(named) => self.resolve(named),
            None => schema,
        }
    }

    /// The operations of one tag, in the order of the document.
    pub fn tagged<'a>(&'a self, tag: &'a str) -> impl Iterator<Item = &'a Operation> {
        self.operations.iter().filter(move |operation| operation.tag == tag)
    }
}

/// The `X` of `{"$ref": "#/components/schemas/X"}`, also if it is the only element of an `allOf` (which is how a
/// description is put beside a reference in OpenAPI 3.0).
pub fn reference_name(schema: &Value) -> Option<&str> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return reference.strip_prefix("#/components/schemas/");
    }
    match schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
        Some([only]) if schema.get("properties").is_none() => reference_name(only),
        _ => None,
    }
}
