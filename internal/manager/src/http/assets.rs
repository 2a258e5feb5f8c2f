//! The web app, embedded: `/app/*`, with the page itself for every route of the app that is no file. The Blender add-on
//! is one of its files.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../web/app/dist"]
#[allow_missing = true]
pub(super) struct WebApp;

const PAGE: &str = "index.html";
const NOT_BUILT: &str = "The web app is not part of this build. Run `make web` and build the manager again; the API is \
                         there all the same, see /api/v3/swagger-ui/.\n";

const ADDON: &str = "flamenco-addon.zip";
const NO_ADDON: &str =
    "The Blender add-on is not part of this build. Run `make` and use the manager that it builds.\n";

/// `Files` is [`WebApp`] outside tests.
pub(super) fn router<Files: RustEmbed + 'static>() -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/app/") }))
        .route("/app", get(|| async { Redirect::temporary("/app/") }))
        .route("/app/", get(|headers: HeaderMap| async move { file::<Files>(PAGE, &headers) }))
        .route(
            "/app/{*path}",
            get(|Path(path): Path<String>, headers: HeaderMap| async move { file::<Files>(&path, &headers) }),
        )
        .route(
            "/favicon.ico",
            get(|headers: HeaderMap| async move { exact::<Files>("favicon.ico", &headers) }),
        )
        .route(
            "/favicon.png",
            get(|headers: HeaderMap| async move { exact::<Files>("favicon.png", &headers) }),
        )
        .route("/flamenco-addon.zip", get(|headers: HeaderMap| async move { addon::<Files>(&headers) }))
        // Where older versions had it.
        .route("/flamenco3-addon.zip", get(|| async { Redirect::permanent("/flamenco-addon.zip") }))
}

