//! A manager that nobody has set up yet, and what becomes of its process when somebody does.

use std::fs;

use flamenco_client::Client;
use flamenco_client::api::operations::{GetConfigurationResponse, SaveSetupAssistantConfigResponse};
use flamenco_client::api::types::{
    BlenderPathCheckResult, BlenderPathSource, ManagerConfiguration, SetupAssistantConfig,
};

use crate::farm::{Farm, START, STOP};
use crate::processes::until;

async fn configuration(client: &Client) -> Option<ManagerConfiguration> {
    match client.get_configuration().await.ok()? {
        GetConfigurationResponse::Status200(configuration) => Some(configuration),
        other => panic!("{:?}", other.problem()),
    }
}

/// Finishes the assistant, and waits until the manager has started again.
async fn set_up(client: &Client, storage: &str) {
    let skipped = BlenderPathCheckResult {
        input: String::new(),
        path: String::new(),
        source: BlenderPathSource::Default,
        is_usable: true,
        cause: String::new(),
    };
    let choices = SetupAssistantConfig {
        storage_location: storage.to_owned(),
        blender_executable: skipped,
        access: None,
        other_platforms: None,
        shaman_enabled: None,
    };
    match client.save_setup_assistant_config(&choices).await.unwrap() {
        SaveSetupAssistantConfigResponse::Status204 => {}
        other => panic!("{:?}", other.problem()),
    }
    until("the manager uses it", START, async || {
        configuration(client).await.filter(|now| now.storage_location == storage && !now.is_first_run)
    })
    .await;
}

#[tokio::test]
async fn a_new_manager_is_set_up_without_ending() {
    let farm = Farm::new("");
    let file = farm.path("manager").join("flamenco-manager.yaml");
    fs::remove_file(&file).unwrap();
    let mut manager = farm.spawn_manager();
    let first = until("the manager answers", START, async || configuration(&farm.client).await).await;
    assert!(first.is_first_run);
    assert_eq!(first.storage_location, "");
    assert!(manager.log().contains("not set up yet"), "{}", manager.log());
    let limits = fs::read_to_string(format!("/proc/{}/limits", manager.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let limits: Vec<&str> = files.split_whitespace().rev().skip(1).take(2).collect();
    assert_eq!(limits[0], limits[1], "as many as the system allows: {files}");

    let storages = ["one", "two", "three"].map(|name| farm.path(name).display().to_string());
    for storage in &storages {
        set_up(&farm.client, storage).await;
        assert!(fs::read_to_string(&file).unwrap().contains(storage));
    }
    assert!(manager.is_running(), "it is the same process all along");

    // One signal is enough, and is noticed once, however often the manager has started.
    let starts = manager.log().matches("ready: ").count();
    let log = farm.path("manager.log");
    let (status, _) = manager.terminate(STOP).await;
    assert!(status.success(), "{status}");
    let log = fs::read_to_string(log).unwrap();
    assert!(starts >= 4, "{log}");
    assert_eq!(log.matches("SIGTERM received").count(), 1, "{log}");

    // What was chosen is there at the next start, unless somebody wants to be asked again.
    let again = farm.start_manager().await;
    assert!(!configuration(&farm.client).await.unwrap().is_first_run);
    again.terminate(STOP).await;
    let asked = farm.spawn_manager_with(&["-setup-assistant"]);
    let now = until("the manager answers", START, async || configuration(&farm.client).await).await;
    assert_eq!((now.is_first_run, now.storage_location.as_str()), (true, storages[2].as_str()));
    asked.terminate(STOP).await;
}
