//! A farm without HTTP: its use cases are called directly, and nothing happens by itself, so that a test decides what
//! comes after what.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::DateTime;
use flamenco_domain::clock::FakeClock;
use flamenco_domain::ids::JobId;
use flamenco_domain::job::JobStatus;
use flamenco_manager_core::farm::Farm;
use flamenco_manager_core::farm::logs::TaskLogs;
use flamenco_manager_core::jobscript::{Limits, Scripts};

use crate::jobs::{PLAN_FILE, PLAN_SCRIPT};
use crate::manager::{START, config};
use crate::storage::Storage;

/// A farm whose loops do not run, with a clock that stands still.
pub struct TestFarm {
    farm: Option<Farm>,
    clock: FakeClock,
    yaml: String,
    storage: Storage,
}

impl TestFarm {
    /// One on each database that there is, with these lines of configuration.
    pub async fn each(yaml: &str) -> Vec<Self> {
        let mut farms = vec![Self::on(Storage::sqlite(), yaml).await];
        if let Some(url) = std::env::var("TEST_DATABASE_URL").ok().filter(|url| !url.is_empty()) {
            farms.push(Self::on(Storage::postgres(&url).await, yaml).await);
        }
        farms
    }

    async fn on(storage: Storage, yaml: &str) -> Self {
        let scripts = storage.folder().join("scripts");
        std::fs::create_dir(&scripts).expect("a folder for scripts");
        std::fs::write(scripts.join(PLAN_FILE), PLAN_SCRIPT).expect("writing a script");
        let clock = FakeClock::at(DateTime::from_timestamp_micros(START).expect("a time"));
        let mut farm = Self { farm: None, clock, yaml: format!("{yaml}\n"), storage };
        farm.open().await;
        farm
    }

    async fn open(&mut self) {
        let config = config(&self.storage, &self.yaml);
        let logs = TaskLogs::new(&config.local_storage).expect("task logs");
        let scripts = Scripts::new(config.scripts_paths.clone(), Limits::default());
        let clock = Arc::new(self.clock.clone());
        let farm = Farm::open(self.storage.location(), logs, scripts, clock, config).await;
        self.farm = Some(farm.expect("the farm opens"));
    }

    /// The farm.
    #[must_use]
    pub fn farm(&self) -> &Farm {
        self.farm.as_ref().expect("the farm is open")
    }

    /// Its clock.
    #[must_use]
    pub const fn clock(&self) -> &FakeClock {
        &self.clock
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub const fn backend(&self) -> &'static str {
        self.storage.backend()
    }

    /// The folder in which the farm keeps the files of jobs.
    #[must_use]
    pub fn local_storage(&self) -> PathBuf {
        self.storage.folder().join("local")
    }

    /// Closes it and opens it again on the same database and files, which repairs what is half done.
    pub async fn reopen(&mut self) {
        self.farm.take().expect("the farm is open").close().await;
        self.open().await;
    }

    /// The same, with a job left in a status as if the farm had died in the middle of a change.
    pub async fn reopen_with(&mut self, job: JobId, status: JobStatus) {
        self.farm.take().expect("the farm is open").close().await;
        crate::manager::force_job_status(&self.storage, job, status).await;
        self.open().await;
    }

    /// The number of rows in each table that holds any.
    pub async fn rows(&self) -> BTreeMap<&'static str, i64> {
        self.storage.rows().await
    }

    /// Closes it for good.
    pub async fn close(mut self) {
        self.farm.take().expect("the farm is open").close().await;
        self.storage.remove().await;
    }
}
