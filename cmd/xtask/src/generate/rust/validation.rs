//! Writes the checks of limits (`minimum`, `maxLength`, …) that a type cannot express, as calls on
//! `flamenco_api::validate::Check`, which knows where in the body it is.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use proc_macro2::TokenStream;
use quote::quote;
use serde_json::{Map, Value};

use super::kinds::option;
use super::names;
use crate::generate::model::{Api, reference_name};

/// Keywords that limit a value and for which there is no check; a document that uses one promises too much.
const UNCHECKED: &[&str] = &[
    "pattern",
    "multipleOf",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "exclusiveMinimum",
    "exclusiveMaximum",
];

/// `impl Validate` for every named schema that has limits somewhere in it.
pub fn implementations(api: &Api) -> Result<TokenStream> {
    let mut code = TokenStream::new();
    for (name, schema) in &api.schemas {
        let is_struct = !fields(api, schema).is_empty();
        let value = if is_struct { quote!(self) } else { quote!(self.0) };
        if let Some(rules) = inner_rules(api, schema, value)? {
            let rust = names::pascal(name);
            code.extend(quote! {
                impl crate::validate::Validate for #rust {
                    fn validate(&self, check: &mut crate::validate::Check) { #rules }
                }
            });
        }
    }
    Ok(code)
}

/// Statements that check the expression `value` (a reference or a place) against a schema; none if it has no limits.
pub fn rules(api: &Api, schema: &Value, value: TokenStream) -> Result<Option<TokenStream>> {
    match reference_name(schema) {
        Some(name) if limited(api, name, &mut BTreeSet::new()) => Ok(Some(quote!(check.value(&#value);))),
        Some(_) => Ok(None),
        None => inner_rules(api, schema, value),
    }
}

/// As [`rules`], for a schema that is no reference.
fn inner_rules(api: &Api, schema: &Value, value: TokenStream) -> Result<Option<TokenStream>> {
    for keyword in UNCHECKED {
        if schema.get(keyword).is_some_and(|limit| limit != &Value::Bool(false)) {
            bail!("`{keyword}` is not checked by the generated code; leave it out, or teach the generator");
        }
    }
    let fields = fields(api, schema);
    if !fields.is_empty() {
        return field_rules(api, &fields, &value);
    }
    let number = |key: &str| option(&schema.get(key).and_then(Value::as_f64));
    let integer = |key: &str| option(&schema.get(key).and_then(Value::as_i64));
    let length = |key: &str| option(&schema.get(key).and_then(Value::as_u64));
    let has = |keys: [&str; 2]| keys.iter().any(|key| schema.get(*key).is_some());
    Ok(match schema.get("type").and_then(Value::as_str) {
        Some("integer") if has(["minimum", "maximum"]) => {
            let (minimum, maximum) = (integer("minimum"), integer("maximum"));
            Some(quote!(check.integer(#value, #minimum, #maximum);))
        }
        Some("number") if has(["minimum", "maximum"]) => {
            let (minimum, maximum) = (number("minimum"), number("maximum"));
            Some(quote!(check.number(#value, #minimum, #maximum);))
        }
        Some("string") if has(["minLength", "maxLength"]) => {
            let (shortest, longest) = (length("minLength"), length("maxLength"));
            Some(quote!(check.text(&#value, #shortest, #longest);))
        }
        Some("array") => {
            let limits = has(["minItems", "maxItems"]).then(|| {
                let (fewest, most) = (length("minItems"), length("maxItems"));
                quote!(check.count(#value.len(), #fewest, #most);)
            });
            let items = match schema.get("items") {
                Some(items) => rules(api, items, element(api, items))?
                    .map(|rules| quote!(check.items(#value.iter(), |check, item| { #rules });)),
                None => None,
            };
            (limits.is_some() || items.is_some()).then(|| quote!(#limits #items))
        }
        Some("object") => match schema.get("additionalProperties") {
            Some(values @ Value::Object(_)) => rules(api, values, element(api, values))?
                .map(|rules| quote!(check.entries(#value.iter(), |check, item| { #rules });)),
            _ => None,
        },
        _ => None,
    })
}

/// How to write the variable `item`, which is a reference: numbers are passed by value.
fn element(api: &Api, schema: &Value) -> TokenStream {
    let scalar =
        matches!(api.resolve(schema).get("type").and_then(Value::as_str), Some("integer" | "number"));
    if scalar && reference_name(schema).is_none() { quote!(*item) } else { quote!(item) }
}

struct Field<'a> {
    name: &'a str,
    schema: &'a Value,
    /// The Rust field is an `Option`.
    optional: bool,
}

/// The properties of an object, those of all parts of an `allOf` included.
fn fields<'a>(api: &'a Api, schema: &'a Value) -> Vec<Field<'a>> {
    let mut properties: Map<String, Value> = Map::new();
    let mut required = BTreeSet::new();
    collect_required(api, schema, &mut required);
    let mut found: Vec<Field> = Vec::new();
    collect_properties(api, schema, &mut |name, schema| {
        if properties.insert(name.clone(), Value::Null).is_none() {
            let has_default = schema.get("default").is_some();
            let nullable = schema.get("nullable") == Some(&Value::Bool(true));
            let optional = !has_default && (nullable || !required.contains(name.as_str()));
            found.push(Field { name, schema, optional });
        }
    });
    found
}

fn collect_required<'a>(api: &'a Api, schema: &'a Value, required: &mut BTreeSet<&'a str>) {
    let schema = api.resolve(schema);
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    required.extend(names.filter_map(Value::as_str));
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        collect_required(api, part, required);
    }
}

fn collect_properties<'a>(api: &'a Api, schema: &'a Value, found: &mut impl FnMut(&'a String, &'a Value)) {
    let schema = api.resolve(schema);
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        found(name, property);
    }
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        collect_properties(api, part, found);
    }
}

fn field_rules(api: &Api, fields: &[Field], value: &TokenStream) -> Result<Option<TokenStream>> {
    let mut code = TokenStream::new();
    for field in fields {
        let (wire_name, rust) = (field.name, names::snake(field.name));
        let place = if field.optional { element(api, field.schema) } else { quote!(#value.#rust) };
        let Some(rules) = rules(api, field.schema, place.clone())? else { continue };
        code.extend(if field.optional {
            quote!(if let Some(item) = &#value.#rust { check.field(#wire_name, |check| { #rules }); })
        } else {
            quote!(check.field(#wire_name, |check| { #rules });)
        });
    }
    Ok((!code.is_empty()).then_some(code))
}

/// True if a named schema has limits somewhere in it.
fn limited<'a>(api: &'a Api, name: &'a str, seen: &mut BTreeSet<&'a str>) -> bool {
    seen.insert(name) && api.schemas.get(name).is_some_and(|schema| limited_inside(api, schema, seen))
}

fn limited_inside<'a>(api: &'a Api, schema: &'a Value, seen: &mut BTreeSet<&'a str>) -> bool {
    if let Some(name) = reference_name(schema) {
        return limited(api, name, seen);
    }
    let limits = ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"];
    let parts = ["items", "additionalProperties"].into_iter().filter_map(|key| schema.get(key));
    let parts = parts.chain(schema.get("allOf").and_then(Value::as_array).into_iter().flatten());
    let mut parts =
        parts.chain(schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::values));
    limits.iter().any(|limit| schema.get(limit).is_some())
        || parts.any(|part| limited_inside(api, part, seen))
}
