//! Events over MQTT, with a real `mosquitto` on a port of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flamenco_testkit::{Builder, TestManager, warnings};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::{eventually, tasks};

on_each_database!(
    what_happens_is_published_in_order,
    what_happens_while_the_broker_is_away_follows,
    a_wrong_password_is_no_end,
    the_broker_can_be_changed_while_the_manager_runs,
    a_manager_that_vanishes_is_reported_gone,
    over_websockets,
);

const PATIENCE: Duration = Duration::from_secs(20);

/// A broker in a folder of its own; it ends with this.
struct Broker {
    folder: tempfile::TempDir,
    port: u16,
    process: Option<Child>,
}

impl Broker {
    fn new(more_config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let config = format!("listener {port} 127.0.0.1\n{more_config}\n");
        std::fs::write(folder.path().join("mosquitto.conf"), config).unwrap();
        let mut broker = Self { folder, port, process: None };
        broker.start();
        broker
    }

    fn open() -> Self {
        Self::new("allow_anonymous true")
    }

    fn start(&mut self) {
        let mut command = Command::new(program("mosquitto"));
        command.arg("-c").arg(self.folder.path().join("mosquitto.conf"));
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.process = Some(process.expect("mosquitto, which .ci/install installs"));
        let started = std::time::Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(started.elapsed() < PATIENCE, "mosquitto does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn yaml(&self) -> String {
        format!("mqtt: {{client: {{enabled: true, broker: 'tcp://127.0.0.1:{}'}}}}", self.port)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Debian keeps servers out of the search path of users.
fn program(name: &str) -> PathBuf {
    let server = Path::new("/usr/sbin").join(name);
    if server.exists() { server } else { name.into() }
}

/// What a subscriber of everything receives: topic, payload, and whether it was kept for it.
struct Watcher {
    received: mpsc::UnboundedReceiver<(String, Value, bool)>,
    /// Ended with this: two clients of one name would push each other out.
    _listening: AbortOnDropHandle<()>,
}

impl Watcher {
    async fn at(broker: &Broker) -> Self {
        Self::over(MqttOptions::new("watcher", "127.0.0.1", broker.port)).await
    }

    async fn over(mut options: MqttOptions) -> Self {
        options.set_keep_alive(Duration::from_secs(5));
        let (client, mut events) = AsyncClient::new(options, 10);
        let (sender, receiver) = mpsc::unbounded_channel();
        let (subscribed, mut is_subscribed) = mpsc::unbounded_channel();
        let listening = tokio::spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        client.subscribe("#", QoS::AtLeastOnce).await.unwrap();
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => drop(subscribed.send(())),
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        let topic = String::from_utf8(message.topic.to_vec()).unwrap();
                        let payload = serde_json::from_slice(&message.payload).unwrap();
                        if sender.send((topic, payload, message.retain)).is_err() {
                            return;
                        }
                    }
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        });
        tokio::time::timeout(PATIENCE, is_subscribed.recv()).await.expect("a subscription in time");
        Self { received: receiver, _listening: AbortOnDropHandle::new(listening) }
    }

    async fn next(&mut self) -> (String, Value, bool) {
        tokio::time::timeout(PATIENCE, self.received.recv()).await.expect("a message in time").unwrap()
    }

    /// The next message of a topic that satisfies `wanted`; all before it are skipped.
    async fn until(&mut self, topic: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (is, payload, _) = self.next().await;
            assert!(!is.contains("tasklog"), "task logs are not for brokers: {payload}");
            if is == topic && wanted(&payload) {
                return payload;
            }
        }
    }
}

