//! Written by `cargo xtask generate` from `openapi.yaml`, except for this file.

// The names come from the document, which also says what they mean; and the answers of an operation are as large
// as its largest body.
#[allow(missing_docs, clippy::large_enum_variant, reason = "generated; documented in openapi.yaml")]
#[rustfmt::skip]
pub mod operations;
#[cfg(feature = "server")]
#[allow(missing_docs, reason = "generated; documented in openapi.yaml")]
#[rustfmt::skip]
pub mod server;
#[allow(missing_docs, clippy::all, reason = "generated; documented in openapi.yaml")]
#[rustfmt::skip]
pub mod types;
