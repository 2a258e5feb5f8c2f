//! The description that announcements on the network point to.

use axum::Router;
use axum::http::header;
use axum::routing::get;

use super::Api;
use crate::discovery::{DESCRIPTION_PATH, description};

pub(super) fn router(api: &Api) -> Router {
    let api = api.clone();
    let handler = move || async move {
        let text = description(&api.farm.live().options.name, &api.versions.short);
        ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], text)
    };
    Router::new().route(&format!("/{DESCRIPTION_PATH}"), get(handler))
}
