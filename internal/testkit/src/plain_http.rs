//! Requests of tests, none of which is encrypted.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// The beginning of a client that trusts no certificate: `reqwest` insists on TLS, and with that of its choice fails to
/// be built on a machine without certificates.
pub fn plain_http() -> reqwest::ClientBuilder {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy()
}
