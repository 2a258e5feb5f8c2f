//! Writes responses. The media type of JSON is exactly `application/json`, without a charset.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::BodyStream;

/// A JSON body.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => with_type(status, "application/json", Body::from(bytes)),
        Err(error) => {
            let text =
                serde_json::json!({"code": 500, "message": format!("cannot write the answer: {error}")});
            with_type(StatusCode::INTERNAL_SERVER_ERROR, "application/json", Body::from(text.to_string()))
        }
    }
}

/// A text. Text types get the charset, since some browsers guess otherwise.
pub fn text(status: StatusCode, media_type: &'static str, body: String) -> Response {
    let media_type = if media_type == "text/plain" { "text/plain; charset=utf-8" } else { media_type };
    with_type(status, media_type, Body::from(body))
}

/// A body that comes in pieces.
pub fn stream(status: StatusCode, media_type: &'static str, body: BodyStream) -> Response {
    let length = body.length;
    let mut response = with_type(status, media_type, Body::from_stream(body));
    if let Some(length) = length {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// No body, and hence no media type.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Sets a header. One that cannot be sent (line breaks in its value) is left out.
pub fn header(response: &mut Response, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value.as_bytes())) {
        response.headers_mut().insert(name, value);
    }
}

fn with_type(status: StatusCode, media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
