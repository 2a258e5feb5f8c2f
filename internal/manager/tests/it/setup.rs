//! The setup assistant: what it tries out, what it writes, and the start that follows in the same process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flamenco_testkit::api::operations::SubmitJobResponse;
use flamenco_testkit::{Builder, TestManager};
use serde_json::{Value, json};

use crate::{eventually, tasks};

on_each_database!(
    shared_storage_is_tried_out,
    blender_is_found_and_tried_out,
    incomplete_choices_change_nothing,
    the_manager_starts_again_with_the_choices,
    restarting_twice_is_harmless,
    nothing_acknowledged_is_lost_by_a_restart,
    a_file_that_cannot_be_written_changes_nothing,
    it_can_be_asked_for,
    a_browser_is_opened_at_the_first_start_only,
    the_file_store_changes_at_the_next_start,
    a_mixed_farm_gets_its_variables,
    tokens_are_in_force_with_the_choices,
);

const STORAGE: &str = "/api/v3/configuration/check/shared-storage";
const BLENDER: &str = "/api/v3/configuration/check/blender";
const SAVE: &str = "/api/v3/configuration/setup-assistant";
const ADMIN: &str = "admin-token-of-the-farm";

fn first_run(farm: Builder) -> Builder {
    farm.with_yaml("shared_storage_path: ''")
}

fn choices(storage: &str) -> Value {
    let blender = json!({
        "input": "/opt/b 4 (new)/blender", "path": "/opt/b 4 (new)/blender", "source": "input_path", "is_usable": true,
        "cause": "Blender 4.5.0"
    });
    json!({ "storageLocation": storage, "blenderExecutable": blender })
}

async fn is_first_run(farm: &TestManager) -> bool {
    farm.get("/api/v3/configuration").await.expect(200).json()["isFirstRun"] == true
}

async fn shared_storage_is_tried_out(farm: Builder) {
    let farm = first_run(farm).start().await;
    let good = farm.folder().join("good");
    std::fs::create_dir(&good).unwrap();
    let file = farm.folder().join("file");
    std::fs::write(&file, "").unwrap();
    let program = std::env::current_exe().unwrap().parent().unwrap().display().to_string();
    let missing = farm.folder().join("missing").display().to_string();
    for (path, usable, cause) in [
        ("", false, "empty"),
        ("   ", false, "empty"),
        (r"\\server\share", false, "UNC"),
        (missing.as_str(), false, "does not exist"),
        (&file.display().to_string(), false, "not a directory"),
        (&program, false, "manager program"),
        ("/proc/self", false, "cannot be created"),
        ("a\0b", false, "cannot be looked at"),
        (&good.display().to_string(), true, ""),
        ("good", true, ""),
    ] {
        let found = farm.post(STORAGE, &json!({ "path": path })).await.expect(200).json();
        assert_eq!((&found["path"], &found["is_usable"]), (&json!(path), &json!(usable)), "{found}");
        assert!(found["cause"].as_str().unwrap().contains(cause), "{found}");
    }
    assert_eq!(std::fs::read_dir(&good).unwrap().count(), 0, "nothing is left behind");
    let _ = farm.post(STORAGE, &json!({ "path": 3 })).await.problem(400);
    let _ = farm.post(STORAGE, &json!([])).await.problem(400);
    farm.stop().await;
}

