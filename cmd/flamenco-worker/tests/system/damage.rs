//! A damaged database is noticed, and not worked on with.

use std::fs;
use std::os::unix::fs::FileExt;
use std::process::Command;

use serde_json::json;

use crate::farm::{Farm, START, STOP};
use crate::processes::manager_program;

/// A database with some content, of a manager that was killed.
async fn left_open() -> Farm {
    let farm = Farm::new("scripts_paths: [scripts]\ndatabase_check_period: 1s");
    farm.add_plan_job_type();
    let manager = farm.start_manager().await;
    for number in 0..5 {
        let plan: serde_json::Value = (0..200).map(|task| json!({ "name": format!("t{task}") })).collect();
        farm.submit(flamenco_testkit::TestManager::submission(&format!("job {number}"), &plan)).await;
    }
    // Ends in good order, so that all is in the file; the start after it is killed.
    let (status, _) = manager.terminate(STOP).await;
    assert!(status.success());
    assert!(!farm.path("manager/flamenco-manager.sqlite-wal").exists(), "a clean end leaves no log behind");
    farm.start_manager().await.kill();
    assert!(farm.path("manager/flamenco-manager.sqlite-wal").exists(), "this is how the next start knows");
    farm
}

/// Overwrites every third page from the middle on, as a failing disk does.
fn damage(farm: &Farm) {
    let file = fs::File::options().write(true).open(farm.database()).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    assert!(pages > 30, "{pages}");
    for page in (pages / 2..pages).step_by(3) {
        file.write_all_at(&[0xa5; 512], page * 4096).unwrap();
    }
}

fn check(farm: &Farm) -> (Option<i32>, String) {
    let mut command = Command::new(manager_program());
    command.current_dir(farm.path("manager")).arg("-check-database");
    let output = command.output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

#[tokio::test]
async fn a_manager_does_not_start_on_a_damaged_database() {
    let farm = left_open().await;
    assert_eq!(check(&farm).0, Some(0));
    damage(&farm);
    let mut manager = farm.spawn_manager();
    let status = manager.ended(START).await;
    assert_eq!(status.code(), Some(1));
    let log = manager.log();
    assert!(log.contains("the database is damaged") && log.contains(".recover"), "says what to do:\n{log}");
    assert!(!log.contains("panicked"), "{log}");
    let (code, text) = check(&farm);
    assert!(code == Some(1) && !text.contains("is sound"), "{code:?} {text}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let farm = Farm::new("");
    fs::write(farm.database(), "these are my notes ".repeat(1000)).unwrap();
    let mut manager = farm.spawn_manager();
    assert_eq!(manager.ended(START).await.code(), Some(1));
    let log = manager.log();
    assert!(log.contains("the database is damaged") && log.contains("not a database"), "{log}");
    assert!(fs::read_to_string(farm.database()).unwrap().starts_with("these are my notes"));
    assert_eq!(check(&farm).0, Some(1));
}

#[tokio::test]
async fn a_manager_stops_when_its_database_is_damaged_while_it_runs() {
    let farm = left_open().await;
    let mut manager = farm.start_manager().await;
    damage(&farm);
    let status = manager.ended(START).await;
    assert_eq!(status.code(), Some(1));
    let log = manager.log();
    assert!(log.contains("the database is damaged"), "{log}");
    assert!(log.contains("stopped"), "in good order:\n{log}");
}

#[tokio::test]
async fn a_database_that_is_not_there_was_not_checked() {
    let farm = Farm::new("");
    let (code, text) = check(&farm);
    assert!(code == Some(1) && text.contains("there is no database"), "{code:?} {text}");
}
