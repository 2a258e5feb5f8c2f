//! Writes `operations.rs`: what server and client both need to know of every operation.

use anyhow::{Context, Result};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::kinds::Kind;
use super::names;
use super::types::Types;
use crate::generate::model::{Api, Code, Content, ContentKind, Operation, Param, Response, reference_name};

/// The whole file.
pub fn write(api: &Api, types: &mut Types) -> Result<TokenStream> {
    let mut constants = Vec::new();
    let mut declarations = Vec::new();
    for operation in &api.operations {
        constants.push(constant(operation));
        let written = declare(api, types, operation).with_context(|| operation.id.clone())?;
        declarations.push(written);
    }
    let all = api.operations.iter().map(|operation| names::shouty(&operation.id));
    Ok(quote! {
        //! The operations of the API, their parameters and their answers.

        use serde::{Deserialize, Serialize};

        use super::types;
        use crate::Operation;

        /// Every operation, in the order of the document.
        pub static OPERATIONS: &[Operation] = &[#(#all),*];

        #(#constants)*
        #(#declarations)*
    })
}

fn constant(operation: &Operation) -> TokenStream {
    let Operation { id, tag, method, path, worker_auth, .. } = operation;
    let name = names::shouty(id);
    let doc = format!(" `{method} {path}`");
    quote! {
        #[doc = #doc]
        pub const #name: Operation =
            Operation { id: #id, tag: #tag, method: #method, path: #path, worker_auth: #worker_auth };
    }
}

fn declare(api: &Api, types: &mut Types, operation: &Operation) -> Result<TokenStream> {
    let id = &operation.id;
    let mut code = TokenStream::new();
    if !operation.query.is_empty() {
        let doc = format!(" Query parameters of `{id}`.");
        code.extend(parameters(api, types, &doc, names::query(id), &operation.query)?);
    }
    if !operation.headers.is_empty() {
        let doc = format!(" Header parameters of `{id}`.");
        code.extend(parameters(api, types, &doc, names::headers(id), &operation.headers)?);
    }
    code.extend(answers(api, types, operation)?);
    Ok(code)
}

fn parameters(api: &Api, types: &mut Types, doc: &str, name: Ident, params: &[Param]) -> Result<TokenStream> {
    let mut fields = Vec::new();
    let mut all_have_default = true;
    for param in params {
        let kind = Kind::of(api, types, &param.schema, &format!("{name}-{}", param.name))
            .with_context(|| format!("parameter {}", param.name))?;
        let (field, wire_name, doc) = (names::snake(&param.name), &param.name, docs(&param.doc));
        let rust = kind.rust();
        fields.push(if param.required {
            all_have_default &= kind.has_default();
            quote!(#doc #[serde(rename = #wire_name)] pub #field: #rust)
        } else {
            quote! {
                #doc
                #[serde(rename = #wire_name, default, skip_serializing_if = "Option::is_none")]
                pub #field: Option<#rust>
            }
        });
    }
    let default = all_have_default.then(|| quote!(, Default));
    Ok(quote! {
        #[doc = #doc]
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize #default)]
        pub struct #name { #(#fields),* }
    })
}

fn answers(api: &Api, types: &mut Types, operation: &Operation) -> Result<TokenStream> {
    let name = names::response(&operation.id);
    let doc = format!(" The answers of `{}`.", operation.id);
    let mut variants = Vec::new();
    let mut bodies = TokenStream::new();
    for response in &operation.responses {
        let body = body_type(types, operation, response)?;
        bodies.extend(choice_of_bodies(types, operation, response)?);
        variants.push(variant_declaration(api, types, response, body)?);
    }
    let derives = derives(operation.responses.iter().flat_map(|response| &response.contents));
    let status_arms = operation.responses.iter().map(status_arm).collect::<Result<Vec<_>>>()?;
    let problem_arms = operation.responses.iter().filter_map(problem_arm);
    let all_failures = operation.responses.iter().all(|response| problem_arm(response).is_some());
    let no_problem = (!all_failures).then(|| quote!(_ => None,));
    Ok(quote! {
        #[doc = #doc]
        #[derive(#derives)]
        pub enum #name { #(#variants),* }

        impl #name {
            /// The status code of this answer.
            pub fn status(&self) -> ::http::StatusCode {
                match self { #(#status_arms)* }
            }

            /// What went wrong, if the status is 400 or above.
            pub fn problem(&self) -> Option<crate::Problem> {
                match self { #(#problem_arms)* #no_problem }
            }
        }
        #bodies
    })
}

/// The arm of `status()`.
fn status_arm(response: &Response) -> Result<TokenStream> {
    let variant = variant(response.code);
    Ok(match (response.code, layout(response)) {
        (Code::Exact(code), layout) => {
            let status = named_status(code)?;
            let rest = match layout {
                Layout::Unit => TokenStream::new(),
                Layout::Body => quote!((..)),
                Layout::Fields => quote!({ .. }),
            };
            quote!(Self::#variant #rest => #status,)
        }
        _ => quote!(Self::#variant { status, .. } => *status,),
    })
}

/// The arm of `problem()`, for a response that says that something went wrong.
fn problem_arm(response: &Response) -> Option<TokenStream> {
    if matches!(response.code, Code::Exact(..400) | Code::Range(..4)) {
        return None;
    }
    let variant = variant(response.code);
    let message = match response.contents.as_slice() {
        [Content { kind: ContentKind::Json(schema), .. }] => {
            matches!(reference_name(schema), Some("Error" | "SecurityError"))
        }
        _ => false,
    };
    let text = if message { quote!(Some(&body.message)) } else { quote!(None) };
    let wait = response.headers.iter().find(|header| is_retry_after(header)).map(|header| {
        let name = names::snake(&header.name);
        if header.required { quote!(Some(*#name)) } else { quote!(*#name) }
    });
    let wait = wait.unwrap_or(quote!(None));
    let body = message.then(|| quote!(body,));
    let pattern = match layout(response) {
        Layout::Unit => TokenStream::new(),
        Layout::Body if message => quote!((body)),
        Layout::Body => quote!((..)),
        Layout::Fields => {
            let header = response.headers.iter().find(|header| is_retry_after(header));
            let header = header.map(|header| names::snake(&header.name)).map(|name| quote!(#name,));
            quote!({ #body #header .. })
        }
    };
    Some(quote!(Self::#variant #pattern => Some(crate::Problem::received(self.status(), #text, #wait)),))
}

/// A number of seconds; the other form, a date, is not used by this API.
fn is_retry_after(header: &Param) -> bool {
    header.name.eq_ignore_ascii_case("retry-after")
        && header.schema.get("type").and_then(serde_json::Value::as_str) == Some("integer")
}

/// The constant of a status code.
pub fn named_status(code: u16) -> Result<TokenStream> {
    let status = http::StatusCode::from_u16(code).with_context(|| format!("{code} is no status code"))?;
    let reason = status.canonical_reason().with_context(|| format!("status {code} has no name"))?;
    let name = names::shouty(reason);
    Ok(quote!(::http::StatusCode::#name))
}

/// A stream cannot be copied or compared.
fn derives<'a>(mut contents: impl Iterator<Item = &'a Content>) -> TokenStream {
    if contents.any(|content| matches!(content.kind, ContentKind::Binary)) {
        quote!(Debug)
    } else {
        quote!(Debug, Clone, PartialEq)
    }
}

fn variant_declaration(
    api: &Api,
    types: &mut Types,
    response: &Response,
    body: Option<TokenStream>,
) -> Result<TokenStream> {
    let (name, doc) = (variant(response.code), docs(&response.doc));
    if let Layout::Unit | Layout::Body = layout(response) {
        let body = body.map(|body| quote!((#body)));
        return Ok(quote!(#doc #name #body));
    }
    let mut fields = Vec::new();
    if !matches!(response.code, Code::Exact(_)) {
        fields.push(quote!(status: ::http::StatusCode));
    }
    fields.extend(body.map(|body| quote!(body: #body)));
    for header in &response.headers {
        let kind = header_kind(api, types, response, header)?;
        let (field, rust, doc) = (names::snake(&header.name), kind.rust(), docs(&header.doc));
        fields.push(if header.required {
            quote!(#doc #field: #rust)
        } else {
            quote!(#doc #field: Option<#rust>)
        });
    }
    Ok(quote!(#doc #name { #(#fields),* }))
}

/// How a variant holds its parts.
pub enum Layout {
    Unit,
    Body,
    Fields,
}

/// A lone body is a tuple; a status that is not fixed, or headers, need names.
pub fn layout(response: &Response) -> Layout {
    if !matches!(response.code, Code::Exact(_)) || !response.headers.is_empty() {
        Layout::Fields
    } else if response.contents.is_empty() {
        Layout::Unit
    } else {
        Layout::Body
    }
}

/// The kind of a response header.
pub fn header_kind(api: &Api, types: &mut Types, response: &Response, header: &Param) -> Result<Kind> {
    let hint = format!("{}-{}", variant(response.code), header.name);
    Kind::of(api, types, &header.schema, &hint).with_context(|| format!("header {}", header.name))
}

/// The variant of a status code.
pub fn variant(code: Code) -> Ident {
    match code {
        Code::Exact(code) => format_ident!("Status{code}"),
        Code::Range(digit) => format_ident!("Status{digit}xx"),
        Code::Default => format_ident!("Default"),
    }
}

/// The type of a response's body, if it has one.
fn body_type(types: &mut Types, operation: &Operation, response: &Response) -> Result<Option<TokenStream>> {
    match response.contents.as_slice() {
        [] => Ok(None),
        [only] => content_type(types, operation, response, only).map(Some),
        _ => {
            let name = choice_name(operation, response);
            Ok(Some(quote!(#name)))
        }
    }
}

/// The type of a response's body in one media type.
pub fn content_type(
    types: &mut Types,
    operation: &Operation,
    response: &Response,
    content: &Content,
) -> Result<TokenStream> {
    Ok(match &content.kind {
        ContentKind::Json(schema) => {
            types.of(schema, &format!("{}-{}-Body", operation.id, variant(response.code)))?
        }
        ContentKind::Text => quote!(String),
        ContentKind::Binary => quote!(crate::BodyStream),
    })
}

/// The name of the type for a body that can have several media types.
pub fn choice_name(operation: &Operation, response: &Response) -> Ident {
    names::pascal(&format!("{}-{}-Content", operation.id, variant(response.code)))
}

/// The variant of one media type, named for its second half.
pub fn choice_variant(content: &Content) -> Ident {
    let name = content.media_type.rsplit('/').next().unwrap_or(&content.media_type);
    names::pascal(name.trim_start_matches("x-"))
}

fn choice_of_bodies(types: &mut Types, operation: &Operation, response: &Response) -> Result<TokenStream> {
    if response.contents.len() < 2 {
        return Ok(TokenStream::new());
    }
    let mut variants = Vec::new();
    for content in &response.contents {
        let (name, rust) = (choice_variant(content), content_type(types, operation, response, content)?);
        let doc = format!(" `{}`", content.media_type);
        variants.push(quote!(#[doc = #doc] #name(#rust)));
    }
    let name = choice_name(operation, response);
    let doc = format!(" The media types of an answer of `{}`.", operation.id);
    let derives = derives(response.contents.iter());
    Ok(quote! {
        #[doc = #doc]
        #[derive(#derives)]
        pub enum #name { #(#variants),* }
    })
}

/// A text of the document as a doc comment.
pub fn docs(text: &str) -> TokenStream {
    let lines =
        text.trim().lines().map(|line| if line.is_empty() { String::new() } else { format!(" {line}") });
    quote!(#(#[doc = #lines])*)
}
