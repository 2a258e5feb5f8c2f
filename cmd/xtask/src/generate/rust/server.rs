//! Writes `server.rs`: a trait per tag, and the router that calls it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::kinds::Kind;
use super::operations::{self, Layout};
use super::types::Types;
use super::{names, validation};
use crate::generate::model::{Api, Body, BodyKind, Code, ContentKind, Operation, Param, Response};

/// The whole file.
pub fn write(api: &Api, types: &mut Types) -> Result<TokenStream> {
    let mut traits = Vec::new();
    for tag in &api.tags {
        traits.push(api_trait(api, types, tag)?);
    }
    let mut handlers = Vec::new();
    let mut replies = Vec::new();
    for operation in &api.operations {
        handlers.push(handler(api, types, operation).with_context(|| operation.id.clone())?);
        replies.push(reply(api, types, operation).with_context(|| operation.id.clone())?);
    }
    let router = router(api);
    Ok(quote! {
        //! The server: a trait per tag, whose methods are the operations, and the router that calls them.

        use std::future::{Future, ready};

        use axum::Router;
        use axum::extract::{Request, State};
        use axum::response::{IntoResponse, Response};

        use super::{operations, types};
        use crate::server::{Backend, Call, UploadBody, answer, methods, parse, reply, unknown_path};
        use crate::Problem;

        #(#traits)*
        #router
        #(#handlers)*
        #(#replies)*
    })
}

fn api_trait(api: &Api, types: &mut Types, tag: &str) -> Result<TokenStream> {
    let name = names::api_trait(tag);
    let mut methods = Vec::new();
    for operation in api.tagged(tag) {
        methods.push(method(api, types, operation).with_context(|| operation.id.clone())?);
    }
    let doc = format!(" The operations of the tag `{tag}`. One that is not implemented answers 501.");
    Ok(quote! {
        #[doc = #doc]
        pub trait #name: Backend { #(#methods)* }
    })
}

