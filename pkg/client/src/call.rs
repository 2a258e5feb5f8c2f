use flamenco_api::Operation;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use reqwest::{Body, RequestBuilder, Url};
use serde::Serialize;

use crate::Error;

/// A file to upload. It is sent piece by piece, if it is made from a stream.
#[derive(Debug)]
pub struct Upload {
    body: Body,
    content_type: Option<String>,
    content_length: Option<u64>,
}

impl Upload {
    /// A file from its bytes, a `tokio` file, or a stream (`reqwest::Body::wrap_stream`).
    pub fn new(body: impl Into<Body>) -> Upload {
        Upload { body: body.into(), content_type: None, content_length: None }
    }

    /// The media type; if not set, the first one that the operation accepts.
    pub fn content_type(mut self, media_type: impl Into<String>) -> Upload {
        self.content_type = Some(media_type.into());
        self
    }

    /// The length in bytes. A stream without it is sent chunked, which some operations refuse with 411.
    pub fn content_length(mut self, bytes: u64) -> Upload {
        self.content_length = Some(bytes);
        self
    }
}

impl<T: Into<Body>> From<T> for Upload {
    fn from(body: T) -> Upload {
        Upload::new(body)
    }
}

/// A request that is being put together.
pub(crate) struct Call {
    operation: &'static Operation,
    path: Vec<(&'static str, String)>,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    body: Option<Body>,
    content_type: Option<String>,
    content_length: Option<u64>,
    is_upload: bool,
}

impl Call {
    pub(crate) fn new(operation: &'static Operation) -> Call {
        Call {
            operation,
            path: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            content_type: None,
            content_length: None,
            is_upload: false,
        }
    }

    pub(crate) fn operation(&self) -> &'static Operation {
        self.operation
    }

    pub(crate) fn is_upload(&self) -> bool {
        self.is_upload
    }

    pub(crate) fn path(&mut self, name: &'static str, value: &str) {
        self.path.push((name, value.to_owned()));
    }

    pub(crate) fn query(&mut self, name: &'static str, value: &str) {
        self.query.push((name, value.to_owned()));
    }

    pub(crate) fn header(&mut self, name: &'static str, value: &str) {
        self.headers.push((name, value.to_owned()));
    }

    pub(crate) fn json(&mut self, body: &impl Serialize) -> Result<(), Error> {
        let bytes = serde_json::to_vec(body).map_err(|error| self.wrong(error))?;
        self.body = Some(Body::from(bytes));
        self.content_type = Some("application/json".to_owned());
        Ok(())
    }

    pub(crate) fn upload(&mut self, upload: Upload, media_type: &str) {
        self.content_type = Some(upload.content_type.unwrap_or_else(|| media_type.to_owned()));
        self.content_length = upload.content_length;
        self.body = Some(upload.body);
        self.is_upload = true;
    }

    pub(crate) fn into_request(self, http: &reqwest::Client, base: &Url) -> Result<RequestBuilder, Error> {
        let method =
            Method::from_bytes(self.operation.method.as_bytes()).map_err(|error| self.wrong(error))?;
        let mut request = http.request(method, self.url(base)?).headers(self.header_map()?);
        if !self.query.is_empty() {
            request = request.query(&self.query);
        }
        if let Some(body) = self.body {
            request = request.body(body);
        }
        Ok(request)
    }

    fn header_map(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| self.wrong(error))?;
            headers.append(name, self.header_value(value)?);
        }
        if let Some(content_type) = &self.content_type {
            headers.insert(header::CONTENT_TYPE, self.header_value(content_type)?);
        }
        if let Some(length) = self.content_length {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        Ok(headers)
    }

    fn header_value(&self, value: &str) -> Result<HeaderValue, Error> {
        HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| self.wrong(format!("{value:?} cannot be sent in a header")))
    }

    /// The address: the base, then the path of the operation with its parameters filled in.
    fn url(&self, base: &Url) -> Result<Url, Error> {
        let mut url = base.clone();
        let mut segments = url.path_segments_mut().map_err(|()| self.wrong("the address has no path"))?;
        segments.pop_if_empty();
        for part in self.operation.path.split('/').skip(1) {
            let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            let Some(name) = name else {
                segments.push(part);
                continue;
            };
            let value =
                self.path.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value.as_str());
            // These would silently lead to another operation.
            if matches!(value, "" | "." | "..") {
                return Err(self.wrong(format!("path parameter {name} must not be {value:?}")));
            }
            segments.push(value);
        }
        drop(segments);
        Ok(url)
    }

    fn wrong(&self, why: impl std::fmt::Display) -> Error {
        Error::Request { operation: self.operation.id, message: why.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use flamenco_api::operations;

    use super::*;

    fn address(
        base: &str,
        operation: &'static Operation,
        parameters: &[(&'static str, &str)],
    ) -> Result<String, Error> {
        let mut call = Call::new(operation);
        for (name, value) in parameters {
            call.path(name, value);
        }
        call.url(&Url::parse(base).unwrap()).map(String::from)
    }

    #[test]
    fn the_path_of_the_address_is_kept() {
        for (base, expected) in [
            ("http://host/", "http://host/api/v3/version"),
            ("http://host/flamenco/", "http://host/flamenco/api/v3/version"),
        ] {
            assert_eq!(address(base, &operations::GET_VERSION, &[]).unwrap(), expected);
        }
    }

    #[test]
    fn path_parameters_are_escaped() {
        for (value, expected) in
            [("simple", "simple"), ("a/b c?d#e%f", "a%2Fb%20c%3Fd%23e%25f"), ("ä", "%C3%A4")]
        {
            assert_eq!(
                address("http://host/", &operations::GET_JOB_TYPE, &[("typeName", value)]).unwrap(),
                format!("http://host/api/v3/jobs/type/{expected}")
            );
        }
        for value in ["", ".", ".."] {
            assert!(address("http://host/", &operations::GET_JOB_TYPE, &[("typeName", value)]).is_err());
        }
    }

    #[test]
    fn a_line_break_in_a_header_is_refused() {
        let mut call = Call::new(&operations::GET_VERSION);
        call.header("x-name", "a\r\nb: c");
        assert!(call.header_map().is_err());
    }
}
