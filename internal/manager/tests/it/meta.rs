//! The manager itself: version, configuration, variables, state of the farm.

use std::io::Write;
use std::time::Duration;

use flamenco_manager_core::LogTail;
use flamenco_testkit::api::types::WorkerStatus;
use flamenco_testkit::{Builder, FakeWorker, TestManager};
use serde_json::json;

use crate::{eventually, tasks};

on_each_database!(
    version_and_configuration_are_told,
    without_shared_storage_it_is_the_first_run,
    variables_are_looked_up_by_audience_and_platform,
    shared_storage_is_told_as_the_asker_sees_it,
    the_state_of_the_farm_follows_workers_and_jobs,
    the_end_of_the_managers_log,
);

const VARIABLES: &str = r"
variables:
  blender:
    values:
      - { audience: all, platform: all, value: blender }
      - { audience: workers, platform: windows, value: C:\blender.exe }
  store:
    is_twoway: true
    values:
      - { audience: users, platform: linux, value: /u/pool }
      - { audience: workers, platform: linux, value: /w/pool/ }
";

async fn version_and_configuration_are_told(farm: Builder) {
    let farm = farm.with_yaml("manager_name: Barn").start().await;
    let version = farm.get("/api/v3/version").await.expect(200).json();
    assert_eq!(
        version,
        json!({ "name": "Barn", "shortversion": "1.2.3", "version": "1.2.3-test", "git": "abcdef",
            "features": ["frames", "frame-progress", "machine", "thumbnails", "log-position", "worker-log"] })
    );
    let configuration = farm.get("/api/v3/configuration").await.expect(200).json();
    assert_eq!(configuration["isFirstRun"], false);
    let shared = farm.folder().join("shared").display().to_string();
    assert_eq!(configuration["storageLocation"], shared);
    farm.stop().await;
}

async fn without_shared_storage_it_is_the_first_run(farm: Builder) {
    let farm = farm.with_yaml("shared_storage_path: ''").start().await;
    let configuration = farm.get("/api/v3/configuration").await.expect(200).json();
    assert_eq!(configuration["isFirstRun"], true);
    let job = farm.submit("works all the same", tasks(1)).await;
    assert_eq!(farm.job_status(&job).await, "queued");
    farm.stop().await;
}

async fn variables_are_looked_up_by_audience_and_platform(farm: Builder) {
    let farm = farm.with_yaml(VARIABLES).start().await;
    let get = async |audience: &str, platform: &str| {
        let path = format!("/api/v3/configuration/variables/{audience}/{platform}");
        farm.get(&path).await.expect(200).json()
    };
    let workers = get("workers", "linux").await;
    assert_eq!(workers["blender"], json!({ "is_twoway": false, "value": "blender" }));
    assert_eq!(
        workers["store"],
        json!({ "is_twoway": true, "value": "/w/pool" }),
        "without the slash at its end"
    );
    assert!(workers["jobs"]["value"].as_str().unwrap().contains("shared"), "{workers}");
    assert_eq!(get("users", "linux").await["store"]["value"], "/u/pool");
    assert_eq!(get("workers", "windows").await["blender"]["value"], "C:\\blender.exe");
    assert_eq!(get("users", "windows").await["blender"]["value"], "blender");
    let unknown = get("users", "amiga").await;
    assert_eq!((&unknown["blender"]["value"], unknown.get("store")), (&json!("blender"), None));
    let message = farm.get("/api/v3/configuration/variables/robots/linux").await.problem(400);
    assert!(message.contains("audience"), "{message}");
    farm.stop().await;
}

async fn shared_storage_is_told_as_the_asker_sees_it(farm: Builder) {
    let shared = std::env::temp_dir().join("flamenco-api-tests").join("farm");
    let shared = shared.display().to_string();
    let parent = shared.strip_suffix("/farm").unwrap();
    let yaml = format!(
        r"
shared_storage_path: {shared}
shaman: {{ enabled: false }}
variables:
  pool:
    is_twoway: true
    values:
      - {{ platform: linux, value: {parent} }}
      - {{ platform: windows, value: 'K:\' }}
"
    );
    let farm = farm.with_yaml(&yaml).start().await;
    for (audience, platform, want) in [
        ("users", "linux", shared.as_str()),
        ("users", "windows", r"K:\farm"),
        ("workers", "darwin", &shared),
    ] {
        let path = format!("/api/v3/configuration/shared-storage/{audience}/{platform}");
        let found = farm.get(&path).await.expect(200).json();
        assert_eq!(found["location"], want, "{found}");
        assert_eq!((&found["audience"], &found["platform"]), (&json!(audience), &json!(platform)));
    }
    let _ = farm.get("/api/v3/configuration/shared-storage/robots/linux").await.problem(400);
    farm.stop().await;
}

async fn the_state_of_the_farm_follows_workers_and_jobs(farm: Builder) {
    let farm = farm.start().await;
    let becomes = async |status: &str| {
        eventually(status, Duration::from_secs(5), async || {
            farm.get("/api/v3/status").await.expect(200).json()["status"] == status
        })
        .await;
    };
    becomes("inoperative").await;
    let worker = FakeWorker::register(&farm, "w", &["blender"]).await;
    becomes("inoperative").await;
    worker.wake_up().await;
    becomes("idle").await;
    farm.submit("job", tasks(1)).await;
    becomes("waiting").await;
    let task = worker.take().await;
    becomes("active").await;
    worker.complete(&task).await;
    becomes("idle").await;
    worker.report_status(WorkerStatus::Asleep).await;
    becomes("asleep").await;
    worker.sign_off().await;
    becomes("inoperative").await;
    farm.stop().await;
}

async fn the_end_of_the_managers_log(farm: Builder) {
    let log = LogTail::keeping(3);
    let shared = log.clone();
    let mut farm = farm.with_parts(move |parts| parts.log = shared.clone()).start().await;
    let read = async |farm: &TestManager, query: &str| {
        farm.get(&format!("/api/v3/configuration/log{query}")).await.expect(200).json()
    };
    let empty = read(&farm, "").await;
    assert_eq!((&empty["lines"], &empty["total"]), (&json!([]), &json!(0)));
    write!(log.writer(), "one\ntwo\nhttp://render:secret@proxy/\nfour").unwrap();
    let all = read(&farm, "").await;
    assert_eq!(all["lines"], json!(["two", "http://***@proxy/", "four"]));
    assert_eq!((&all["total"], &all["began_at"]), (&json!(4), &empty["began_at"]));
    assert_eq!(read(&farm, "?after=3").await["lines"], json!(["four"]));
    assert_eq!(read(&farm, "?after=4").await["lines"], json!([]));
    assert_eq!(
        read(&farm, "?after=400").await,
        json!({ "began_at": empty["began_at"], "lines": [], "total": 4 })
    );
    for query in ["?after=-1", "?after=x"] {
        let refused = farm.get(&format!("/api/v3/configuration/log{query}")).await.problem(400);
        assert!(refused.contains("after"), "{refused}");
    }
    // Whoever has seen lines of another process can tell.
    farm.restart().await;
    assert_ne!(read(&farm, "").await["began_at"], empty["began_at"]);
    farm.stop().await;
}