fn method(api: &Api, types: &mut Types, operation: &Operation) -> Result<TokenStream> {
    let (name, response) = (names::snake(&operation.id), names::response(&operation.id));
    let constant = names::shouty(&operation.id);
    let doc = format!("`{} {}`\n\n{}", operation.method, operation.path, operation.doc);
    let doc = operations::docs(&doc);
    let (arguments, argument_types): (Vec<_>, Vec<_>) = arguments(api, types, operation)?.into_iter().unzip();
    Ok(quote! {
        #doc
        fn #name(&self, caller: Self::Caller #(, #arguments: #argument_types)*)
            -> impl Future<Output = Result<operations::#response, Problem>> + Send
        {
            let _ = (caller, #(#arguments,)*);
            ready(Err(Problem::not_implemented(&operations::#constant)))
        }
    })
}

/// The arguments after `caller`, with their types.
fn arguments(api: &Api, types: &mut Types, operation: &Operation) -> Result<Vec<(TokenStream, TokenStream)>> {
    let mut arguments = Vec::new();
    for param in &operation.path_params {
        let name = names::snake(&param.name);
        let rust = path_kind(api, types, operation, param)?.rust();
        arguments.push((quote!(#name), rust));
    }
    if !operation.query.is_empty() {
        let name = names::query(&operation.id);
        arguments.push((quote!(query), quote!(operations::#name)));
    }
    if !operation.headers.is_empty() {
        let name = names::headers(&operation.id);
        arguments.push((quote!(headers), quote!(operations::#name)));
    }
    if let Some(body) = &operation.body {
        let rust = match &body.kind {
            BodyKind::Json(schema) => {
                let rust = types.of(schema, &format!("{}-Request", operation.id))?;
                if body.required { rust } else { quote!(Option<#rust>) }
            }
            BodyKind::Upload(_) => quote!(UploadBody),
        };
        arguments.push((quote!(body), rust));
    }
    Ok(arguments)
}

/// The kind of a path parameter, which cannot be a list.
pub fn path_kind(api: &Api, types: &mut Types, operation: &Operation, param: &Param) -> Result<Kind> {
    let kind = Kind::of(api, types, &param.schema, &format!("{}-{}", operation.id, param.name))
        .with_context(|| format!("parameter {}", param.name))?;
    if kind.is_list() {
        bail!("path parameter {}: a list is not understood here", param.name);
    }
    Ok(kind)
}

/// One route per path, so that axum knows which methods a path has.
fn router(api: &Api) -> TokenStream {
    let mut paths: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for operation in &api.operations {
        paths.entry(&operation.path).or_default().push(operation);
    }
    let routes = paths.iter().map(|(path, operations)| {
        let allowed = operations.iter().map(|one| one.method.as_str()).collect::<Vec<_>>().join(", ");
        let calls = operations.iter().map(|operation| {
            let method = format_ident!("{}", operation.method.to_lowercase());
            let handler = names::snake(&operation.id);
            quote!(.#method(#handler::<B>))
        });
        quote!(.route(#path, methods(#allowed) #(#calls)*))
    });
    let traits = api.tags.iter().map(|tag| names::api_trait(tag));
    quote! {
        /// Routes every operation to `backend`.
        ///
        /// A known path with another method is 405, any other path below `/api` is 404; both are JSON errors.
        pub fn router<B: #(#traits)+*>(backend: B) -> Router {
            Router::new()
                #(#routes)*
                .route("/api", unknown_path())
                .route("/api/", unknown_path())
                .route("/api/{*rest}", unknown_path())
                .with_state(backend)
        }
    }
}

fn handler(api: &Api, types: &mut Types, operation: &Operation) -> Result<TokenStream> {
    let (name, bound) = (names::snake(&operation.id), names::api_trait(&operation.tag));
    let constant = names::shouty(&operation.id);
    let mut steps = Vec::new();
    let mut passed = Vec::new();
    for param in &operation.path_params {
        let (variable, wire_name) = (names::snake(&param.name), &param.name);
        let parser = path_kind(api, types, operation, param)?.parser();
        steps.push(quote!(let #variable = call.path(#wire_name, #parser)?;));
        passed.push(quote!(#variable));
    }
    if !operation.query.is_empty() {
        let query = names::query(&operation.id);
        let fields = parameter_fields(api, types, &operation.query, &query.to_string(), "query")?;
        steps.push(quote!(let query = operations::#query { #fields };));
        passed.push(quote!(query));
    }
    if !operation.headers.is_empty() {
        let headers = names::headers(&operation.id);
        let fields = parameter_fields(api, types, &operation.headers, &headers.to_string(), "header")?;
        steps.push(quote!(let headers = operations::#headers { #fields };));
        passed.push(quote!(headers));
    }
    if let Some(body) = &operation.body {
        steps.push(body_step(api, types, operation, body)?);
        passed.push(quote!(body));
    }
    let call = if steps.is_empty() { quote!(_) } else { quote!(call) };
    Ok(quote! {
        async fn #name<B: #bound>(State(backend): State<B>, request: Request) -> Response {
            answer(async {
                let (#call, caller) = Call::begin(&backend, &operations::#constant, request).await?;
                #(#steps)*
                backend.#name(caller #(, #passed)*).await
            })
            .await
        }
    })
}

/// The fields of a struct of parameters; `place` is where they come from, and the prefix of the reading functions.
fn parameter_fields(
    api: &Api,
    types: &mut Types,
    params: &[Param],
    owner: &str,
    place: &str,
) -> Result<TokenStream> {
    let mut fields = Vec::new();
    for param in params {
        let kind = Kind::of(api, types, &param.schema, &format!("{owner}-{}", param.name))?;
        let (field, wire_name, parser) = (names::snake(&param.name), &param.name, kind.parser());
        let many = if kind.is_list() { "_list" } else { "" };
        let read = format_ident!("{place}{many}");
        let value = quote!(call.#read(#wire_name, #parser)?);
        fields.push(if param.required {
            quote!(#field: call.required(#wire_name, #value)?)
        } else {
            quote!(#field: #value)
        });
    }
    Ok(quote!(#(#fields),*))
}

fn body_step(api: &Api, types: &mut Types, operation: &Operation, body: &Body) -> Result<TokenStream> {
    let schema = match &body.kind {
        BodyKind::Upload(accepted) => return Ok(quote!(let body = call.upload(&[#(#accepted),*])?;)),
        BodyKind::Json(schema) => schema,
    };
    let rust = types.of(schema, &format!("{}-Request", operation.id))?;
    let read = if body.required { quote!(json) } else { quote!(optional_json) };
    let check = match validation::rules(api, schema, quote!(body))? {
        None => TokenStream::new(),
        Some(rules) if body.required => quote!(crate::validate::run(|check| { let body = &body; #rules })?;),
        Some(rules) => quote! {
            if let Some(body) = &body {
                crate::validate::run(|check| { #rules })?;
            }
        },
    };
    let constant = names::shouty(&operation.id);
    Ok(quote! {
        let body = call.#read::<#rust>(backend.json_body_limit(&operations::#constant)).await?;
        #check
    })
}

fn reply(api: &Api, types: &mut Types, operation: &Operation) -> Result<TokenStream> {
    let name = names::response(&operation.id);
    let mut arms = Vec::new();
    for response in &operation.responses {
        arms.push(reply_arm(api, types, operation, response)?);
    }
    Ok(quote! {
        impl IntoResponse for operations::#name {
            fn into_response(self) -> Response {
                match self { #(#arms)* }
            }
        }
    })
}

fn reply_arm(
    api: &Api,
    types: &mut Types,
    operation: &Operation,
    response: &Response,
) -> Result<TokenStream> {
    let variant = operations::variant(response.code);
    let status = match response.code {
        Code::Exact(code) => operations::named_status(code)?,
        _ => quote!(status),
    };
    let sent = match response.contents.as_slice() {
        [] => quote!(reply::empty(#status)),
        [only] => reply_body(&only.kind, &only.media_type, &status),
        several => {
            let choice = operations::choice_name(operation, response);
            let arms = several.iter().map(|content| {
                let variant = operations::choice_variant(content);
                let sent = reply_body(&content.kind, &content.media_type, &status);
                quote!(operations::#choice::#variant(body) => #sent,)
            });
            quote!(match body { #(#arms)* })
        }
    };
    Ok(match operations::layout(response) {
        Layout::Unit => quote!(Self::#variant => #sent,),
        Layout::Body => quote!(Self::#variant(body) => #sent,),
        Layout::Fields => {
            let status = (!matches!(response.code, Code::Exact(_))).then(|| quote!(status,));
            let body = (!response.contents.is_empty()).then(|| quote!(body,));
            let names: Vec<_> = response.headers.iter().map(|header| names::snake(&header.name)).collect();
            let mut headers = Vec::new();
            for header in &response.headers {
                headers.push(reply_header(api, types, response, header)?);
            }
            if headers.is_empty() {
                quote!(Self::#variant { #status #body } => #sent,)
            } else {
                quote!(Self::#variant { #status #body #(#names),* } => {
                    let mut response = #sent;
                    #(#headers)*
                    response
                })
            }
        }
    })
}

fn reply_body(kind: &ContentKind, media_type: &str, status: &TokenStream) -> TokenStream {
    match kind {
        ContentKind::Json(_) => quote!(reply::json(#status, &body)),
        ContentKind::Text => quote!(reply::text(#status, #media_type, body)),
        ContentKind::Binary => quote!(reply::stream(#status, #media_type, body)),
    }
}

fn reply_header(api: &Api, types: &mut Types, response: &Response, header: &Param) -> Result<TokenStream> {
    let kind = operations::header_kind(api, types, response, header)?;
    let (variable, wire_name) = (names::snake(&header.name), header.name.to_lowercase());
    let written = kind.written(quote!(#variable));
    let set = quote!(reply::header(&mut response, #wire_name, &#written););
    Ok(if header.required { set } else { quote!(if let Some(#variable) = #variable { #set }) })
}
