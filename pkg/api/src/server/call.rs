//! One request on its way to a handler.

use axum::body::{Body, BodyDataStream};
use axum::extract::{FromRequestParts, RawPathParams, Request};
use futures_util::StreamExt;
use http::{HeaderMap, StatusCode, header, request::Parts};
use serde::de::DeserializeOwned;

use super::strict::Strict;
use super::{Backend, IdleLimit, KeptBody, UploadBody};
use crate::{Operation, Problem};

/// A request whose sender is known. The parameters can be read in any order; reading the body consumes it.
pub(crate) struct Call {
    headers: HeaderMap,
    path: Vec<(String, String)>,
    query: Vec<(String, String)>,
    body: Body,
    /// Where a JSON body is kept as well.
    kept: Option<KeptBody>,
    /// How long the body may pause.
    idle_limit: IdleLimit,
}

#[allow(dead_code, reason = "generated code calls what the document needs")]
impl Call {
    /// Authorises the request, and takes it apart.
    pub(crate) async fn begin<B: Backend>(
        backend: &B,
        operation: &'static Operation,
        request: Request,
    ) -> Result<(Call, B::Caller), Problem> {
        let (parts, body) = request.into_parts();
        let caller = backend.authorize(operation, &parts).await?;
        Ok((Call::new(parts, body, backend.idle_limit()).await?, caller))
    }

    async fn new(mut parts: Parts, body: Body, idle_limit: IdleLimit) -> Result<Call, Problem> {
        let path = RawPathParams::from_request_parts(&mut parts, &())
            .await
            .map_err(|rejection| Problem::bad_request(format!("path: {}", rejection.body_text())))?;
        let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let query = parts.uri.query().unwrap_or_default();
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let kept = parts.extensions.remove::<KeptBody>();
        Ok(Call { headers: parts.headers, path, query, body, kept, idle_limit })
    }

    /// A parameter in the path.
    pub(crate) fn path<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Problem> {
        let value = self.path.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        parse(value.unwrap_or_default()).map_err(|wrong| bad_parameter("path parameter", name, &wrong))
    }

    /// A parameter in the query; if it is repeated, the first one counts.
    pub(crate) fn query<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        let value = self.query.iter().find(|(key, _)| key == name);
        value
            .map(|(_, value)| parse(value))
            .transpose()
            .map_err(|wrong| bad_parameter("query parameter", name, &wrong))
    }

    /// A list in the query, as a repeated parameter or with commas.
    pub(crate) fn query_list<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, Problem> {
        let values: Vec<&str> =
            self.query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect();
        parse_list(&values, parse).map_err(|wrong| bad_parameter("query parameter", name, &wrong))
    }

    /// A header; if it is repeated, its values stand side by side with commas, as RFC 9110 has it.
    pub(crate) fn header<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        let values = self.headers.get_all(name).iter();
        let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty())
            .then(|| parse(values.join(", ").trim()))
            .transpose()
            .map_err(|wrong| bad_parameter("header", name, &wrong))
    }

    /// A list in a header, as a repeated header or with commas.
    pub(crate) fn header_list<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, Problem> {
        let values: Vec<_> = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        parse_list(&values, parse).map_err(|wrong| bad_parameter("header", name, &wrong))
    }

    /// Insists on a parameter.
    pub(crate) fn required<T>(&self, name: &str, value: Option<T>) -> Result<T, Problem> {
        value.ok_or_else(|| Problem::bad_request(format!("parameter {name} is missing")))
    }

    /// A JSON body that has to be there. `limit` is in bytes.
    pub(crate) async fn json<T: DeserializeOwned>(self, limit: usize) -> Result<T, Problem> {
        match self.json_bytes(limit).await? {
            Some(bytes) => parse_json(&bytes),
            None => Err(Problem::bad_request("request body: it is empty; send a JSON document")),
        }
    }

    /// A JSON body that may be left out. `limit` is in bytes.
    pub(crate) async fn optional_json<T: DeserializeOwned>(self, limit: usize) -> Result<Option<T>, Problem> {
        self.json_bytes(limit).await?.map(|bytes| parse_json(&bytes)).transpose()
    }

    /// A file, as a stream. `accepted` are media types; only what is declared as plain bytes may come without one.
    pub(crate) fn upload(self, accepted: &[&str]) -> Result<UploadBody, Problem> {
        let content_type = media_type(&self.headers);
        let accepts = |given: &str| accepted.iter().any(|pattern| matches_media_type(pattern, given));
        match content_type.as_deref() {
            Some(given) if !accepts(given) => return Err(unsupported(&accepted.join(" or "), given)),
            None if !accepts("application/octet-stream") => {
                return Err(unsupported(&accepted.join(" or "), "no Content-Type"));
            }
            _ => {}
        }
        let content_length = announced_length(&self.headers);
        let expects = self.headers.get(header::EXPECT);
        let awaits_go_ahead =
            expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let stream = self.body.into_data_stream();
        Ok(UploadBody { content_type, content_length, awaits_go_ahead, idle_limit: self.idle_limit, stream })
    }

    /// The bytes of a JSON body, or nothing if it is empty.
    async fn json_bytes(self, limit: usize) -> Result<Option<Vec<u8>>, Problem> {
        if axum::body::HttpBody::is_end_stream(&self.body) {
            return Ok(None);
        }
        if let Some(given) = media_type(&self.headers)
            && given != "application/json"
            && !given.ends_with("+json")
        {
            return Err(unsupported("application/json", &given));
        }
        let announced_too_much = announced_length(&self.headers).is_some_and(|length| length > limit as u64);
        let mut body = self.body.into_data_stream();
        let mut bytes = Vec::new();
        while !announced_too_much && let Some(part) = self.idle_limit.within(body.next()).await? {
            let part =
                part.map_err(|error| Problem::bad_request(format!("request body: it broke off ({error})")))?;
            bytes.extend_from_slice(&part);
            if bytes.len() > limit {
                break;
            }
        }
        if announced_too_much || bytes.len() > limit {
            drop(bytes);
            discard(body, self.idle_limit).await;
            return Err(too_large(limit));
        }
        if let Some(kept) = &self.kept {
            kept.keep(&bytes);
        }
        let blank = bytes.iter().all(u8::is_ascii_whitespace);
        Ok(if blank { None } else { Some(bytes) })
    }
}

