//! Writes `models.py`: a dataclass, an enumeration or an alias per schema.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use heck::ToShoutySnakeCase;
use serde_json::{Map, Value};

use super::text::{MARK, bracketed, comment, docstring, quoted, snake};
use crate::generate::model::{Api, reference_name};

/// The whole file.
pub fn write(api: &Api) -> Result<String> {
    let (mut classes, mut aliases, mut fields) = (String::new(), String::new(), String::new());
    for (name, schema) in &api.schemas {
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            classes += &enumeration(name, schema, values);
        } else if is_object(schema) {
            let (class, wire) = dataclass(api, name, schema).with_context(|| format!("schema {name}"))?;
            classes += &class;
            fields += &wire;
        } else {
            aliases += &alias(api, name, schema).with_context(|| format!("schema {name}"))?;
        }
    }
    Ok(format!(
        "{MARK}\"\"\"The wire types: one per schema of the document.\"\"\"\n\n\
         from __future__ import annotations\n\n\
         import dataclasses\nfrom datetime import datetime\nfrom typing import Any\n\n\
         from . import wire\nfrom .wire import Choice, Field, ListOf, MapOf, Model, Of\n\n\
         {classes}\n{aliases}\n\n\
         # How each attribute is written in JSON. This comes last, since classes refer to each other.\n{fields}"
    ))
}

fn is_object(schema: &Value) -> bool {
    schema.get("properties").is_some()
        || schema.get("allOf").and_then(Value::as_array).is_some_and(|all| all.len() > 1)
}

fn enumeration(name: &str, schema: &Value, values: &[Value]) -> String {
    let doc = docstring(schema.get("description").and_then(Value::as_str).unwrap_or(name), 4);
    let members: String = values
        .iter()
        .filter_map(Value::as_str)
        .map(|value| format!("    {} = {}\n", member(value), quoted(value)))
        .collect();
    format!("\nclass {name}(wire.OpenEnum):\n{doc}\n{members}\n")
}

/// The name of an enumeration's member.
fn member(value: &str) -> String {
    let name = value.to_shouty_snake_case();
    if name.starts_with(|first: char| first.is_ascii_digit()) || name.is_empty() {
        format!("VALUE_{name}")
    } else {
        name
    }
}

/// The class, and the statement that says how it is written.
fn dataclass(api: &Api, name: &str, schema: &Value) -> Result<(String, String)> {
    let doc = docstring(schema.get("description").and_then(Value::as_str).unwrap_or(name), 4);
    let mut required = BTreeSet::new();
    let mut properties = Map::new();
    collect(api, schema, &mut required, &mut properties);
    let (mut attributes, mut fields) = (String::new(), Vec::new());
    for (wire_name, property) in &properties {
        let default = property.get("default").or_else(|| api.resolve(property).get("default"));
        let kind = kind(api, property).with_context(|| wire_name.clone())?;
        let attribute = snake(wire_name);
        let nullable = property.get("nullable") == Some(&Value::Bool(true));
        let needed = required.contains(wire_name.as_str());
        let default = default_of(default, &kind.annotation);
        attributes += &comment(property.get("description").and_then(Value::as_str).unwrap_or_default(), 4);
        attributes += &match (&default, needed && !nullable) {
            (Some(default), _) => format!("    {attribute}: {} = {default}\n", kind.annotation),
            (None, true) => format!("    {attribute}: {}\n", kind.annotation),
            (None, false) => format!("    {attribute}: {} | None = None\n", kind.annotation),
        };
        let mut arguments = vec![quoted(&attribute), quoted(wire_name), kind.codec];
        if needed && default.is_none() && !nullable {
            arguments.push("required=True".to_owned());
        }
        fields.push(format!("Field({})", arguments.join(", ")));
    }
    let class =
        format!("\n@dataclasses.dataclass(kw_only=True)\nclass {name}(Model):\n{doc}\n{attributes}\n");
    let wire = bracketed(&format!("{name}.WIRE = ("), &fields, ")", 0);
    // One value in brackets is no tuple without a comma.
    let lone = fields.len() == 1 && !wire.contains('\n');
    let wire = if lone { wire.trim_end_matches(')').to_owned() + "),)" } else { wire };
    Ok((class, wire + "\n"))
}

/// Only plain values; a list or an object would be shared between all instances.
fn default_of(default: Option<&Value>, annotation: &str) -> Option<String> {
    Some(match default? {
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if annotation == "str" => quoted(text),
        Value::String(text) => format!("{annotation}.{}", member(text)),
        _ => return None,
    })
}

/// The properties of a schema and of all parts of an `allOf`.
fn collect(api: &Api, schema: &Value, required: &mut BTreeSet<String>, properties: &mut Map<String, Value>) {
    let schema = api.resolve(schema);
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        collect(api, part, required, properties);
    }
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    required.extend(names.filter_map(Value::as_str).map(str::to_owned));
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        properties.insert(name.clone(), property.clone());
    }
}

fn alias(api: &Api, name: &str, schema: &Value) -> Result<String> {
    match reference_name(schema) {
        Some(target) => Ok(format!("{name} = {target}\n")),
        None => Ok(format!("{name} = {}\n", kind(api, schema)?.annotation)),
    }
}

/// How a value is annotated, and the expression that reads and writes it.
pub struct Kind {
    pub annotation: String,
    pub codec: String,
}

/// The kind of a schema; `codec` is an expression in the namespace of `models.py`.
pub fn kind(api: &Api, schema: &Value) -> Result<Kind> {
    let of =
        |annotation: &str, codec: &str| Kind { annotation: annotation.to_owned(), codec: codec.to_owned() };
    if let Some(name) = reference_name(schema) {
        let target = api.schemas.get(name).with_context(|| format!("there is no schema {name}"))?;
        if target.get("enum").is_some() {
            return Ok(of(name, &format!("Choice({name})")));
        }
        if is_object(target) {
            return Ok(of(name, &format!("Of({name})")));
        }
        let inner = kind(api, target)?;
        return Ok(Kind { annotation: name.to_owned(), codec: inner.codec });
    }
    if is_object(schema) {
        bail!("an object with properties needs a name of its own in components.schemas");
    }
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    Ok(match (text("type"), text("format")) {
        (Some("string"), Some("date-time")) => of("datetime", "wire.TIME"),
        (Some("string"), _) => of("str", "wire.TEXT"),
        (Some("integer"), _) => of("int", "wire.INTEGER"),
        (Some("number"), _) => of("float", "wire.NUMBER"),
        (Some("boolean"), _) => of("bool", "wire.BOOLEAN"),
        (Some("array"), _) => {
            let item = kind(api, schema.get("items").context("an array needs items")?)?;
            of(&format!("list[{}]", item.annotation), &format!("ListOf({})", item.codec))
        }
        (Some("object"), _) => match schema.get("additionalProperties") {
            Some(values @ Value::Object(_)) => {
                let value = kind(api, values)?;
                of(&format!("dict[str, {}]", value.annotation), &format!("MapOf({})", value.codec))
            }
            _ => of("dict[str, Any]", "wire.OBJECT"),
        },
        (None, _) => of("Any", "wire.ANY"),
        (Some(other), _) => bail!("type {other} is not understood"),
    })
}
