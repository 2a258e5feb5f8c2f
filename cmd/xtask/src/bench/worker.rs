//! A simulated worker: fetches a task, says that it is active, sends two chunks of log, and completes it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::connection::Connection;

/// What a worker that found nothing to do waits before it asks again.
const IDLE: Duration = Duration::from_millis(50);
/// A chunk of log as Blender fills it: twenty lines of progress.
const LOG_LINE: &str =
    "Fra:118 Mem:1203.70M (Peak 1380.44M) | Time:00:07.31 | Remaining:00:12.92 | Sample 96/256\\n";

/// What a worker counts during a measurement.
#[derive(Default)]
pub struct Counts {
    /// Tasks taken through all five requests.
    pub cycles: u64,
    /// Requests answered.
    pub requests: u64,
    /// Answers that there is nothing to do.
    pub idle: u64,
    /// How long each fetch took, in microseconds.
    pub fetches: Vec<u32>,
    /// How long each other request took, in microseconds.
    pub updates: Vec<u32>,
}

/// One worker of the farm.
pub struct Worker {
    connection: Connection,
    log: String,
}

#[derive(Deserialize)]
struct Registered {
    uuid: String,
}

#[derive(Deserialize)]
struct Assigned {
    uuid: String,
}

impl Worker {
    /// Registers with the manager and signs on.
    pub async fn register(host: &str, index: usize) -> Result<Self> {
        let mut connection = Connection::new(host);
        let name = format!("bench-{index:05}");
        let secret = format!("secret-of-{name}");
        let types = ["blender", "ffmpeg"];
        let body =
            json!({ "name": name, "secret": secret, "platform": "linux", "supported_task_types": types });
        let path = "/api/v3/worker/register-worker";
        let answer = connection.succeed(Method::POST, path, Some(body.to_string())).await?;
        let registered: Registered = serde_json::from_slice(&answer.body)?;
        connection.authorize(&registered.uuid, &secret);
        let body = json!({ "name": name, "supported_task_types": types, "software_version": "bench" });
        connection.succeed(Method::POST, "/api/v3/worker/sign-on", Some(body.to_string())).await?;
        let body = json!({ "status": "awake" });
        connection.succeed(Method::POST, "/api/v3/worker/state-changed", Some(body.to_string())).await?;
        let log = format!("{{\"log\":\"{}\"}}", LOG_LINE.repeat(20));
        Ok(Self { connection, log })
    }

    /// Works until `stop`, and counts up `completed` for each task. With a `pace`, starts a task that often at most;
    /// without, as fast as answers come.
    pub async fn work(
        &mut self,
        stop: &AtomicBool,
        completed: &AtomicU64,
        pace: Option<Duration>,
        offset: Duration,
    ) -> Result<Counts> {
        let mut counts = Counts::default();
        tokio::time::sleep(offset).await;
        let mut next = tokio::time::Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let answer = self.connection.send(Method::POST, "/api/v3/worker/task", None).await?;
            counts.requests += 1;
            counts.fetches.push(micros(answer.took));
            match answer.status {
                StatusCode::OK => {
                    let task: Assigned = serde_json::from_slice(&answer.body)?;
                    self.carry_out(&task.uuid, &mut counts).await?;
                    completed.fetch_add(1, Ordering::Relaxed);
                }
                StatusCode::NO_CONTENT => {
                    counts.idle += 1;
                    tokio::time::sleep(IDLE).await;
                }
                // The manager asks for patience; so does a real worker.
                StatusCode::SERVICE_UNAVAILABLE => tokio::time::sleep(IDLE).await,
                status => bail!("a fetch was answered with {status}"),
            }
            if let Some(pace) = pace {
                next += pace;
                tokio::time::sleep_until(next).await;
            }
        }
        Ok(counts)
    }

    async fn carry_out(&mut self, task: &str, counts: &mut Counts) -> Result<()> {
        let path = format!("/api/v3/worker/task/{task}");
        let active = r#"{"taskStatus":"active"}"#.to_owned();
        let completed = r#"{"taskStatus":"completed","activity":"Completed"}"#.to_owned();
        for body in [active, self.log.clone(), self.log.clone(), completed] {
            let answer = self.connection.succeed(Method::POST, &path, Some(body)).await?;
            counts.requests += 1;
            counts.updates.push(micros(answer.took));
        }
        counts.cycles += 1;
        Ok(())
    }
}

impl Counts {
    /// Adds what another worker counted.
    pub fn add(&mut self, mut other: Self) {
        self.cycles += other.cycles;
        self.requests += other.requests;
        self.idle += other.idle;
        self.fetches.append(&mut other.fetches);
        self.updates.append(&mut other.updates);
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