fn addon<Files: RustEmbed>(headers: &HeaderMap) -> Response {
    let Some(mut response) = found::<Files>(ADDON, headers) else {
        return (StatusCode::NOT_FOUND, NO_ADDON).into_response();
    };
    let name = HeaderValue::from_static("attachment; filename=\"flamenco-addon.zip\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    response
}

fn exact<Files: RustEmbed>(path: &str, headers: &HeaderMap) -> Response {
    found::<Files>(path, headers)
        .unwrap_or_else(|| (StatusCode::NOT_FOUND, "there is no such file\n").into_response())
}

/// A file of the app, or the page for a route that the app itself understands. What looks like a file is never
/// answered with the page: a browser that holds an old page should learn that its script is gone.
fn file<Files: RustEmbed>(path: &str, headers: &HeaderMap) -> Response {
    let is_asset = path.starts_with("assets/");
    let page = || (!is_asset).then(|| found::<Files>(PAGE, headers)).flatten();
    found::<Files>(path, headers).or_else(page).unwrap_or_else(|| {
        let text = if is_asset { "there is no such file; reload the page\n" } else { NOT_BUILT };
        (StatusCode::NOT_FOUND, text).into_response()
    })
}

fn found<Files: RustEmbed>(path: &str, headers: &HeaderMap) -> Option<Response> {
    let accepted =
        headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let accepts = |name: &str| {
        accepted.split(',').any(|part| part.split(';').next().is_some_and(|part| part.trim() == name))
    };
    let compressed = [("br", "br"), ("gzip", "gz")]
        .into_iter()
        .filter(|(name, _)| accepts(name))
        .find_map(|(name, end)| Files::get(&format!("{path}.{end}")).map(|file| (file, Some(name))));
    let plain = Files::get(path)?;
    let kind = plain.metadata.mimetype().to_owned();
    let tag = format!("\"{}\"", hex(&plain.metadata.sha256_hash()));
    let (file, encoding) = compressed.unwrap_or((plain, None));

    // Names of assets hold a hash of their content, so what was fetched once is good for ever.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { file.data.into_response() };
    let set = response.headers_mut();
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    set.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    set.insert(header::ETAG, HeaderValue::from_str(&tag).ok()?);
    if !known {
        set.insert(header::CONTENT_TYPE, HeaderValue::from_str(&kind).ok()?);
        if let Some(encoding) = encoding {
            set.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
    }
    Some(response)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes[..16].iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    /// A web app of a few small files.
    #[derive(RustEmbed)]
    #[folder = "testdata/web"]
    struct Sample;

    /// A build without a web app.
    #[derive(RustEmbed)]
    #[folder = "testdata/no-web"]
    #[allow_missing = true]
    struct Nothing;

    async fn get<Files: RustEmbed + 'static>(
        path: &str,
        headers: &[(&str, &str)],
    ) -> (u16, HeaderMap, String) {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = router::<Files>().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    fn header<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
        headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn addresses_of_the_app_are_its_page() {
        for path in ["/app/", "/app/index.html", "/app/jobs/x/y", "/app/settings", "/app/no/such/route"] {
            let (status, headers, body) = get::<Sample>(path, &[]).await;
            assert_eq!((status, header(&headers, "content-type")), (200, "text/html"), "{path}");
            assert!(body.contains("<title>page"), "{path}: {body}");
            assert_eq!(header(&headers, "cache-control"), "no-cache", "{path}");
        }
        for path in ["/", "/app"] {
            let (status, headers, _) = get::<Sample>(path, &[]).await;
            assert_eq!((status, header(&headers, "location")), (307, "/app/"), "{path}");
        }
        let (status, _, body) = get::<Sample>("/app/assets/gone-1.js", &[]).await;
        assert_eq!((status, body.contains("reload")), (404, true), "a script that is gone is not the page");
    }

    #[tokio::test]
    async fn files_are_compressed_and_cached() {
        let path = "/app/assets/app-1234.js";
        for (accepted, encoding, content) in [
            ("gzip, deflate, br", "br", "brotli"),
            ("gzip;q=0.8", "gzip", "gzip"),
            ("identity", "", "console.log(\"plain\");\n"),
            ("", "", "console.log(\"plain\");\n"),
        ] {
            let (status, headers, body) = get::<Sample>(path, &[("accept-encoding", accepted)]).await;
            assert_eq!((status, body.as_str()), (200, content), "{accepted}");
            assert_eq!(header(&headers, "content-encoding"), encoding, "{accepted}");
            assert_eq!(header(&headers, "content-type"), "text/javascript");
            assert_eq!(header(&headers, "cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(header(&headers, "vary"), "accept-encoding");
            let tag = header(&headers, "etag").to_owned();
            let (status, headers, body) = get::<Sample>(path, &[("if-none-match", &tag)]).await;
            assert_eq!((status, body.as_str(), header(&headers, "etag")), (304, "", tag.as_str()));
        }
    }

    #[tokio::test]
    async fn the_add_on_is_a_download() {
        let (status, headers, body) = get::<Sample>("/flamenco-addon.zip", &[]).await;
        assert_eq!((status, body.as_str()), (200, "PK add-on"));
        assert_eq!(header(&headers, "content-type"), "application/zip");
        assert_eq!(header(&headers, "content-disposition"), "attachment; filename=\"flamenco-addon.zip\"");
        let (status, headers, _) = get::<Sample>("/flamenco3-addon.zip", &[]).await;
        assert_eq!((status, header(&headers, "location")), (308, "/flamenco-addon.zip"));
        assert_eq!(get::<Sample>("/favicon.ico", &[]).await.0, 200);
    }

    #[tokio::test]
    async fn a_build_without_them_says_so() {
        for (path, advice) in
            [("/app/", "make web"), ("/app/jobs", "make web"), ("/flamenco-addon.zip", "Run `make`")]
        {
            let (status, _, body) = get::<Nothing>(path, &[]).await;
            assert_eq!(status, 404, "{path}");
            assert!(body.contains(advice), "{path}: {body}");
        }
    }
}
