//! The manager under test: one that is started here in a folder of its own, or one that runs already.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hyper::Method;
use serde::Deserialize;
use serde_json::json;

use super::connection::Connection;
use crate::address::free_address;
use crate::children::Child;

/// How long the manager may take to start.
const START_LIMIT: Duration = Duration::from_secs(60);
/// What every manager has, with one task a frame and one at the end.
const JOB_TYPE: &str = "simple-blender-render";
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Where the manager keeps its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// Its own file.
    Sqlite,
    /// The URL of a PostgreSQL database, which should be empty.
    Postgres(String),
}

/// A manager, and the connection that stands for the people who use it.
pub struct Manager {
    host: String,
    child: Option<Child>,
    program: PathBuf,
    folder: PathBuf,
    connection: Connection,
    etag: Option<String>,
}

#[derive(Deserialize)]
struct JobType {
    name: String,
    etag: String,
}

#[derive(Deserialize)]
struct JobTypes {
    job_types: Vec<JobType>,
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

impl Manager {
    /// A manager that runs already.
    pub fn running(url: &str) -> Result<Self> {
        let host = url.strip_prefix("http://").context("the address must start with http://")?;
        let host = host.trim_end_matches('/').to_owned();
        let connection = Connection::new(&host);
        Ok(Self {
            host,
            child: None,
            program: PathBuf::new(),
            folder: PathBuf::new(),
            connection,
            etag: None,
        })
    }

    /// Starts `program` in `folder`, with nothing in its database.
    pub async fn start(program: &Path, folder: &Path, database: &Database) -> Result<Self> {
        let host = free_address()?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let database = match database {
            Database::Sqlite => "flamenco-manager.sqlite".to_owned(),
            Database::Postgres(url) => url.clone(),
        };
        let configuration = json!({
            "_meta": { "version": 3 }, "manager_name": "Bench", "autodiscoverable": false, "listen": host,
            "shared_storage_path": folder, "shaman": { "enabled": false }, "database": database,
        });
        // JSON is YAML.
        fs::write(folder.join("flamenco-manager.yaml"), configuration.to_string())?;
        let (program, folder) = (program.to_owned(), folder.to_owned());
        let connection = Connection::new(&host);
        let mut manager = Self { host, child: None, program, folder, connection, etag: None };
        manager.restart().await?;
        Ok(manager)
    }

    /// Stops the manager if it runs, starts it, and says how long it took to its first answer.
    pub async fn restart(&mut self) -> Result<Duration> {
        ensure!(!self.program.as_os_str().is_empty(), "this manager was not started here");
        self.child = None;
        let mut command = Command::new(&self.program);
        command.current_dir(&self.folder).arg("-quiet");
        for name in ["FLAMENCO_LISTEN", "FLAMENCO_DATABASE", "FLAMENCO_SHARED_STORAGE"] {
            command.env_remove(name);
        }
        let start = Instant::now();
        let mut child = Child::start("the manager", command, &self.folder.join("manager.log"))?;
        while self.connection.send(Method::GET, "/api/v3/version", None).await.is_err() {
            if child.ended().is_some() || start.elapsed() > START_LIMIT {
                child.print_log();
                bail!("the manager does not answer");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        self.child = Some(child);
        Ok(start.elapsed())
    }

    /// `host:port`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Memory that it occupies now, in bytes; not known of a manager that was not started here.
    pub fn memory(&self) -> Option<u64> {
        self.child.as_ref()?.memory()
    }

    /// Processor time that it has used so far; not known of a manager that was not started here.
    pub fn processor_time(&self) -> Option<Duration> {
        self.child.as_ref()?.processor_time()
    }

    /// Submits a job that renders `frames` frames one by one. Says how long it took.
    pub async fn submit(&mut self, frames: usize, priority: i32, tag: Option<&str>) -> Result<Duration> {
        let etag = self.etag().await?;
        let folder = self.folder.join("renders");
        let mut job = json!({
            "name": format!("bench {frames}"), "type": JOB_TYPE, "type_etag": etag,
            "priority": priority, "submitter_platform": "linux",
            "settings": {
                "frames": format!("1-{frames}"), "chunk_size": 1, "render_output_root": folder,
                "add_path_components": 0, "render_output_path": folder.join("{timestamp}/######"),
                "blendfile": folder.join("scene.blend"), "fps": 24.0, "format": "PNG",
                "image_file_extension": ".png", "has_previews": false, "scene": "Scene",
            },
        });
        if let Some(tag) = tag {
            job["worker_tag"] = tag.into();
        }
        let start = Instant::now();
        self.connection.succeed(Method::POST, "/api/v3/jobs", Some(job.to_string())).await?;
        Ok(start.elapsed())
    }

    /// The version of the job type, asked for once, as the add-on does.
    async fn etag(&mut self) -> Result<String> {
        if let Some(etag) = &self.etag {
            return Ok(etag.clone());
        }
        let types = self.connection.succeed(Method::GET, "/api/v3/jobs/types", None).await?;
        let types: JobTypes = serde_json::from_slice(&types.body)?;
        let job_type = types.job_types.into_iter().find(|job_type| job_type.name == JOB_TYPE);
        let job_type = job_type.with_context(|| format!("the manager has no job type {JOB_TYPE}"))?;
        Ok(self.etag.insert(job_type.etag).clone())
    }

    /// Makes a worker tag that no worker has.
    pub async fn make_tag(&mut self, name: &str) -> Result<String> {
        let body = json!({ "name": name, "description": "for nobody" }).to_string();
        let answer = self.connection.succeed(Method::POST, "/api/v3/worker-mgt/tags", Some(body)).await?;
        Ok(serde_json::from_slice::<Created>(&answer.body)?.id)
    }
}
