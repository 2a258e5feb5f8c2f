//! Writes the client: one method per operation.

use anyhow::{Context, Result};
use proc_macro2::TokenStream;
use quote::quote;

use super::kinds::Kind;
use super::operations::{self, Layout};
use super::types::Types;
use super::{names, server};
use crate::generate::model::{
    Api, Body, BodyKind, Code, Content, ContentKind, Operation, Param, Response, reference_name,
};

/// The whole file.
pub fn write(api: &Api, types: &mut Types) -> Result<TokenStream> {
    let mut methods = Vec::new();
    for operation in &api.operations {
        methods.push(method(api, types, operation).with_context(|| operation.id.clone())?);
    }
    Ok(quote! {
        //! One method per operation.

        use flamenco_api::{operations, types};

        use crate::call::{Call, Upload};
        use crate::{Client, Error};

        impl Client { #(#methods)* }
    })
}

fn method(api: &Api, types: &mut Types, operation: &Operation) -> Result<TokenStream> {
    let (name, response) = (names::snake(&operation.id), names::response(&operation.id));
    let constant = names::shouty(&operation.id);
    let doc = operations::docs(&format!("`{} {}`\n\n{}", operation.method, operation.path, operation.doc));
    let mut arguments = Vec::new();
    let mut steps = Vec::new();
    for param in &operation.path_params {
        let kind = server::path_kind(api, types, operation, param)?;
        let (variable, wire_name, rust) = (names::snake(&param.name), &param.name, kind.borrowed());
        let written = kind.written(quote!(#variable));
        arguments.push(quote!(#variable: #rust));
        steps.push(quote!(call.path(#wire_name, &#written);));
    }
    if !operation.query.is_empty() {
        let rust = names::query(&operation.id);
        arguments.push(quote!(query: &operations::#rust));
        steps.push(parameters(api, types, &operation.query, quote!(query), &rust.to_string())?);
    }
    if !operation.headers.is_empty() {
        let rust = names::headers(&operation.id);
        arguments.push(quote!(headers: &operations::#rust));
        steps.push(parameters(api, types, &operation.headers, quote!(header), &rust.to_string())?);
    }
    if let Some(body) = &operation.body {
        let (argument, step) = body_argument(types, operation, body)?;
        arguments.push(argument);
        steps.push(step);
    }
    let mutable = (!steps.is_empty()).then(|| quote!(mut));
    let decode = decode(operation);
    Ok(quote! {
        #doc
        pub async fn #name(&self #(, #arguments)*) -> Result<operations::#response, Error> {
            let #mutable call = Call::new(&operations::#constant);
            #(#steps)*
            let reply = self.send(call).await?;
            #decode
        }
    })
}

/// `place` is `query` or `header`, and the name of the method that adds one.
fn parameters(
    api: &Api,
    types: &mut Types,
    params: &[Param],
    place: TokenStream,
    owner: &str,
) -> Result<TokenStream> {
    let from = if place.to_string() == "query" { quote!(query) } else { quote!(headers) };
    let mut code = TokenStream::new();
    for param in params {
        let kind = Kind::of(api, types, &param.schema, &format!("{owner}-{}", param.name))?;
        let (field, wire_name) = (names::snake(&param.name), &param.name);
        let add = match &kind {
            Kind::List(item) => {
                let written = item.written(quote!(item));
                quote!(for item in value { call.#place(#wire_name, &#written); })
            }
            _ => {
                let written = kind.written(quote!(value));
                quote!(call.#place(#wire_name, &#written);)
            }
        };
        code.extend(if param.required {
            quote!({ let value = &#from.#field; #add })
        } else {
            quote!(if let Some(value) = &#from.#field { #add })
        });
    }
    Ok(code)
}

fn body_argument(
    types: &mut Types,
    operation: &Operation,
    body: &Body,
) -> Result<(TokenStream, TokenStream)> {
    Ok(match &body.kind {
        BodyKind::Json(schema) => {
            let rust = types.of(schema, &format!("{}-Request", operation.id))?;
            if body.required {
                (quote!(body: &#rust), quote!(call.json(body)?;))
            } else {
                (
                    quote!(body: Option<&#rust>),
                    quote!(if let Some(body) = body {
                        call.json(body)?;
                    }),
                )
            }
        }
        BodyKind::Upload(_) => {
            let media_type = body.kind.usual_media_type();
            (quote!(upload: Upload), quote!(call.upload(upload, #media_type);))
        }
    })
}

fn decode(operation: &Operation) -> TokenStream {
    let name = names::response(&operation.id);
    let mut arms = Vec::new();
    for response in &operation.responses {
        let built = build(operation, response);
        let pattern = match response.code {
            Code::Exact(code) => quote!(#code),
            Code::Range(digit) => {
                let (first, last) = (digit * 100, digit * 100 + 99);
                quote!(#first..=#last)
            }
            // `default` describes errors; a success that is not in the document is not understood.
            Code::Default => quote!(400..),
        };
        let variant = operations::variant(response.code);
        arms.push(quote!(#pattern => Ok(operations::#name::#variant #built),));
    }
    quote! {
        match reply.status().as_u16() {
            #(#arms)*
            _ => Err(reply.unexpected().await),
        }
    }
}

/// What comes after the name of the variant.
fn build(operation: &Operation, response: &Response) -> TokenStream {
    let body = match response.contents.as_slice() {
        [] => None,
        [only] => Some(read_body(only)),
        several => Some(read_choice(operation, response, several)),
    };
    match operations::layout(response) {
        Layout::Unit => TokenStream::new(),
        Layout::Body => quote!((#body)),
        Layout::Fields => {
            let status = (!matches!(response.code, Code::Exact(_))).then(|| quote!(status: reply.status(),));
            let headers = response.headers.iter().map(read_header);
            // The body comes last: reading it consumes the reply.
            let body = body.map(|body| quote!(body: #body,));
            quote!({ #status #(#headers,)* #body })
        }
    }
}

fn read_body(content: &Content) -> TokenStream {
    match &content.kind {
        ContentKind::Json(schema) => match reference_name(schema) {
            Some("Error" | "SecurityError") => quote!(reply.error().await?),
            _ => quote!(reply.json().await?),
        },
        ContentKind::Text => quote!(reply.text().await?),
        ContentKind::Binary => quote!(reply.stream()),
    }
}

fn read_choice(operation: &Operation, response: &Response, contents: &[Content]) -> TokenStream {
    let name = operations::choice_name(operation, response);
    let (mut arms, mut last) = (Vec::new(), TokenStream::new());
    for (index, content) in contents.iter().enumerate() {
        let (variant, media_type, read) =
            (operations::choice_variant(content), &content.media_type, read_body(content));
        let built = quote!(operations::#name::#variant(#read));
        if index == 0 {
            last = built;
        } else {
            arms.push(quote!(Some(#media_type) => #built,));
        }
    }
    quote!(match reply.media_type().as_deref() { #(#arms)* _ => #last })
}

fn read_header(header: &Param) -> TokenStream {
    let (field, wire_name) = (names::snake(&header.name), header.name.to_lowercase());
    if header.required {
        quote!(#field: reply.required_header(#wire_name)?)
    } else {
        quote!(#field: reply.header(#wire_name))
    }
}
