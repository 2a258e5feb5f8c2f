//! Writes `operations.py`: one method per operation.

use anyhow::{Context, Result};
use serde_json::Value;

use super::models;
use super::text::{MARK, bracketed, docstring, quoted, snake};
use crate::generate::model::{Api, BodyKind, Code, ContentKind, Operation, Param, Response};

/// The whole file.
pub fn write(api: &Api) -> Result<String> {
    // The code without its documentation is what tells which names are to be imported.
    let (mut methods, mut code) = (String::new(), String::new());
    for operation in &api.operations {
        let (head, doc, body) = method(api, operation).with_context(|| operation.id.clone())?;
        code += &head;
        code += &body;
        methods += &format!("\n{head}\n{doc}{body}");
    }
    let used = |name: &&str| uses(&code, name);
    let typing = ["Any"].into_iter().filter(used).collect::<Vec<_>>();
    let typing =
        if typing.is_empty() { String::new() } else { format!("from typing import {}\n", typing.join(", ")) };
    let datetime = if uses(&code, "datetime") { "from datetime import datetime\n" } else { "" };
    let standard = datetime.to_owned() + &typing;
    let standard = if standard.is_empty() { standard } else { standard + "\n" };
    let mut models: Vec<_> = api.schemas.keys().map(String::as_str).filter(used).map(str::to_owned).collect();
    models.sort_by_key(|name| name.to_lowercase());
    let models = bracketed("from .models import (", &models, ")", 0);
    let codecs = ["Choice", "ListOf", "MapOf", "Of"].into_iter().filter(used).collect::<Vec<_>>().join(", ");
    Ok(format!(
        "{MARK}\"\"\"One method per operation.\"\"\"\n\n\
         from __future__ import annotations\n\n{standard}\
         from . import wire\n{models}\n\
         from .transport import Call, FileBody, Transport\nfrom .wire import {codecs}\n\n\n\
         class Operations(Transport):\n    \"\"\"The operations of the API; see `flamenco_client.client.Client`.\"\"\"\n{methods}"
    ))
}

/// True if a name occurs in the code as a word of its own.
fn uses(code: &str, name: &str) -> bool {
    code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name)
}

/// The signature, the documentation and the body of a method.
fn method(api: &Api, operation: &Operation) -> Result<(String, String, String)> {
    let (mut positional, mut keywords) = (vec!["self".to_owned()], Vec::new());
    let mut steps = String::new();
    for param in &operation.path_params {
        let kind = models::kind(api, &param.schema)?;
        positional.push(format!("{}: {}", snake(&param.name), kind.annotation));
        steps += &step("path", param, &kind.codec);
    }
    for (place, params) in [("query", &operation.query), ("header", &operation.headers)] {
        // What is accepted follows from what the method can decode.
        for param in params.iter().filter(|param| param.name != "Accept") {
            let kind = models::kind(api, &param.schema)?;
            let name = snake(&param.name);
            keywords.push(if param.required {
                format!("{name}: {}", kind.annotation)
            } else {
                format!("{name}: {} | None = None", kind.annotation)
            });
            steps += &step(place, param, &kind.codec);
        }
    }
    if let Some(body) = &operation.body {
        match &body.kind {
            BodyKind::Json(schema) => {
                let kind = models::kind(api, schema)?;
                let optional = if body.required { "" } else { " | None = None" };
                positional.push(format!("body: {}{optional}", kind.annotation));
                steps += &format!("        call.json(body, {})\n", kind.codec);
            }
            BodyKind::Upload(_) => {
                positional.push("body: FileBody".to_owned());
                keywords.push(format!("content_type: str = {}", quoted(body.kind.usual_media_type())));
                steps += "        call.upload(body, content_type)\n";
            }
        }
    }
    keywords.push("timeout: float | None = None".to_owned());
    positional.push("*".to_owned());
    positional.extend(keywords);
    let (returned, answers) = answers(api, operation)?;
    let name = snake(&operation.id);
    let head = bracketed(&format!("def {name}("), &positional, &format!(") -> {returned}:"), 4);
    let doc = docstring(&doc(operation), 8);
    let call = format!("        call = Call({}, {})\n", quoted(&operation.method), quoted(&operation.path));
    let sending = ["call".to_owned(), answers, "timeout".to_owned()];
    let sent = match returned.as_str() {
        "None" => bracketed("self._send(", &sending, ")\n", 8),
        _ => {
            bracketed(&format!("answer: {returned} = self._send("), &sending, ")\n", 8)
                + "        return answer\n"
        }
    };
    Ok((head, doc, call + &steps + &sent))
}

/// Adds a parameter to the call.
fn step(place: &str, param: &Param, codec: &str) -> String {
    format!("        call.{place}({}, {}, {codec})\n", quoted(&param.name), snake(&param.name))
}

fn doc(operation: &Operation) -> String {
    let answers: String = operation
        .responses
        .iter()
        .filter_map(|response| match response.code {
            Code::Exact(code) => Some(format!("\n* {code}: {}", response.doc.trim())),
            _ => None,
        })
        .collect();
    format!("{}\n\n`{} {}`\n{answers}", operation.doc, operation.method, operation.path)
}

/// The annotation of what the method returns, and the expression that tells how to read each successful answer.
///
/// Two answers without a body can only be told apart by their status, so that is returned then.
fn answers(api: &Api, operation: &Operation) -> Result<(String, String)> {
    let good = |code: Code| matches!(code, Code::Exact(200..300));
    let successes: Vec<_> = operation.responses.iter().filter(|response| good(response.code)).collect();
    let empty = successes.iter().filter(|response| response.contents.is_empty()).count();
    let mut annotations: Vec<String> = Vec::new();
    let mut readers = Vec::new();
    for response in successes {
        let Code::Exact(code) = response.code else { continue };
        let (annotation, reader) = match answer(api, response)? {
            Some(read) => read,
            None if empty > 1 => ("int".to_owned(), "wire.STATUS".to_owned()),
            None => ("None".to_owned(), "None".to_owned()),
        };
        if !annotations.contains(&annotation) {
            annotations.push(annotation);
        }
        readers.push(format!("{code}: {reader}"));
    }
    Ok((annotations.join(" | "), format!("{{{}}}", readers.join(", "))))
}

/// JSON is preferred if there is a choice.
fn answer(api: &Api, response: &Response) -> Result<Option<(String, String)>> {
    let json: Option<&Value> = response.contents.iter().find_map(|content| match &content.kind {
        ContentKind::Json(schema) => Some(schema),
        _ => None,
    });
    if let Some(schema) = json {
        let kind = models::kind(api, schema)?;
        return Ok(Some((kind.annotation, kind.codec)));
    }
    Ok(response.contents.first().map(|content| match content.kind {
        ContentKind::Text => ("str".to_owned(), "wire.PLAIN_TEXT".to_owned()),
        _ => ("bytes".to_owned(), "wire.BYTES".to_owned()),
    }))
}
