//! The configuration file over the API.

use flamenco_testkit::{Builder, Method};
use serde_json::{Value, json};

on_each_database!(
    the_configuration_is_read_and_changed,
    a_wrong_configuration_changes_nothing,
    an_address_is_tried_before_it_is_taken,
    every_setting_says_where_it_comes_from,
    the_manager_starts_again_when_it_is_told_to,
    what_cannot_start_is_not_tried,
);

const FILE: &str = "/api/v3/configuration/file";
const STATE: &str = "/api/v3/configuration/state";
const RESTART: &str = "/api/v3/configuration/restart";

/// A setting of the answer about the state.
fn setting<'s>(state: &'s Value, key: &str) -> &'s Value {
    let all = state["settings"].as_array().unwrap();
    all.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("no {key} in {state}"))
}

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

async fn every_setting_says_where_it_comes_from(farm: Builder) {
    let farm = farm.with_yaml("mqtt:\n  client: { password: hush }\ntask_timeout: 20m").start().await;
    let state = farm.get(STATE).await.expect(200);
    assert!(!state.text().contains("hush"), "secrets are masked");
    let state = state.json();
    assert_eq!(state["platform"], "linux");
    let folder = farm.folder().display().to_string();
    for (key, value, default, at_restart) in [
        ("manager_name", "Flamenco", "Flamenco", false),
        ("task_timeout", "20m0s", "10m0s", false),
        ("shaman.garbageCollect.period", "24h0m0s", "24h0m0s", true),
        ("mqtt.client.password", "********", "", false),
        ("mqtt.client.enabled", "false", "false", false),
        ("blocklist_threshold", "3", "3", false),
        ("local_manager_storage_path", &format!("{folder}/local"), "./flamenco-manager-storage", true),
        ("scripts_paths", "scripts", "", true),
    ] {
        let wanted = json!({ "key": key, "value": value, "default": default, "source": "default",
            "at_restart": at_restart, "waiting": false });
        assert_eq!(setting(&state, key), &wanted, "there is no file yet");
    }
    let mut settings = farm.get(FILE).await.expect(200).json();
    settings["manager_name"] = json!("Barn");
    settings["script_time_limit"] = json!("9s");
    farm.put(FILE, &settings).await.no_content();
    let state = farm.get(STATE).await.expect(200).json();
    let name = json!({ "key": "manager_name", "value": "Barn", "default": "Flamenco", "source": "file",
        "at_restart": false, "waiting": false });
    assert_eq!(setting(&state, "manager_name"), &name, "in force at once");
    let limit = json!({ "key": "script_time_limit", "value": "5s", "default": "5s", "source": "file",
        "at_restart": true, "waiting": true });
    assert_eq!(setting(&state, "script_time_limit"), &limit, "the file says something else by now");

    // Somebody edits the file by hand.
    let file = farm.folder().join("flamenco-manager.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("manager_name: Barn", "manager_name: Shed")).unwrap();
    let state = farm.get(STATE).await.expect(200).json();
    assert_eq!(
        (&setting(&state, "manager_name")["value"], state.get("file_problem")),
        (&json!("Barn"), None)
    );
    assert_eq!(setting(&state, "manager_name")["waiting"], true);
    std::fs::write(&file, "_meta: { version: 3 }\ntask_timeout: soon\n").unwrap();
    let state = farm.get(STATE).await.expect(200).json();
    assert!(state["file_problem"].as_str().unwrap().contains("task_timeout"), "{state}");
    assert_eq!(setting(&state, "manager_name")["value"], "Barn");
    farm.stop().await;
}

async fn the_manager_starts_again_when_it_is_told_to(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", crate::tasks(2)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    let mut settings = farm.get(FILE).await.expect(200).json();
    settings["script_time_limit"] = json!("9s");
    farm.put(FILE, &settings).await.no_content();
    let before = farm.get(STATE).await.expect(200).json();
    farm.clock().advance(chrono::TimeDelta::seconds(1));
    farm.post(RESTART, &json!({})).await.no_content();

    // Whoever asks waits for the answer of the next start.
    crate::eventually("it has started again", std::time::Duration::from_secs(10), async || {
        farm.get(STATE).await.expect(200).json()["started_at"] != before["started_at"]
    })
    .await;
    let state = farm.get(STATE).await.expect(200).json();
    let limit = setting(&state, "script_time_limit");
    assert_eq!((&limit["value"], &limit["waiting"]), (&json!("9s"), &json!(false)));
    assert_eq!(farm.task_statuses(&job).await, "active queued", "tasks go on");
    worker.complete(&task).await;
    worker.complete(&worker.take().await).await;
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}

async fn what_cannot_start_is_not_tried(farm: Builder) {
    let farm = farm.start().await;
    let settings = farm.get(FILE).await.expect(200).json();
    farm.put(FILE, &settings).await.no_content();
    let before = farm.get(STATE).await.expect(200).json();
    let file = farm.folder().join("flamenco-manager.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let line = |key: &str| text.lines().find(|line| line.starts_with(&format!("{key}:"))).unwrap().to_owned();
    std::fs::write(farm.folder().join("plain"), "").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    for (key, value, word) in [
        ("task_timeout", "soon".to_owned(), "task_timeout"),
        ("local_manager_storage_path", "plain/below".to_owned(), "plain/below"),
        ("shared_storage_path", "plain/below".to_owned(), "plain/below"),
        ("database", "plain/below.sqlite".to_owned(), "database"),
        ("database", "postgres://nobody:s3cret@127.0.0.1:1/none".to_owned(), "database"),
        ("listen", format!("\"{taken}\""), "listen"),
    ] {
        std::fs::write(&file, text.replace(&line(key), &format!("{key}: {value}"))).unwrap();
        let message = farm.post(RESTART, &json!({})).await.problem(409);
        assert!(message.contains(word) && !message.contains("s3cret"), "{key}: {message}");
    }
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(farm.get(STATE).await.expect(200).json()["started_at"], before["started_at"]);
    std::fs::write(&file, text).unwrap();
    farm.post(RESTART, &json!({})).await.no_content();
    farm.stop().await;
}