/// Most that is read of a body that is refused, in bytes.
const DISCARD: usize = 256 * 1024 * 1024;

/// Reads on without keeping anything: a client that still sends would otherwise see a broken connection instead of the
/// answer.
async fn discard(mut body: BodyDataStream, idle_limit: IdleLimit) {
    let mut read = 0;
    while let Ok(Some(Ok(part))) = idle_limit.within(body.next()).await {
        read += part.len();
        if read > DISCARD {
            return;
        }
    }
}

fn bad_parameter(place: &str, name: &str, wrong: &str) -> Problem {
    Problem::bad_request(format!("{place} {name} {wrong}"))
}

fn unsupported(expected: &str, given: &str) -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("the request body must come with Content-Type {expected}, but came with {given}"),
    )
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the request body is larger than the {limit} bytes that are accepted here"),
    )
}

/// A list has commas between its items; empty items do not count. Nothing at all is not an empty list.
fn parse_list<T>(
    values: &[&str],
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<Vec<T>>, String> {
    if values.is_empty() {
        return Ok(None);
    }
    let items =
        values.iter().flat_map(|value| value.split(',')).map(str::trim).filter(|item| !item.is_empty());
    items.map(parse).collect::<Result<_, _>>().map(Some)
}

/// The media type without parameters, in lower case.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let media_type = value.split(';').next().unwrap_or_default().trim();
    (!media_type.is_empty()).then(|| media_type.to_ascii_lowercase())
}

/// `pattern` may end with a star, as in `image/*`.
fn matches_media_type(pattern: &str, given: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("*/") => true,
        Some(start) => given.starts_with(start),
        None => given == pattern,
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The message names the place in the document, what was found and what was expected.
fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Strict(&mut deserializer)).map_err(|error| {
        let path = error.path().to_string();
        bad_json(&path, error.inner())
    })?;
    deserializer.end().map_err(|error| bad_json(".", &error))?;
    Ok(value)
}

fn bad_json(path: &str, error: &serde_json::Error) -> Problem {
    let full = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let what = full.strip_suffix(&position).unwrap_or(&full);
    // Where a document ends too early, the path ends with a question mark.
    let path = path.trim_end_matches('?').trim_end_matches('.');
    let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
    let what = plain_words(what);
    Problem::bad_request(format!(
        "request body: {place}{what} (line {}, column {})",
        error.line(),
        error.column()
    ))
}

/// What `chrono` says of a text that is no date and time; it does not say what it expected.
const DATE_ERRORS: &[&str] = &[
    "input contains invalid characters",
    "premature end of input",
    "trailing input",
    "input is out of range",
    "input is not enough for unique date and time",
    "no possible date and time matching input",
];

/// What is expected, in words of JSON instead of Rust.
fn plain_words(what: &str) -> String {
    let what =
        what.replace("expected i64", "expected a whole number").replace("expected f64", "expected a number");
    let what = what.replace("invalid type: sequence", "invalid type: list");
    let what = what
        .replace("expected a sequence", "expected a list")
        .replace("invalid type: map", "invalid type: object");
    if DATE_ERRORS.contains(&what.as_str()) {
        return format!("must be a date and time like 2026-01-31T12:00:00Z ({what})");
    }
    match what.rfind("expected struct ") {
        Some(start) => format!("{}expected an object", &what[..start]),
        None => what,
    }
}
