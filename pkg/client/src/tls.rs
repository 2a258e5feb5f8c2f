//! HTTPS: what the operating system trusts is trusted, or else what the variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name.

use std::error::Error as StdError;
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring;
use rustls::{CertificateError, ClientConfig, RootCertStore};

use crate::Error;

/// Read once: there may be hundreds of certificates.
static CONFIG: OnceLock<ClientConfig> = OnceLock::new();

/// # Errors
/// [`Error::Setup`] if TLS cannot be used at all. Without any certificate to trust it can, and every server is refused.
pub(crate) fn config() -> Result<ClientConfig, Error> {
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Setup(format!("TLS cannot be used: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(CONFIG.get_or_init(|| config).clone())
}

/// What to do, if a connection failed because of the server's certificate.
pub(crate) fn distrust(error: &(dyn StdError + 'static)) -> Option<String> {
    certificate_error(error).map(advice)
}

fn certificate_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a CertificateError> {
    if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
        return Some(why);
    }
    // What is wrapped in an error of the system is not its source, but takes its place.
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let wrapped = wrapped.map(|inner| inner as &(dyn StdError + 'static));
    certificate_error(wrapped.or_else(|| error.source())?)
}

fn advice(why: &CertificateError) -> String {
    let what_to_do = match why {
        // The signature is wrong when an authority was made anew with the name of the old one.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "add the certificate of its authority to those that this machine trusts, or name a file with it in the \
             variable SSL_CERT_FILE"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "use an address with a name that the certificate is for"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "renew it, and check the clock of this machine"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "check the clock of this machine"
        }
        _ => "look at how HTTPS is set up there",
    };
    format!("the server's certificate is not trusted ({why}); {what_to_do}")
}
