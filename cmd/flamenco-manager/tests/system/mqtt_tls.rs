//! MQTT with TLS, with a real `mosquitto`: what the program trusts is decided by the machine it runs on.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{Client, Connection, Event, MqttOptions};

use crate::program::{Running, configure, start_with};

const PATIENCE: Duration = Duration::from_secs(20);

/// A broker with three doors, and the authority that has signed its certificate.
struct Broker {
    folder: tempfile::TempDir,
    open: u16,
    tls: u16,
    websocket: u16,
    _process: Running,
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

impl Broker {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certify(folder.path());
        let [open, tls, websocket] = [(); 3].map(|()| free_port());
        let file = |name: &str| folder.path().join(name).display().to_string();
        let keys = format!("certfile {}\nkeyfile {}\n", file("broker.pem"), file("broker.key"));
        let config = format!(
            "allow_anonymous true\nlistener {open} 127.0.0.1\nlistener {tls} 127.0.0.1\n{keys}\
             listener {websocket} 127.0.0.1\nprotocol websockets\n{keys}"
        );
        fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        // Debian keeps servers out of the search path of users.
        let server = Path::new("/usr/sbin/mosquitto");
        let mut command = Command::new(if server.exists() { server } else { Path::new("mosquitto") });
        command
            .arg("-c")
            .arg(folder.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Running(command.spawn().expect("mosquitto, which .ci/install installs"));
        let started = Instant::now();
        for port in [open, tls, websocket] {
            while TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(started.elapsed() < PATIENCE, "mosquitto does not listen");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Self { folder, open, tls, websocket, _process: process }
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Whoever listens at the open door.
    fn watch(&self) -> Connection {
        let (client, connection) = Client::new(MqttOptions::new("watcher", "127.0.0.1", self.open), 10);
        client.subscribe("#", QoS::AtLeastOnce).unwrap();
        connection
    }
}

/// Makes an authority, and has it sign a certificate for `localhost`.
fn certify(folder: &Path) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    fs::write(folder.join("authority.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let authority = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let broker = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    fs::write(folder.join("broker.pem"), broker.signed_by(&key, &authority).unwrap().pem()).unwrap();
    fs::write(folder.join("broker.key"), key.serialize_pem()).unwrap();
}

/// The first message that comes in time.
fn first_message(mut connection: Connection) -> Option<(String, String)> {
    let deadline = Instant::now() + PATIENCE;
    while let Ok(event) = connection.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        if let Event::Incoming(Packet::Publish(message)) = event.unwrap() {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            return Some((text(&message.topic), text(&message.payload)));
        }
    }
    None
}

fn set_broker(folder: &Path, address: &str) {
    let path = folder.join("flamenco-manager.yaml");
    let yaml = fs::read_to_string(&path).unwrap();
    fs::write(path, format!("{yaml}mqtt: {{ client: {{ enabled: true, broker: '{address}' }} }}\n")).unwrap();
}

#[test]
fn events_arrive_at_a_broker_that_is_trusted() {
    for over_websockets in [false, true] {
        let broker = Broker::start();
        let address = match over_websockets {
            false => format!("mqtts://localhost:{}", broker.tls),
            true => format!("wss://localhost:{}/mqtt", broker.websocket),
        };
        let folder = tempfile::tempdir().unwrap();
        let listen = configure(folder.path(), "enabled: false");
        set_broker(folder.path(), &address);
        let watcher = broker.watch();
        let _manager = start_with(folder.path(), listen, |command| {
            command.env("SSL_CERT_FILE", broker.authority()).env_remove("SSL_CERT_DIR");
        });
        let log = || fs::read_to_string(folder.path().join("log.txt")).unwrap();
        let (topic, payload) = first_message(watcher).unwrap_or_else(|| panic!("{address}\n{}", log()));
        assert_eq!(
            (topic.as_str(), payload.as_str()),
            ("flamenco/lifecycle", r#"{"type":"manager-startup"}"#)
        );
    }
}

#[test]
fn nothing_is_told_to_a_broker_that_is_not() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let listen = configure(folder.path(), "enabled: false");
    set_broker(folder.path(), &format!("mqtts://localhost:{}", broker.tls));
    let _manager = start_with(folder.path(), listen, |command| {
        command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
    });
    let log = || fs::read_to_string(folder.path().join("log.txt")).unwrap();
    let started = Instant::now();
    while !log().contains("SSL_CERT_FILE") {
        assert!(started.elapsed() < PATIENCE, "the log does not say what to do:\n{}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!log().contains("connected to the MQTT broker"), "{}", log());
}
