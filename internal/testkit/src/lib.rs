//! A farm for tests: the real manager in this process, on a free port of the loopback interface, with a database that
//! nobody used before, a clock that stands still, and fake workers that speak the wire.
//!
//! ```no_run
//! # async fn example() {
//! let farm = flamenco_testkit::TestManager::sqlite().start().await;
//! let job = farm.submit("one task", serde_json::json!([{"name": "a"}])).await;
//! let worker = farm.worker("w").await;
//! let task = worker.take().await;
//! worker.complete(&task).await;
//! assert_eq!(farm.job(&job).await["status"], "completed");
//! farm.stop().await;
//! # }
//! ```
//!
//! Every answer that comes through [`TestManager::request`] is compared with `openapi.yaml`, and [`TestManager::stop`]
//! compares everything that the store maintains with what is there. Everything here panics when something is not as it
//! should be: it is for tests only.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "panicking is how a test reports")]
#![allow(clippy::missing_panics_doc, reason = "everything here panics when it fails")]

mod address;
pub mod chaos;
mod contract;
mod farm;
mod jobs;
mod log;
mod manager;
mod plain_http;
mod request;
mod socketio;
mod storage;
mod worker;

pub use address::free_address;
pub use farm::TestFarm;
pub use jobs::{PLAN_FILE, PLAN_JOB_TYPE, PLAN_SCRIPT};
pub use log::warnings;
pub use manager::{Builder, TestManager};
pub use plain_http::plain_http;
pub use request::{Reply, Request};
pub use socketio::{LiveUpdates, Protocol};
pub use worker::FakeWorker;

pub use flamenco_api as api;
pub use flamenco_client as client;
pub use http::Method;
