//! The API document, as JSON and as YAML, and Swagger UI to try it.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;

/// The document that the API is generated from, as it is in the source tree.
const YAML: &str = include_str!("../../../../openapi.yaml");

static JSON: LazyLock<String> = LazyLock::new(|| {
    let document: Result<serde_json::Value, _> = serde_yaml_ng::from_str(YAML);
    // The code generator reads the same file, so it parses; the tests fetch it.
    document.map_or_else(|error| format!("{{\"error\": \"{error}\"}}"), |document| document.to_string())
});

pub(super) fn router() -> Router {
    let config =
        utoipa_swagger_ui::Config::new(["/api/v3/openapi3.json"]).try_it_out_enabled(true).deep_linking(true);
    let ui: Router = utoipa_swagger_ui::SwaggerUi::new("/api/v3/swagger-ui").config(config).into();
    // Swagger UI draws its icons and styles itself inline.
    let policy = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'";
    let ui = ui.layer(tower_http::set_header::SetResponseHeaderLayer::overriding(
        header::CONTENT_SECURITY_POLICY,
        axum::http::HeaderValue::from_static(policy),
    ));
    Router::new()
        .route(
            "/api/v3/openapi3.json",
            get(|| async { ([(header::CONTENT_TYPE, "application/json")], JSON.as_str()) }),
        )
        .route(
            "/api/v3/openapi3.yaml",
            get(|| async { ([(header::CONTENT_TYPE, "application/yaml")], YAML) }),
        )
        .route("/api/v3/", get(|| async { Redirect::temporary("/api/v3/swagger-ui/").into_response() }))
        .merge(ui)
}