async fn what_happens_is_published_in_order(farm: Builder) {
    let broker = Broker::open();
    let mut watcher = Watcher::at(&broker).await;
    let farm = farm.with_yaml(&broker.yaml()).start().await;
    let (topic, payload, _) = watcher.next().await;
    assert_eq!((topic.as_str(), payload), ("flamenco/lifecycle", json!({ "type": "manager-startup" })));
    assert_eq!(watcher.next().await.0, "flamenco/status");

    let job = farm.submit("job", tasks(1)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    assert_eq!(worker.log(task.uuid, "not for brokers").await, 204);
    worker.complete(&task).await;
    let new = watcher.until("flamenco/jobs", |_| true).await;
    assert_eq!((&new["id"], new.get("previous_status")), (&json!(job), None));
    let mut seen = Vec::new();
    loop {
        let (topic, payload, _) = watcher.next().await;
        assert!(!topic.contains("tasklog"), "{payload}");
        if let Some(rest) = topic.strip_prefix("flamenco/jobs") {
            let which = if rest.is_empty() { "job" } else { "task" };
            if which == "task" {
                assert_eq!(rest, format!("/{job}"));
            }
            if let Some(before) = payload["previous_status"].as_str() {
                seen.push(format!("{which} {before} -> {}", payload["status"].as_str().unwrap()));
            }
            if seen.last().is_some_and(|last| last == "job active -> completed") {
                break;
            }
        }
    }
    let want = [
        "task queued -> active",
        "job queued -> active",
        "task active -> completed",
        "job active -> completed",
    ];
    assert_eq!(seen, want);
    watcher.until("flamenco/status", |status| status["status"] == "idle").await;

    // Whoever comes later is told what is so.
    let mut late = Watcher::at_as(&broker, "late").await;
    let mut kept = [late.next().await, late.next().await];
    kept.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(kept[0], ("flamenco/lifecycle".into(), json!({ "type": "manager-startup" }), true));
    assert_eq!(kept[1], ("flamenco/status".into(), json!({ "status": "idle" }), true));
    farm.stop().await;
    let goodbye = watcher.until("flamenco/lifecycle", |_| true).await;
    assert_eq!(goodbye, json!({ "type": "manager-shutdown" }));
    let nothing = tokio::time::timeout(Duration::from_millis(500), watcher.received.recv()).await;
    assert!(nothing.is_err(), "said once: {nothing:?}");
}

impl Watcher {
    async fn at_as(broker: &Broker, name: &str) -> Self {
        Self::over(MqttOptions::new(name, "127.0.0.1", broker.port)).await
    }
}

/// The way from the manager to the broker, so that a watcher can be there first after the broker was started again.
struct Gate {
    port: u16,
    open: Arc<AtomicBool>,
}

impl Gate {
    async fn to(broker: &Broker) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (port, broker_port) = (listener.local_addr().unwrap().port(), broker.port);
        let open = Arc::new(AtomicBool::new(true));
        let is_open = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((mut here, _)) = listener.accept().await {
                if !is_open.load(Ordering::Relaxed) {
                    continue;
                }
                tokio::spawn(async move {
                    if let Ok(mut there) = tokio::net::TcpStream::connect(("127.0.0.1", broker_port)).await {
                        // Ends with either side.
                        drop(tokio::io::copy_bidirectional(&mut here, &mut there).await);
                    }
                });
            }
        });
        Self { port, open }
    }
}

async fn what_happens_while_the_broker_is_away_follows(farm: Builder) {
    let mut broker = Broker::open();
    let gate = Gate::to(&broker).await;
    let yaml = format!("mqtt: {{client: {{enabled: true, broker: 'tcp://127.0.0.1:{}'}}}}", gate.port);
    let farm = farm.with_yaml(&yaml).start().await;
    let mut watcher = Watcher::at(&broker).await;
    watcher.until("flamenco/lifecycle", |_| true).await;
    broker.kill();
    gate.open.store(false, Ordering::Relaxed);
    drop(watcher);
    let mut jobs = Vec::new();
    for number in 0..30 {
        jobs.push(json!(farm.submit(&format!("job {number}"), tasks(1)).await));
    }
    // The first attempts find nobody there.
    tokio::time::sleep(Duration::from_secs(1)).await;
    broker.start();
    let mut watcher = Watcher::at(&broker).await;
    gate.open.store(true, Ordering::Relaxed);
    let mut told = Vec::new();
    while told.len() < jobs.len() {
        told.push(watcher.until("flamenco/jobs", |_| true).await["id"].clone());
    }
    assert_eq!(told, jobs, "all of them, in order");
    farm.stop().await;
    watcher.until("flamenco/lifecycle", |event| event["type"] == "manager-shutdown").await;
}