/// A program that behaves as the script says.
fn program(folder: &std::path::Path, name: &str, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

async fn blender_is_found_and_tried_out(farm: Builder) {
    let farm = first_run(farm).start().await;
    let found = farm.get(BLENDER).await.expect(200).json();
    assert_eq!(found[0]["source"], "path_envvar", "install Blender: apt-get install blender; {found}");
    assert_eq!((&found[0]["input"], &found[0]["is_usable"]), (&json!("blender"), &json!(true)));
    assert!(found[0]["cause"].as_str().unwrap().starts_with("Blender "), "{found}");
    let installed = found[0]["path"].as_str().unwrap();

    let folder = farm.folder().join("programs");
    std::fs::create_dir(&folder).unwrap();
    let own = program(&folder, "blender", "echo warning >&2\necho Blender 9.9.9\necho more");
    let broken = program(&folder, "broken", "echo libx.so is missing >&2\nexit 127");
    let endless = program(&folder, "endless", "while :; do echo nonsense; done");
    let here = folder.display().to_string();
    for (path, expected, source, usable, cause) in [
        ("", installed, "path_envvar", true, "Blender "),
        ("blender", installed, "path_envvar", true, "Blender "),
        (installed, installed, "input_path", true, "Blender "),
        (own.as_str(), own.as_str(), "input_path", true, "Blender 9.9.9"),
        (here.as_str(), own.as_str(), "input_path", true, "Blender 9.9.9"),
        ("programs/blender", own.as_str(), "input_path", true, "Blender 9.9.9"),
        ("no-such-blender", "", "path_envvar", false, "was not found"),
        ("/no/such/blender", "/no/such/blender", "input_path", false, "there is no program"),
        ("/bin/ls", "/bin/ls", "input_path", false, "is not Blender"),
        (&broken, &broken, "input_path", false, "libx.so is missing"),
        (&endless, &endless, "input_path", false, "nonsense"),
        ("/proc/version", "/proc/version", "input_path", false, "cannot be run"),
    ] {
        let found = farm.post(BLENDER, &json!({ "path": path })).await.expect(200).json();
        let input = if path.is_empty() { "blender" } else { path };
        assert_eq!((&found["input"], &found["path"]), (&json!(input), &json!(expected)), "{found}");
        assert_eq!((&found["source"], &found["is_usable"]), (&json!(source), &json!(usable)), "{found}");
        assert!(found["cause"].as_str().unwrap().contains(cause), "{found}");
    }
    let slow = program(&folder, "slow", "sleep 60; echo Blender 1");
    let found = farm.post(BLENDER, &json!({ "path": slow })).await.expect(200).json();
    assert!(found["cause"].as_str().unwrap().contains("within 10 s"), "{found}");
    let _ = farm.post(BLENDER, &json!({ "path": null })).await.problem(400);
    farm.stop().await;
}

async fn incomplete_choices_change_nothing(farm: Builder) {
    let farm = first_run(farm).start().await;
    let set = |pointer: &str, value: Value| {
        let mut body = choices("/mnt/farm");
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    for (body, word) in [
        (set("/storageLocation", json!("")), "storageLocation"),
        (set("/storageLocation", json!("  ")), "storageLocation"),
        (set("/storageLocation", json!(r"C:\farm")), "shared_storage_path"),
        (set("/blenderExecutable/is_usable", json!(false)), "is_usable"),
        (set("/blenderExecutable/path", json!("")), "path"),
        (set("/blenderExecutable/input", json!("")), "input"),
        (set("/blenderExecutable/source", json!("")), "source"),
        (set("/blenderExecutable/source", json!("elsewhere")), "source"),
        (set("/blenderExecutable", json!({})), "blenderExecutable"),
        (json!({}), "blenderExecutable"),
    ] {
        let message = farm.post(SAVE, &body).await.problem(400);
        assert!(message.contains(word), "{body}: {message}");
    }
    assert!(is_first_run(&farm).await);
    assert!(!farm.folder().join("flamenco-manager.yaml").exists(), "nothing was written");
    farm.stop().await;
}

async fn the_manager_starts_again_with_the_choices(farm: Builder) {
    let farm = first_run(farm).start().await;
    let before = farm.get("/api/v3/configuration").await.expect(200).json();
    assert_eq!((&before["isFirstRun"], &before["storageLocation"]), (&json!(true), &json!("")));
    let job = farm.submit("before", tasks(2)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    let storage = farm.folder().join("über all").display().to_string();
    farm.post(SAVE, &choices(&storage)).await.no_content();

    // At once, on the same address: whoever asks waits for the answer.
    let now = farm.get("/api/v3/configuration").await.expect(200).json();
    assert_eq!((&now["isFirstRun"], &now["storageLocation"]), (&json!(false), &json!(storage)));
    let variables = farm.get("/api/v3/configuration/variables/workers/linux").await.expect(200).json();
    assert_eq!(variables["blender"]["value"], "/opt/b 4 (new)/blender", "as it is: nobody unquotes it");
    assert_eq!(variables["blenderArgs"]["value"], "-b -y");
    for platform in ["windows", "darwin"] {
        let path = format!("/api/v3/configuration/variables/workers/{platform}");
        assert_eq!(farm.get(&path).await.expect(200).json()["blender"]["value"], "blender");
    }
    let file = farm.folder().join("flamenco-manager.yaml");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(std::fs::read_to_string(&file).unwrap().contains(&storage));

    // The farm is the same one, too.
    assert_eq!(farm.task_statuses(&job).await, "active queued");
    worker.complete(&task).await;
    worker.complete(&worker.take().await).await;
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}

async fn restarting_twice_is_harmless(farm: Builder) {
    let farm = first_run(farm).start().await;
    let (one, two) = (choices("/tmp/flamenco-one"), choices("/tmp/flamenco-two"));
    let (first, second) = tokio::join!(farm.post(SAVE, &one), farm.post(SAVE, &two));
    first.no_content();
    second.no_content();
    let now = farm.get("/api/v3/configuration").await.expect(200).json();
    let storage = now["storageLocation"].as_str().unwrap();
    assert!(["/tmp/flamenco-one", "/tmp/flamenco-two"].contains(&storage), "{now}");
    for number in 0..3 {
        farm.post(SAVE, &choices(&format!("/tmp/flamenco-{number}"))).await.no_content();
    }
    eventually("the last one wins", Duration::from_secs(10), async || {
        farm.get("/api/v3/configuration").await.expect(200).json()["storageLocation"] == "/tmp/flamenco-2"
    })
    .await;
    farm.stop().await;
}

async fn nothing_acknowledged_is_lost_by_a_restart(farm: Builder) {
    let farm = first_run(farm).start().await;
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let submitting: Vec<_> = (0..4)
        .map(|number| {
            let (client, acknowledged, stop) = (farm.client(), Arc::clone(&acknowledged), Arc::clone(&stop));
            tokio::spawn(async move {
                let job = TestManager::submission(&format!("job {number}"), &tasks(1));
                let job = serde_json::from_value(job).unwrap();
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    // What fails in between was not acknowledged.
                    if let Ok(SubmitJobResponse::Status200(job)) = client.submit_job(&job).await {
                        acknowledged.lock().unwrap().push(job.id.to_string());
                    }
                }
            })
        })
        .collect();
    for number in 0..3 {
        let enough = acknowledged.lock().unwrap().len() + 10;
        eventually("jobs are accepted", Duration::from_secs(20), async || {
            acknowledged.lock().unwrap().len() > enough
        })
        .await;
        farm.post(SAVE, &choices(&format!("/tmp/flamenco-{number}"))).await.no_content();
        let enough = acknowledged.lock().unwrap().len() + 10;
        eventually("jobs are accepted again", Duration::from_secs(20), async || {
            acknowledged.lock().unwrap().len() > enough
        })
        .await;
        farm.post("/api/v3/configuration/restart", &json!({})).await.no_content();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for task in submitting {
        task.await.unwrap();
    }
    let ids = std::mem::take(&mut *acknowledged.lock().unwrap());
    for id in &ids {
        assert_eq!(farm.tasks(id).await.len(), 1, "job {id} of {}", ids.len());
    }
    farm.stop().await;
}

async fn a_file_that_cannot_be_written_changes_nothing(farm: Builder) {
    let farm = first_run(farm).start().await;
    // Nothing can be renamed over a folder that is not empty.
    std::fs::create_dir_all(farm.folder().join("flamenco-manager.yaml/in the way")).unwrap();
    let _ = farm.post(SAVE, &choices("/mnt/farm")).await.problem(500);
    assert!(is_first_run(&farm).await);
    let left = std::fs::read_dir(farm.folder()).unwrap();
    let left = left.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".tmp"));
    assert_eq!(left.count(), 0);
    farm.stop().await;
}

async fn it_can_be_asked_for(farm: Builder) {
    let farm = farm.with_parts(|parts| parts.setup_assistant = true).start().await;
    let configuration = farm.get("/api/v3/configuration").await.expect(200).json();
    assert_eq!(configuration["isFirstRun"], true);
    assert_eq!(configuration["storageLocation"], farm.folder().join("shared").display().to_string());
    farm.post(SAVE, &choices("/tmp/flamenco-asked")).await.no_content();
    assert!(!is_first_run(&farm).await, "only until it is done");
    farm.stop().await;
}

async fn a_browser_is_opened_at_the_first_start_only(farm: Builder) {
    let opened = Arc::new(Mutex::new(Vec::new()));
    let browser = Arc::clone(&opened);
    let farm = first_run(farm).with_parts(move |parts| {
        let browser = Arc::clone(&browser);
        parts.browser = Some(Arc::new(move |url: &str| {
            browser.lock().unwrap().push(url.to_owned());
            // As when there is none; the manager has to do without.
            Err(std::io::ErrorKind::NotFound.into())
        }));
    });
    let farm = farm.start().await;
    eventually("a browser is opened", Duration::from_secs(5), async || !opened.lock().unwrap().is_empty())
        .await;
    farm.post(SAVE, &choices("/tmp/flamenco-browser")).await.no_content();
    assert!(!is_first_run(&farm).await);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(*opened.lock().unwrap(), [format!("{}/", farm.url())]);
    farm.stop().await;
}

async fn the_file_store_changes_at_the_next_start(farm: Builder) {
    let farm = farm.with_yaml("shaman: { enabled: true }").start().await;
    let file = "/api/v3/configuration/file";
    let jobs = async || {
        let path = "/api/v3/configuration/variables/workers/linux";
        farm.get(path).await.expect(200).json()["jobs"]["value"].as_str().unwrap().to_owned()
    };
    let before = jobs().await;
    assert!(before.ends_with("/shared/jobs"), "{before}");
    let mut settings = farm.get(file).await.expect(200).json();
    settings["shaman"]["enabled"] = json!(false);
    farm.put(file, &settings).await.no_content();
    assert_eq!(farm.get(file).await.expect(200).json()["shaman"]["enabled"], false);
    assert_eq!(jobs().await, before, "jobs stay where the running file store puts them");
    // The assistant's restart is as good as any.
    farm.post(SAVE, &choices(&farm.folder().join("shared").display().to_string())).await.no_content();
    eventually("it is off", Duration::from_secs(10), async || jobs().await.ends_with("/shared")).await;
    farm.stop().await;
}

async fn a_mixed_farm_gets_its_variables(farm: Builder) {
    let farm = first_run(farm).start().await;
    let storage = farm.folder().join("shared").display().to_string();
    let mut body = choices(&storage);
    for (others, word) in [
        (json!([{ "platform": "linux", "storage": "/mnt/farm" }]), "manager itself"),
        (json!([{ "platform": "windows", "storage": "/mnt/farm" }]), "drive letter"),
        (json!([{ "platform": "darwin", "storage": "farm" }]), "absolute"),
        (json!([{ "platform": "amiga", "storage": "DH0:" }]), "platform"),
        (
            json!([{ "platform": "darwin", "blender": "b" }, { "platform": "darwin", "blender": "c" }]),
            "twice",
        ),
    ] {
        body["otherPlatforms"] = others;
        let message = farm.post(SAVE, &body).await.problem(400);
        assert!(message.contains(word), "{message}");
    }
    assert!(is_first_run(&farm).await, "nothing was changed");
    body["shamanEnabled"] = json!(true);
    body["otherPlatforms"] = json!([
        { "platform": "windows", "storage": r"F:\farm", "blender": r"C:\Blender\blender.exe" },
        { "platform": "darwin", "storage": " ", "blender": "" }
    ]);
    farm.post(SAVE, &body).await.no_content();
    let now = farm.get("/api/v3/configuration").await.expect(200).json();
    assert_eq!((&now["isFirstRun"], &now["shamanEnabled"]), (&json!(false), &json!(true)));
    let variables = async |platform: &str| {
        farm.get(&format!("/api/v3/configuration/variables/workers/{platform}")).await.expect(200).json()
    };
    let windows = variables("windows").await;
    assert_eq!(windows["shared_storage"], json!({ "value": r"F:\farm", "is_twoway": true }));
    assert_eq!(windows["blender"]["value"], r"C:\Blender\blender.exe");
    assert_eq!(variables("linux").await["shared_storage"]["value"], storage);
    assert_eq!(variables("darwin").await.get("shared_storage"), None);
    assert_eq!(variables("darwin").await["blender"]["value"], "blender");
    // What was stored here is found there.
    let place = farm.get("/api/v3/configuration/shared-storage/workers/windows").await.expect(200).json();
    assert_eq!(place["location"], r"F:\farm\jobs");

    body["shamanEnabled"] = json!(false);
    farm.post(SAVE, &body).await.no_content();
    eventually("the file store is off", Duration::from_secs(10), async || {
        farm.get("/api/v3/configuration").await.expect(200).json()["shamanEnabled"] == false
    })
    .await;
    farm.stop().await;
}

async fn tokens_are_in_force_with_the_choices(farm: Builder) {
    let farm = first_run(farm).start().await;
    let mut body = choices(&farm.folder().join("shared").display().to_string());
    for (access, word) in [
        (json!({ "admin_token": "" }), "admin_token is empty"),
        (json!({ "admin_token": "short" }), "access.admin_token"),
        (json!({ "admin_token": ADMIN, "artist_token": "short" }), "access.artist_token"),
        (json!({ "admin_token": ADMIN, "artist_token": ADMIN }), "token"),
        (json!({ "admin_token": ADMIN, "without_token": "admin" }), "without_token"),
        (json!({ "artist_token": ADMIN }), "admin_token"),
    ] {
        body["access"] = access;
        let message = farm.post(SAVE, &body).await.problem(400);
        assert!(message.contains(word), "{message}");
        assert!(is_first_run(&farm).await, "nothing was changed");
    }
    body["shamanEnabled"] = json!(false);
    body["access"] =
        json!({ "admin_token": ADMIN, "artist_token": "0123456789-artist", "without_token": "viewer" });
    farm.post(SAVE, &body).await.no_content();
    // Not a moment later: whoever is on the network could have been first.
    assert!(farm.post(SAVE, &body).await.problem(401).contains("token"));
    assert!(!is_first_run(&farm).await, "who has no token may still look");
    eventually("it has started again", Duration::from_secs(10), async || {
        farm.get("/api/v3/configuration").await.expect(200).json()["shamanEnabled"] == false
    })
    .await;
    farm.post("/api/v3/session", &json!({ "token": "0123456789-artist" })).await.no_content();
    assert!(farm.post(SAVE, &body).await.problem(401).contains("token"));
    farm.stop().await;
}
