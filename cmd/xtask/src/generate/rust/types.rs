//! The wire types, by `typify`, with what it cannot know mended afterwards.

use anyhow::{Context, Result, ensure};
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use serde_json::Value;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Field, Fields, Ident, Type, parse_quote};
use typify::{TypeSpace, TypeSpaceSettings};

use super::validation;
use crate::generate::model::Api;
use crate::generate::schema::clean;

/// Collects the types that the operations need.
pub struct Types {
    space: TypeSpace,
}

impl Types {
    /// Starts with the named schemas.
    pub fn new(api: &Api) -> Result<Types> {
        let mut settings = TypeSpaceSettings::default();
        settings
            .with_type_mod("types")
            .with_derive("PartialEq".to_owned())
            // Sorted, so that the same value is always written in the same way.
            .with_map_type("::std::collections::BTreeMap");
        let mut space = TypeSpace::new(&settings);
        let mut definitions = Vec::new();
        for (name, schema) in &api.schemas {
            let schema = serde_json::from_value(clean(schema)).with_context(|| format!("schema {name}"))?;
            definitions.push((name.clone(), schema));
        }
        space.add_ref_types(definitions).context("components.schemas")?;
        Ok(Types { space })
    }

    /// The Rust type of a schema, for example `types::Job`. A schema without a name gets `hint`, if it needs one.
    pub fn of(&mut self, schema: &Value, hint: &str) -> Result<TokenStream> {
        let schema = serde_json::from_value(clean(schema)).with_context(|| format!("schema of {hint}"))?;
        let id = self
            .space
            .add_type_with_name(&schema, Some(hint.to_owned()))
            .with_context(|| format!("schema of {hint}"))?;
        Ok(self.space.get_type(&id)?.ident())
    }

    /// The code of all types, to be called when every operation has got its types.
    pub fn write(&self, api: &Api) -> Result<TokenStream> {
        let mut file: syn::File = syn::parse2(self.space.to_stream()).context("typify wrote no Rust")?;
        Mend.visit_file_mut(&mut file);
        let types = file.into_token_stream();
        ensure!(
            !types.to_string().contains(". unwrap ()"),
            "typify wrote an unwrap(), probably for the default of a list or an object: leave that default out"
        );
        let checks = validation::implementations(api)?;
        Ok(quote! {
            //! The wire types: one per schema of the document.

            #types
            #checks
        })
    }
}

/// Mends the code of typify:
///
/// * an optional list or object becomes an `Option`, since absent and empty are not the same on the wire,
/// * a required list or object may be `null`, which is how Go writes an empty one,
/// * default numbers come without a conversion that could panic,
/// * the schemas that typify copies into the doc comments go.
struct Mend;

impl VisitMut for Mend {
    fn visit_fields_mut(&mut self, fields: &mut Fields) {
        fields.iter_mut().for_each(mend_collection);
        visit_mut::visit_fields_mut(self, fields);
    }

    fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
        drop_schema_docs(attributes);
        for attribute in attributes {
            mend_default_attribute(attribute);
        }
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if module.ident == "defaults"
            && let Some((_, items)) = &mut module.content
        {
            let number = |item: &syn::Item| matches!(item, syn::Item::Fn(function) if is_default_number(&function.sig.ident));
            items.retain(|item| !number(item));
            items.push(parse_quote! {
                pub(super) fn integer<const V: i64>() -> i64 { V }
            });
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        for segment in &mut path.segments {
            if is_default_number(&segment.ident)
                && let syn::PathArguments::AngleBracketed(arguments) = &mut segment.arguments
            {
                segment.ident = Ident::new("integer", Span::call_site());
                arguments.args = arguments.args.iter().skip(1).cloned().collect();
            }
        }
        visit_mut::visit_path_mut(self, path);
    }
}

fn is_default_number(name: &Ident) -> bool {
    name == "default_u64" || name == "default_i64"
}

fn mend_default_attribute(attribute: &mut Attribute) {
    let text = attribute.to_token_stream().to_string();
    if text.contains("default_u64::<i64, ") || text.contains("default_i64::<i64, ") {
        let text =
            text.replace("default_u64::<i64, ", "integer::<").replace("default_i64::<i64, ", "integer::<");
        // What was an attribute before still is one.
        if let Ok(mended) = syn::parse::Parser::parse_str(Attribute::parse_outer, &text)
            && let Some(first) = mended.into_iter().next()
        {
            *attribute = first;
        }
    }
}

/// Keeps the lines before the block that starts with `<details>`.
fn drop_schema_docs(attributes: &mut Vec<Attribute>) {
    for attribute in attributes.iter_mut() {
        if let Some(text) = doc_text(attribute)
            && let Some(start) = text.find("<details>")
        {
            let kept = text[..start].trim_end().to_owned();
            *attribute = parse_quote!(#[doc = #kept]);
        }
    }
    attributes.retain(|attribute| doc_text(attribute).is_none_or(|text| !text.trim().is_empty()));
}

fn doc_text(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        syn::Meta::NameValue(syn::MetaNameValue {
            path,
            value: syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }),
            ..
        }) if path.is_ident("doc") => Some(text.value()),
        _ => None,
    }
}

fn mend_collection(field: &mut Field) {
    if !is_collection(&field.ty) {
        return;
    }
    let serde = field.attrs.iter_mut().find(|attribute| attribute.path().is_ident("serde"));
    let text = serde.as_ref().map(|attribute| attribute.to_token_stream().to_string()).unwrap_or_default();
    if !text.contains("is_empty") {
        field.attrs.push(parse_quote!(#[serde(deserialize_with = "crate::null::as_empty")]));
        return;
    }
    let Some(serde) = serde else { return };
    let renamed = rename_of(serde).map(|name| quote!(rename = #name,));
    *serde = parse_quote!(#[serde(#renamed default, skip_serializing_if = "::std::option::Option::is_none")]);
    let inner = &field.ty;
    field.ty = parse_quote!(::std::option::Option<#inner>);
}

/// The wire name of a field whose Rust name differs.
fn rename_of(serde: &Attribute) -> Option<String> {
    let mut name = None;
    // The other settings of the attribute are read over.
    let _ = serde.parse_nested_meta(|meta| {
        if let Ok(value) = meta.value() {
            let text: syn::LitStr = value.parse()?;
            if meta.path.is_ident("rename") {
                name = Some(text.value());
            }
        }
        Ok(())
    });
    name
}

fn is_collection(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path
        .segments
        .last()
        .is_some_and(|segment| ["Vec", "Map", "BTreeMap"].iter().any(|name| segment.ident == name))
}
