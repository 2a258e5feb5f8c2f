//! The configuration file over the API.

use flamenco_testkit::{Builder, Method};
use serde_json::{Value, json};

on_each_database!(
    the_configuration_is_read_and_changed,
    a_wrong_configuration_changes_nothing,
    an_address_is_tried_before_it_is_taken,
);

const FILE: &str = "/api/v3/configuration/file";

async fn the_configuration_is_read_and_changed(farm: Builder) {
    let farm = farm.with_yaml("mqtt:\n  client: { password: hush }").start().await;
    let reply = farm.get(FILE).await.expect(200);
    assert!(!reply.text().contains("hush"), "secrets are masked");
    let mut settings = reply.json();
    assert_eq!(settings["_meta"]["version"], 3);
    let yaml = farm.request(Method::GET, FILE).header("accept", "application/yaml").send().await.expect(200);
    let from_yaml: Value = serde_yaml_ng::from_str(&yaml.text()).unwrap();
    assert_eq!(from_yaml, settings);

    settings["manager_name"] = json!("Barn");
    settings["variables"]["tool"] = json!({ "values": [{ "platform": "all", "value": "/opt/tool" }] });
    farm.put(FILE, &settings).await.no_content();
    let now = farm.get(FILE).await.expect(200).json();
    assert_eq!(now["manager_name"], "Barn");
    let variables = farm.get("/api/v3/configuration/variables/workers/linux").await.expect(200).json();
    assert_eq!(variables["tool"]["value"], "/opt/tool", "at once");
    assert_eq!(farm.get("/api/v3/version").await.expect(200).json()["name"], "Barn");
    let written = std::fs::read_to_string(farm.folder().join("flamenco-manager.yaml")).unwrap();
    assert!(written.contains("Barn") && written.contains("hush"), "the masked password is kept: {written}");
    farm.stop().await;
}

async fn a_wrong_configuration_changes_nothing(farm: Builder) {
    let farm = farm.start().await;
    let good = farm.get(FILE).await.expect(200).json();
    for (pointer, value, word) in [
        ("/task_timeout", json!("soon"), "task_timeout"),
        ("/blocklist_threshold", json!(-1), "blocklist_threshold"),
        ("/_meta/version", json!(2), "version"),
        ("/shaman/enabled", json!("maybe"), "shaman.enabled"),
        ("/listen", json!("nowhere:port"), "listen"),
    ] {
        let mut wrong = good.clone();
        *wrong.pointer_mut(pointer).unwrap() = value;
        let message = farm.put(FILE, &wrong).await.problem(400);
        assert!(message.contains(word), "{pointer}: {message}");
    }
    let _ = farm.put(FILE, &json!([])).await.problem(400);
    assert_eq!(farm.get(FILE).await.expect(200).json(), good);
    assert!(!farm.folder().join("flamenco-manager.yaml").exists(), "nothing was written");
    farm.stop().await;
}

async fn an_address_is_tried_before_it_is_taken(farm: Builder) {
    let farm = farm.start().await;
    let good = farm.get(FILE).await.expect(200).json();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, next) = (taken.local_addr().unwrap(), free.local_addr().unwrap());
    drop(free);
    let with = |listen: &str| {
        let mut wanted = good.clone();
        wanted["listen"] = json!(listen);
        wanted
    };
    // 192.0.2.1 is for documents: no machine has it.
    for bad in [address.to_string(), "192.0.2.1:8080".to_owned(), "no.such.host.invalid:8080".to_owned()] {
        let message = farm.put(FILE, &with(&bad)).await.problem(400);
        assert!(message.contains("listen: ") && message.contains(&bad), "{message}");
        assert_eq!(farm.get(FILE).await.expect(200).json(), good);
    }
    farm.put(FILE, &with(&next.to_string())).await.no_content();
    // Unchanged, it is not tried: the manager itself has it, or will have.
    let held = std::net::TcpListener::bind(next).unwrap();
    farm.put(FILE, &with(&next.to_string())).await.no_content();
    farm.put(FILE, &with(&format!("localhost:{}", next.port()))).await.no_content();
    drop(held);
    farm.stop().await;
}
