//! The values that fit into a path, a query or a header, and how they are read and written there.

use anyhow::{Context, Result, bail};
use proc_macro2::TokenStream;
use quote::quote;
use serde_json::Value;

use super::types::Types;
use crate::generate::model::Api;

/// What a parameter holds.
pub enum Kind {
    Uuid,
    Time,
    Boolean,
    Integer { minimum: Option<i64>, maximum: Option<i64> },
    Number { minimum: Option<f64>, maximum: Option<f64> },
    Text { shortest: Option<u64>, longest: Option<u64> },
    Choice { rust: TokenStream, values: Vec<String> },
    List(Box<Kind>),
}

impl Kind {
    /// Finds the kind of a schema. `hint` names the type of an unnamed enumeration.
    pub fn of(api: &Api, types: &mut Types, schema: &Value, hint: &str) -> Result<Kind> {
        let resolved = api.resolve(schema);
        let text = |key: &str| resolved.get(key).and_then(Value::as_str);
        let integer = |key: &str| resolved.get(key).and_then(Value::as_i64);
        let number = |key: &str| resolved.get(key).and_then(Value::as_f64);
        let length = |key: &str| resolved.get(key).and_then(Value::as_u64);
        if let Some(values) = resolved.get("enum").and_then(Value::as_array) {
            let values = values.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            return Ok(Kind::Choice { rust: types.of(schema, hint)?, values });
        }
        Ok(match (text("type").context("a parameter needs a type")?, text("format")) {
            ("string", Some("uuid")) => Kind::Uuid,
            ("string", Some("date-time")) => Kind::Time,
            ("string", _) => Kind::Text { shortest: length("minLength"), longest: length("maxLength") },
            ("boolean", _) => Kind::Boolean,
            ("integer", _) => Kind::Integer { minimum: integer("minimum"), maximum: integer("maximum") },
            ("number", _) => Kind::Number { minimum: number("minimum"), maximum: number("maximum") },
            ("array", _) => {
                let items = resolved.get("items").context("an array needs items")?;
                Kind::List(Box::new(Kind::of(api, types, items, hint)?))
            }
            (other, _) => bail!("a parameter cannot be of type {other}"),
        })
    }

    /// The type that holds such a value.
    pub fn rust(&self) -> TokenStream {
        match self {
            Kind::Uuid => quote!(::uuid::Uuid),
            Kind::Time => quote!(::chrono::DateTime<::chrono::Utc>),
            Kind::Boolean => quote!(bool),
            Kind::Integer { .. } => quote!(i64),
            Kind::Number { .. } => quote!(f64),
            Kind::Text { .. } => quote!(String),
            Kind::Choice { rust, .. } => rust.clone(),
            Kind::List(item) => {
                let item = item.rust();
                quote!(Vec<#item>)
            }
        }
    }

    /// The type of a function's argument that holds such a value.
    pub fn borrowed(&self) -> TokenStream {
        match self {
            Kind::Text { .. } => quote!(&str),
            Kind::List(_) => {
                let rust = self.rust();
                quote!(&#rust)
            }
            _ => self.rust(),
        }
    }

    /// An expression: the function that reads one value from its text, `&str -> Result<_, String>`.
    pub fn parser(&self) -> TokenStream {
        match self {
            Kind::Uuid => quote!(parse::uuid),
            Kind::Time => quote!(parse::time),
            Kind::Boolean => quote!(parse::boolean),
            Kind::Integer { minimum, maximum } => {
                let (minimum, maximum) = (option(minimum), option(maximum));
                quote!(|text| parse::integer(text, #minimum, #maximum))
            }
            Kind::Number { minimum, maximum } => {
                let (minimum, maximum) = (option(minimum), option(maximum));
                quote!(|text| parse::number(text, #minimum, #maximum))
            }
            Kind::Text { shortest, longest } => {
                let (shortest, longest) = (option(shortest), option(longest));
                quote!(|text| parse::text(text, #shortest, #longest))
            }
            Kind::Choice { values, .. } => quote!(|text| parse::choice(text, &[#(#values),*])),
            Kind::List(item) => item.parser(),
        }
    }

    /// True if the type has a `Default`.
    pub fn has_default(&self) -> bool {
        !matches!(self, Kind::Choice { .. })
    }

    /// True for a list.
    pub fn is_list(&self) -> bool {
        matches!(self, Kind::List(_))
    }

    /// An expression: the text of the value in the expression `value` (a reference to it).
    pub fn written(&self, value: TokenStream) -> TokenStream {
        match self {
            Kind::Time => quote!(#value.to_rfc3339_opts(::chrono::SecondsFormat::AutoSi, true)),
            _ => quote!(#value.to_string()),
        }
    }
}

/// An `Option` as source text.
pub fn option<T: quote::ToTokens>(value: &Option<T>) -> TokenStream {
    match value {
        Some(value) => quote!(Some(#value)),
        None => quote!(None),
    }
}
