//! The API, from outside: everything here talks HTTP or Socket.IO to a manager in this process, on SQLite and, when
//! `TEST_DATABASE_URL` is set, on PostgreSQL.
//!
//! Every answer is compared with `openapi.yaml`, and when a manager stops, what its store maintains is compared with
//! what is there. Both is done by `flamenco-testkit`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

use std::time::Duration;

use serde_json::{Value, json};

/// Makes two tests of each function, which gets the description of a manager that it starts.
macro_rules! on_each_database {
    ($($test:ident),+ $(,)?) => {
        $(mod $test {
            #[tokio::test]
            async fn sqlite() {
                super::$test(flamenco_testkit::TestManager::sqlite()).await;
            }

            #[tokio::test]
            async fn postgres() {
                if let Some(builder) = flamenco_testkit::TestManager::postgres() {
                    super::$test(builder).await;
                }
            }
        })+
    };
}

mod access;
mod attention;
mod audit;
mod bad_input;
mod chaos;
mod configuration;
mod contract;
mod deletion;
mod enabling;
mod events;
mod failures;
mod frame_numbers;
mod frame_originals;
mod frame_pictures;
mod frame_progress;
mod frame_requeue;
mod frames;
mod hang_ups;
mod job_status;
mod job_types;
mod jobs;
mod last_rendered;
mod lists;
mod machines;
mod mass_deletion;
mod meta;
mod mqtt;
mod program;
mod races;
mod restart;
mod resubmission;
mod scheduler;
mod script_faults;
mod search;
mod setup;
mod shaman;
mod shaman_attacks;
mod shaman_uploads;
mod sleep_schedule;
mod state_machine;
mod tags;
mod task_links;
mod task_logs;
mod tasks;
mod timeouts;
mod worker;
mod worker_history;
mod worker_logs;
mod worker_mgt;

/// A plan of so many tasks that wait for nothing.
fn tasks(count: usize) -> Value {
    (1..=count).map(|number| json!({ "name": format!("task-{number}") })).collect()
}

/// Waits until something is so; fails when that takes longer than `patience`.
async fn eventually(what: &str, patience: Duration, mut is_so: impl AsyncFnMut() -> bool) {
    let started = std::time::Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < patience, "{what}: not within {patience:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const UNKNOWN: &str = "6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11";
