//! The worker against a manager over real HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod connection;
mod extras;
mod fake_manager;
mod life;
mod tasks;

use std::path::Path;
use std::time::Duration;

use flamenco_worker_core::{Config, Error, ExitReason, LogTail, Pace, run};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use fake_manager::FakeManager;

/// A worker that runs in this process, faster than a real one.
struct TestWorker {
    cancel: CancellationToken,
    task: JoinHandle<Result<ExitReason, Error>>,
}

fn config(manager: &FakeManager, home: &Path) -> Config {
    Config {
        manager_url: manager.url(),
        search_group: None,
        worker_name: "test-worker".to_owned(),
        task_types: vec!["misc".to_owned()],
        restart_exit_code: None,
        oom_score_adjust: None,
        command_time_limit: None,
        silence_limit: None,
        guard: None,
        home: home.to_owned(),
        software_version: "1.2.3".to_owned(),
        register_again: false,
        flush_only: false,
        own_log: LogTail::default(),
        pace: Pace {
            task_wait: Duration::from_secs(1),
            idle_first: Duration::from_millis(50),
            idle_most: Duration::from_millis(200),
            asleep_poll: Duration::from_millis(50),
            may_i_run: Duration::from_millis(100),
            log_age: Duration::from_millis(50),
            ..Pace::default()
        },
    }
}

impl TestWorker {
    fn start(config: Config) -> Self {
        let cancel = CancellationToken::new();
        let task = tokio::spawn(run(config, cancel.clone()));
        Self { cancel, task }
    }

    async fn stop(self) -> ExitReason {
        self.cancel.cancel();
        self.end().await.unwrap()
    }

    async fn end(self) -> Result<ExitReason, Error> {
        tokio::time::timeout(Duration::from_secs(20), self.task)
            .await
            .expect("the worker does not end")
            .unwrap()
    }
}

async fn start() -> (FakeManager, tempfile::TempDir, TestWorker) {
    let manager = FakeManager::start().await;
    let home = tempfile::tempdir().unwrap();
    let worker = TestWorker::start(config(&manager, home.path()));
    (manager, home, worker)
}
