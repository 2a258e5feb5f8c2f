//! Makes the schemas of OpenAPI 3.0 fit for `typify`, which reads JSON Schema and builds more into a type than we
//! want: a range becomes an unsigned integer, a length a type of its own, a title a name. What the cleaning takes
//! away here is checked by the generated `Validate` implementations instead, which can say where the mistake is.

use serde_json::{Map, Value, json};

use super::model::reference_name;

/// What is left of a schema for the choice of a type.
const KEPT: &[&str] = &[
    "type",
    "format",
    "description",
    "default",
    "enum",
    "required",
    "properties",
    "additionalProperties",
    "items",
    "allOf",
    "oneOf",
    "anyOf",
];

/// The formats that have a type of their own; any other text stays text.
const TYPED_FORMATS: &[&str] = &["uuid", "date-time"];

/// The schema as `typify` should see it.
pub fn clean(schema: &Value) -> Value {
    clean_part(schema, false)
}

/// `in_all_of`: the schema is one part of an `allOf`, whose `required` may name properties of the other parts.
fn clean_part(schema: &Value, in_all_of: bool) -> Value {
    let Value::Object(schema) = schema else { return schema.clone() };
    if let Some(name) = reference_name(&Value::Object(schema.clone())) {
        let mut reference = Map::new();
        reference.insert("$ref".to_owned(), format!("#/definitions/{name}").into());
        if let Some(description) = schema.get("description") {
            reference.insert("description".to_owned(), description.clone());
        }
        return Value::Object(reference);
    }
    let mut cleaned: Map<String, Value> = schema
        .iter()
        .filter(|(key, _)| KEPT.contains(&key.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    clean_format(&mut cleaned);
    for key in ["allOf", "oneOf", "anyOf"] {
        if let Some(Value::Array(parts)) = cleaned.get_mut(key) {
            *parts = parts.iter().map(|part| clean_part(part, key == "allOf")).collect();
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(part) = cleaned.get_mut(key) {
            *part = clean_part(part, false);
        }
    }
    clean_properties(&mut cleaned, in_all_of || schema.contains_key("allOf"));
    Value::Object(cleaned)
}

fn clean_format(schema: &mut Map<String, Value>) {
    let text = schema.get("type").and_then(Value::as_str) == Some("string");
    let typed =
        schema.get("format").and_then(Value::as_str).is_some_and(|format| TYPED_FORMATS.contains(&format));
    if !(text && typed) {
        schema.remove("format");
    }
}

/// A required property that has a default may be left out by the sender; one that may be null becomes an option.
fn clean_properties(schema: &mut Map<String, Value>, in_all_of: bool) {
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut required: Vec<String> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        .unwrap_or_default();
    required.retain(|name| match properties.get(name) {
        Some(property) => property.get("default").is_none(),
        None => in_all_of,
    });
    let cleaned: Map<String, Value> = properties
        .iter()
        .map(|(name, property)| {
            let nullable = property.get("nullable") == Some(&Value::Bool(true)) && required.contains(name);
            let property = clean(property);
            let property = if nullable { json!({"oneOf": [property, {"type": "null"}]}) } else { property };
            (name.clone(), property)
        })
        .collect();
    if !cleaned.is_empty() {
        schema.insert("properties".to_owned(), Value::Object(cleaned));
    }
    if required.is_empty() {
        schema.remove("required");
    } else {
        schema.insert("required".to_owned(), required.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_change_the_type_goes() {
        for (schema, cleaned) in [
            (
                json!({"type": "integer", "format": "int32", "minimum": 0, "maximum": 9, "example": 1}),
                json!({"type": "integer"}),
            ),
            (json!({"type": "string", "format": "binary"}), json!({"type": "string"})),
            (
                json!({"type": "string", "format": "uuid", "minLength": 1}),
                json!({"type": "string", "format": "uuid"}),
            ),
            (json!({"type": "string", "title": "Name", "nullable": true}), json!({"type": "string"})),
            (
                json!({"type": "array", "items": {"type": "integer", "minimum": 1}, "uniqueItems": true}),
                json!({"type": "array", "items": {"type": "integer"}}),
            ),
            (json!({"$ref": "#/components/schemas/A"}), json!({"$ref": "#/definitions/A"})),
            (
                json!({"allOf": [{"$ref": "#/components/schemas/A"}], "description": "d"}),
                json!({"$ref": "#/definitions/A", "description": "d"}),
            ),
        ] {
            assert_eq!(clean(&schema), cleaned, "{schema}");
        }
    }

    #[test]
    fn a_property_may_be_called_like_a_keyword() {
        let schema = json!({"type": "object", "properties": {"example": {"type": "string", "example": "x"}}});
        assert_eq!(clean(&schema), json!({"type": "object", "properties": {"example": {"type": "string"}}}));
    }

    #[test]
    fn defaults_and_nulls_change_what_is_required() {
        let schema = json!({
            "type": "object",
            "required": ["a", "b", "c", "gone"],
            "properties": {
                "a": {"type": "integer", "default": 50},
                "b": {"type": "string", "nullable": true},
                "c": {"type": "string"},
            },
        });
        let cleaned = clean(&schema);
        assert_eq!(cleaned["required"], json!(["b", "c"]));
        assert_eq!(cleaned["properties"]["b"], json!({"oneOf": [{"type": "string"}, {"type": "null"}]}));
    }
}
