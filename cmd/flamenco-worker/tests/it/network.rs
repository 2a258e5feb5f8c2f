//! What is between the worker and its manager: HTTPS, and proxies.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::fake_manager::FakeManager;
use crate::program;

/// An authority, whose certificate is in a file.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(file: PathBuf) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    /// A server with a certificate for this name, which passes everything on to the manager. Gives its port.
    async fn https(&self, name: &str, manager: &FakeManager) -> u16 {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = certificate.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(certificate.der().to_vec())],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (listener, manager) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), manager.address);
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Fails for whoever does not trust the certificate.
                    let Ok(mut near) = acceptor.accept(near).await else { return };
                    let mut far = TcpStream::connect(manager).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        port
    }
}

fn worker(directory: &Path, url: &str) -> Command {
    let mut command = program(directory);
    command.args(["-manager", url]);
    command
}

#[tokio::test]
async fn a_manager_behind_https_is_a_manager() {
    let manager = FakeManager::start().await;
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new(directory.path().join("authority.pem"));
    let port = authority.https("127.0.0.1", &manager).await;
    let mut command = worker(directory.path(), &format!("https://127.0.0.1:{port}/"));
    let mut process = command.arg("-quiet").env("SSL_CERT_FILE", &authority.file).spawn().unwrap();
    let task = manager.add_task(&[("echo", json!({"message": "in secret"}))]);
    manager.until_ended(task).await;
    assert!(manager.farm().task(task).log().contains("in secret"));
    manager.request_status("offline");
    assert_eq!(process.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_told_with_what_to_do() {
    let manager = FakeManager::start().await;
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new(directory.path().join("authority.pem"));
    let other = Authority::new(directory.path().join("other.pem"));
    let strange = authority.https("127.0.0.1", &manager).await;
    let misnamed = authority.https("manager.example", &manager).await;
    for (port, trusted, what_to_do) in [
        (strange, &other, "SSL_CERT_FILE"),
        (misnamed, &authority, "use an address with a name that the certificate is for"),
    ] {
        let log = directory.path().join(format!("{port}.log"));
        let mut command = worker(directory.path(), &format!("https://127.0.0.1:{port}/"));
        command.env("SSL_CERT_FILE", &trusted.file).stdout(Stdio::from(std::fs::File::create(&log).unwrap()));
        let mut process = command.spawn().unwrap();
        let mut text = String::new();
        for _ in 0..500 {
            text = std::fs::read_to_string(&log).unwrap();
            if text.contains(what_to_do) {
                break;
            }
            sleep(Duration::from_millis(20)).await;
        }
        assert!(
            text.contains("the server's certificate is not trusted") && text.contains(what_to_do),
            "{text}"
        );
        process.kill().await.unwrap();
    }
    assert!(manager.farm().registrations.is_empty());
}

#[tokio::test]
async fn this_machine_is_never_reached_through_a_proxy() {
    let manager = FakeManager::start().await;
    let directory = tempfile::tempdir().unwrap();
    // Nobody listens there.
    let proxy = "http://127.0.0.1:9/";
    let mut command = worker(directory.path(), &manager.url());
    command
        .arg("-quiet")
        .env("HTTP_PROXY", proxy)
        .env("http_proxy", proxy)
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    let mut process = command.spawn().unwrap();
    manager.until("awake", |farm| (farm.status == "awake").then_some(())).await;
    manager.request_status("offline");
    assert_eq!(process.wait().await.unwrap().code(), Some(0));
}
