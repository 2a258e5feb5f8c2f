//! Reads `openapi.yaml` into an [`Api`].
//!
//! Anything that the generated code could not honour is an error that names the operation: a document that
//! promises more than the programs do is worse than none.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use openapiv3::{
    OpenAPI, Parameter, ParameterData, ParameterSchemaOrContent, PathItem, ReferenceOr, StatusCode,
};
use serde_json::{Map, Value};

use super::model::{Api, Body, BodyKind, Code, Content, ContentKind, Operation, Param, Response};

/// Reads the document from a file.
pub fn read(path: &Path) -> Result<Api> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| format!("in {}", path.display()))
}

/// Reads the document from its text (YAML or JSON).
pub fn parse(text: &str) -> Result<Api> {
    let document: OpenAPI = serde_yaml_ng::from_str(text).context("this is not an OpenAPI 3.0 document")?;
    ensure!(document.openapi.starts_with("3.0"), "openapi: {}: only 3.0 is understood", document.openapi);
    let mut api = Api { schemas: raw_schemas(text)?, tags: Vec::new(), operations: Vec::new() };
    for (path, item) in &document.paths.paths {
        let item = item.as_item().with_context(|| format!("{path}: a path must not be a $ref"))?;
        for (method, operation) in item.iter() {
            let operation = read_operation(&document, path, item, method, operation)
                .with_context(|| format!("{} {path}", method.to_uppercase()))?;
            if !api.tags.contains(&operation.tag) {
                api.tags.push(operation.tag.clone());
            }
            ensure!(
                api.operations.iter().all(|other| other.id != operation.id),
                "operationId {} is used twice",
                operation.id
            );
            api.operations.push(operation);
        }
    }
    Ok(api)
}

/// The named schemas, untouched: `openapiv3` knows only some keywords, and would lose the rest.
fn raw_schemas(text: &str) -> Result<Map<String, Value>> {
    let document: serde_yaml_ng::Value = serde_yaml_ng::from_str(text)?;
    let Some(schemas) = document.get("components").and_then(|components| components.get("schemas")) else {
        return Ok(Map::new());
    };
    match serde_json::to_value(schemas).context("components.schemas")? {
        Value::Object(schemas) => Ok(schemas),
        _ => bail!("components.schemas must be an object"),
    }
}

fn read_operation(
    document: &OpenAPI,
    path: &str,
    item: &PathItem,
    method: &str,
    operation: &openapiv3::Operation,
) -> Result<Operation> {
    let id = operation.operation_id.clone().context("operationId is missing")?;
    let [tag] = operation.tags.as_slice() else { bail!("{id}: exactly one tag is needed") };
    let security = operation.security.as_ref().or(document.security.as_ref());
    let mut read = Operation {
        tag: tag.clone(),
        method: method.to_uppercase(),
        path: path.to_owned(),
        doc: join_docs(operation.summary.as_deref(), operation.description.as_deref()),
        worker_auth: security.is_some_and(|all| all.iter().any(|one| one.contains_key("worker_auth"))),
        path_params: Vec::new(),
        query: Vec::new(),
        headers: Vec::new(),
        body: read_body(document, operation).with_context(|| format!("{id}: requestBody"))?,
        responses: read_responses(document, operation).with_context(|| format!("{id}: responses"))?,
        id,
    };
    for parameter in merged_parameters(document, item, operation)? {
        sort_parameter(&mut read, parameter)?;
    }
    order_path_params(&mut read)?;
    let several = |response: &Response| response.contents.len() > 1;
    if read.responses.iter().any(several) {
        read.headers.push(accept_header());
    }
    Ok(read)
}

/// An operation that can answer in several media types has to see which one is asked for.
fn accept_header() -> Param {
    Param {
        name: "Accept".to_owned(),
        doc: "The media types that the client understands.".to_owned(),
        required: false,
        schema: serde_json::json!({"type": "string"}),
    }
}

/// The parameters of the path and of the operation; the operation's win.
fn merged_parameters<'a>(
    document: &'a OpenAPI,
    item: &'a PathItem,
    operation: &'a openapiv3::Operation,
) -> Result<Vec<&'a Parameter>> {
    let mut merged: Vec<&Parameter> = Vec::new();
    for parameter in item.parameters.iter().chain(&operation.parameters) {
        let parameter = resolve(parameter, "parameters", |name| {
            document.components.as_ref().and_then(|components| components.parameters.get(name))
        })?;
        let key = |one: &Parameter| (std::mem::discriminant(one), one.parameter_data_ref().name.clone());
        merged.retain(|other| key(other) != key(parameter));
        merged.push(parameter);
    }
    Ok(merged)
}

fn sort_parameter(operation: &mut Operation, parameter: &Parameter) -> Result<()> {
    let data = parameter.parameter_data_ref();
    let param = read_param(data).with_context(|| format!("parameter {}", data.name))?;
    match parameter {
        Parameter::Path { .. } => operation.path_params.push(param),
        Parameter::Query { style: openapiv3::QueryStyle::Form, .. } => operation.query.push(param),
        Parameter::Query { .. } => bail!("parameter {}: only style `form` is understood", data.name),
        Parameter::Header { .. } => operation.headers.push(param),
        Parameter::Cookie { .. } => bail!("parameter {}: cookies are not understood", data.name),
    }
    Ok(())
}