async fn a_wrong_password_is_no_end(farm: Builder) {
    let folder = tempfile::tempdir().unwrap();
    let passwords = folder.path().join("passwords");
    let made =
        Command::new("mosquitto_passwd").arg("-b").arg("-c").arg(&passwords).args(["farm", "right"]).output();
    assert!(made.unwrap().status.success());
    // The broker changes to a user of its own before it reads them.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(&passwords, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let broker = Broker::new(&format!("allow_anonymous false\npassword_file {}", passwords.display()));
    let settings = |password: &str| {
        json!({ "enabled": true, "broker": format!("mqtt://127.0.0.1:{}", broker.port), "username": "farm",
            "password": password, "topic_prefix": "my/farm" })
    };
    let mut options = MqttOptions::new("watcher", "127.0.0.1", broker.port);
    options.set_credentials("farm", "right");
    let mut watcher = Watcher::over(options).await;
    let farm = farm.with_yaml(&format!("mqtt: {{client: {}}}", settings("wrong"))).start().await;
    eventually("the log says why", PATIENCE, async || {
        let broker = format!("127.0.0.1:{}", broker.port);
        let warnings = warnings();
        warnings.lines().any(|line| {
            line.contains(&broker) && line.contains("check mqtt.client.username and mqtt.client.password")
        })
    })
    .await;
    let job = farm.submit("job", tasks(1)).await;
    change(&farm, settings("right")).await;
    let shown = farm.get("/api/v3/configuration/file").await.expect(200).text();
    assert!(!shown.contains("right") && shown.contains("********"), "{shown}");
    watcher.until("my/farm/lifecycle", |event| event["type"] == "manager-startup").await;
    farm.set_job_status(&job, "cancel-requested").await.no_content();
    watcher.until("my/farm/jobs", |event| event["status"] == "canceled").await;
    farm.stop().await;
}

/// Replaces the settings of the MQTT client.
async fn change(farm: &TestManager, client: Value) {
    let mut settings = farm.get("/api/v3/configuration/file").await.expect(200).json();
    settings["mqtt"]["client"] = client;
    farm.put("/api/v3/configuration/file", &settings).await.no_content();
}

async fn the_broker_can_be_changed_while_the_manager_runs(farm: Builder) {
    let (first, second) = (Broker::open(), Broker::open());
    let farm = farm.start().await;
    let settings =
        |broker: &Broker| json!({ "enabled": true, "broker": format!("tcp://127.0.0.1:{}", broker.port) });
    let mut here = Watcher::at(&first).await;
    let mut there = Watcher::at_as(&second, "there").await;
    change(&farm, settings(&first)).await;
    here.until("flamenco/lifecycle", |event| event["type"] == "manager-startup").await;
    change(&farm, settings(&second)).await;
    there.until("flamenco/lifecycle", |event| event["type"] == "manager-startup").await;
    here.until("flamenco/lifecycle", |event| event["type"] == "manager-shutdown").await;
    let job = farm.submit("job", tasks(1)).await;
    assert_eq!(there.until("flamenco/jobs", |_| true).await["id"], job);
    change(&farm, json!({ "enabled": false })).await;
    there.until("flamenco/lifecycle", |event| event["type"] == "manager-shutdown").await;
    let mut wrong = farm.get("/api/v3/configuration/file").await.expect(200).json();
    wrong["mqtt"]["client"] = json!({ "enabled": true, "broker": "http://broker" });
    let message = farm.put("/api/v3/configuration/file", &wrong).await.problem(400);
    assert!(message.contains("mqtt.client.broker") && message.contains("tcp"), "{message}");
    farm.stop().await;
}

async fn a_manager_that_vanishes_is_reported_gone(farm: Builder) {
    let broker = Broker::open();
    let mut watcher = Watcher::at(&broker).await;
    let mut farm = farm.with_yaml(&broker.yaml()).start().await;
    watcher.until("flamenco/status", |_| true).await;
    farm.kill();
    watcher.until("flamenco/lifecycle", |event| event["type"] == "manager-shutdown").await;
    farm.start_again().await;
    watcher.until("flamenco/lifecycle", |event| event["type"] == "manager-startup").await;
    farm.stop().await;
}

async fn over_websockets(farm: Builder) {
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let broker =
        Broker::new(&format!("listener {port} 127.0.0.1\nprotocol websockets\nallow_anonymous true"));
    let mut watcher = Watcher::at(&broker).await;
    let yaml = format!("mqtt: {{client: {{enabled: true, broker: 'ws://127.0.0.1:{port}/mqtt'}}}}");
    let farm = farm.with_yaml(&yaml).start().await;
    watcher.until("flamenco/lifecycle", |event| event["type"] == "manager-startup").await;
    let job = farm.submit("job", tasks(1)).await;
    assert_eq!(watcher.until("flamenco/jobs", |_| true).await["id"], job);
    farm.stop().await;
    watcher.until("flamenco/lifecycle", |event| event["type"] == "manager-shutdown").await;
}