fn read_param(data: &ParameterData) -> Result<Param> {
    Ok(Param {
        name: data.name.clone(),
        doc: data.description.clone().unwrap_or_default(),
        required: data.required,
        schema: schema_of(&data.format)?,
    })
}

fn schema_of(format: &ParameterSchemaOrContent) -> Result<Value> {
    match format {
        ParameterSchemaOrContent::Schema(schema) => Ok(serde_json::to_value(schema)?),
        ParameterSchemaOrContent::Content(_) => bail!("`content` is not understood here, use `schema`"),
    }
}

/// Puts the path parameters in the order of the template, and checks that both name the same ones.
fn order_path_params(operation: &mut Operation) -> Result<()> {
    let names: Vec<&str> =
        operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
    let position = |param: &Param| names.iter().position(|name| *name == param.name);
    for param in &operation.path_params {
        ensure!(position(param).is_some(), "path parameter {} is not in the path", param.name);
    }
    ensure!(names.len() == operation.path_params.len(), "not every part of the path in braces is declared");
    operation.path_params.sort_by_key(position);
    Ok(())
}

fn read_body(document: &OpenAPI, operation: &openapiv3::Operation) -> Result<Option<Body>> {
    let Some(body) = &operation.request_body else { return Ok(None) };
    let body = resolve(body, "requestBodies", |name| {
        document.components.as_ref().and_then(|components| components.request_bodies.get(name))
    })?;
    let mut json = None;
    let mut uploads = Vec::new();
    for (media_type, content) in &body.content {
        match content_kind(media_type, content.schema.as_ref())? {
            ContentKind::Json(schema) => json = Some(schema),
            ContentKind::Text | ContentKind::Binary => uploads.push(media_type.clone()),
        }
    }
    let kind = match (json, uploads.is_empty()) {
        (Some(schema), true) => BodyKind::Json(schema),
        (None, false) => BodyKind::Upload(uploads),
        _ => bail!("either JSON or something else, but not both"),
    };
    Ok(Some(Body { required: body.required, kind }))
}

fn read_responses(document: &OpenAPI, operation: &openapiv3::Operation) -> Result<Vec<Response>> {
    let numbered = operation.responses.responses.iter().map(|(code, response)| {
        let code = match code {
            StatusCode::Code(code) => Code::Exact(*code),
            StatusCode::Range(digit) => Code::Range(*digit),
        };
        (code, response)
    });
    let default = operation.responses.default.iter().map(|response| (Code::Default, response));
    let mut read = Vec::new();
    for (code, response) in numbered.chain(default) {
        let response = resolve(response, "responses", |name| {
            document.components.as_ref().and_then(|components| components.responses.get(name))
        })?;
        read.push(read_response(document, code, response).with_context(|| format!("{code:?}"))?);
    }
    read.sort_by_key(|response| response.code);
    Ok(read)
}

fn read_response(document: &OpenAPI, code: Code, response: &openapiv3::Response) -> Result<Response> {
    let mut headers = Vec::new();
    for (name, header) in &response.headers {
        let header = resolve(header, "headers", |name| {
            document.components.as_ref().and_then(|components| components.headers.get(name))
        })?;
        headers.push(Param {
            name: name.clone(),
            doc: header.description.clone().unwrap_or_default(),
            required: header.required,
            schema: schema_of(&header.format)?,
        });
    }
    let mut contents = Vec::new();
    for (media_type, content) in &response.content {
        let kind = content_kind(media_type, content.schema.as_ref())?;
        contents.push(Content { media_type: media_type.clone(), kind });
    }
    Ok(Response { code, doc: response.description.clone(), headers, contents })
}

/// JSON by its media type, binary by its schema (or for want of one), anything else is text.
fn content_kind(media_type: &str, schema: Option<&ReferenceOr<openapiv3::Schema>>) -> Result<ContentKind> {
    let schema = schema.map(serde_json::to_value).transpose()?;
    if media_type == "application/json" || media_type.ends_with("+json") {
        return Ok(ContentKind::Json(schema.with_context(|| format!("{media_type} needs a schema"))?));
    }
    let format = schema.as_ref().and_then(|schema| schema.get("format")).and_then(Value::as_str);
    Ok(if schema.is_none() || format == Some("binary") { ContentKind::Binary } else { ContentKind::Text })
}

/// Follows references into `components.<kind>`.
fn resolve<'a, T>(
    item: &'a ReferenceOr<T>,
    kind: &str,
    find: impl Fn(&str) -> Option<&'a ReferenceOr<T>>,
) -> Result<&'a T> {
    let mut item = item;
    for _ in 0..8 {
        match item {
            ReferenceOr::Item(item) => return Ok(item),
            ReferenceOr::Reference { reference } => {
                item = reference
                    .strip_prefix(&format!("#/components/{kind}/"))
                    .and_then(&find)
                    .with_context(|| format!("$ref {reference} leads nowhere"))?;
            }
        }
    }
    bail!("$ref in a circle in components/{kind}")
}

fn join_docs(summary: Option<&str>, description: Option<&str>) -> String {
    let parts = [summary, description].into_iter().flatten().map(str::trim).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests;
