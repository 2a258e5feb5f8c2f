//! The workers: who they are, what they say of themselves, and what they are asked for.

use std::sync::Arc;

use flamenco_domain::event::{Event, WorkerEvent};
use flamenco_domain::ids::{TagId, WorkerId};
use flamenco_domain::limits;
use flamenco_domain::task::TaskSummary;
use flamenco_domain::worker::{
    Reported, StatusRequest, Tag, Worker, WorkerStatus, normalise_task_types, on_sign_off, on_state_changed,
    on_status_request,
};
use flamenco_store::{Tx, sleep, tags, workers};
use sha2::{Digest, Sha256};

use super::capacity::fail_stranded_jobs;
use super::sleep::status_at_sign_on;
use super::tasks::give_back;
use super::{Farm, LogLine};
use crate::error::{Error, Result};

/// Cost of the slow hash; the secret is 32 random bytes, so a low one does.
const HASH_COST: u32 = 4;
/// A valid hash of a secret that nobody knows, so that an unknown worker takes as long as a wrong secret.
const NOBODY: &str = "$2b$04$QTMeWGGl7MhCpfdSW.G2oeXZ/xwOYPRd2JMBHn9VDXVEbSXZ8OPMa";

/// What a worker says of itself when it registers.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Its name.
    pub name: String,
    /// The secret it will show.
    pub secret: String,
    /// Its platform.
    pub platform: String,
    /// Task types it runs.
    pub task_types: Vec<String>,
    /// Where it called from.
    pub address: String,
}

/// What a worker says of itself when it signs on.
#[derive(Debug, Clone)]
pub struct SignOn {
    /// Its name.
    pub name: String,
    /// Task types it runs.
    pub task_types: Vec<String>,
    /// Version of its software.
    pub software: String,
    /// Whether it can restart.
    pub can_restart: bool,
    /// Where it called from.
    pub address: String,
}

/// A worker with what belongs to it.
#[derive(Debug, Clone)]
pub struct WorkerDetails {
    /// The worker.
    pub worker: Worker,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// The task it has, or had last.
    pub task: Option<TaskSummary>,
}

pub(super) async fn lock(tx: &Tx, id: WorkerId) -> Result<Worker> {
    workers::lock(tx, id).await?.ok_or_else(|| Error::not_found("worker", id))
}

/// Announces a worker as it is stored now.
pub(super) fn announce(tx: &Tx, worker: &Worker, previous: Option<WorkerStatus>) {
    let event = WorkerEvent { worker: worker.clone(), previous, tags: None, switched: false };
    tx.announce(Event::Worker(Box::new(event)));
}

/// Announces a worker whose tags have changed.
pub(super) fn announce_tags(tx: &Tx, worker: &Worker, tags: Vec<TagId>) {
    let event = WorkerEvent { worker: worker.clone(), previous: None, tags: Some(tags), switched: false };
    tx.announce(Event::Worker(Box::new(event)));
}

fn check_length(field: &str, value: &str, limit: usize) -> Result<()> {
    if value.chars().count() > limit {
        return Err(Error::Invalid(format!(
            "{field} has more than {limit} characters; choose a shorter one"
        )));
    }
    Ok(())
}

fn checked_task_types(types: &[String]) -> Result<Vec<String>> {
    let types = normalise_task_types(types.iter().map(String::as_str));
    if types.len() > limits::TASK_TYPES {
        let limit = limits::TASK_TYPES;
        return Err(Error::Invalid(format!("there are more than {limit} supported_task_types; send fewer")));
    }
    for name in &types {
        check_length("one of supported_task_types", name, limits::WORD)?;
    }
    Ok(types)
}

impl Farm {
    /// Finds the worker that these credentials belong to.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when there is none, or the secret is wrong.
    pub async fn authenticate(&self, id: WorkerId, secret: String) -> Result<Arc<Worker>> {
        let worker = self.current_worker(id).await?;
        let slow_hash = worker.as_ref().map_or(NOBODY, |worker| worker.secret_hash.as_str());
        let quick_hash: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        let known = self.roster.is_verified(id, slow_hash, quick_hash);
        let matches = known || {
            let hash = slow_hash.to_owned();
            tokio::task::spawn_blocking(move || bcrypt::verify(secret, &hash).unwrap_or(false))
                .await
                .map_err(|error| Error::Internal(format!("checking a secret: {error}")))?
        };
        let Some(worker) = worker.filter(|_| matches) else {
            tracing::warn!(worker.id = %id, "a worker with unknown id or wrong secret called; it must register (again)");
            return Err(Error::Forbidden(
                "unknown worker or wrong secret; register with this manager first".to_owned(),
            ));
        };
        if !known {
            self.roster.verified(id, worker.secret_hash.clone(), quick_hash);
        }
        Ok(worker)
    }

    /// The row of a worker that is not deleted, as it was at most a moment ago.
    pub(super) async fn current_worker(&self, id: WorkerId) -> Result<Option<Arc<Worker>>> {
        if let Some(worker) = self.roster.get(id) {
            return Ok(Some(worker));
        }
        let changes = self.roster.changes();
        let worker = workers::find(self.store.read(), id).await?.map(Arc::new);
        if let Some(worker) = &worker {
            self.roster.keep(worker, changes);
        }
        Ok(worker)
    }

    /// A new worker introduces itself.
    ///
    /// # Errors
    /// [`Error::Invalid`] when something is missing or the secret is too long.
    pub async fn register(&self, registration: Registration) -> Result<Worker> {
        let Registration { name, secret, platform, task_types, address } = registration;
        let (name, platform) = (name.trim().to_owned(), platform.trim().to_lowercase());
        for (field, value) in [("name", &name), ("secret", &secret), ("platform", &platform)] {
            if value.is_empty() {
                return Err(Error::Invalid(format!("{field} must not be empty")));
            }
        }
        if secret.len() > limits::SECRET_BYTES {
            return Err(Error::Invalid(format!(
                "the secret has {} bytes; at most {} are possible",
                secret.len(),
                limits::SECRET_BYTES
            )));
        }
        let task_types = checked_task_types(&task_types)?;
        check_length("name", &name, limits::NAME)?;
        check_length("platform", &platform, limits::WORD)?;
        let secret_hash = tokio::task::spawn_blocking(move || bcrypt::hash(secret, HASH_COST))
            .await
            .map_err(|error| Error::Internal(format!("hashing a secret: {error}")))?
            .map_err(|error| Error::Internal(format!("hashing a secret: {error}")))?;
        let now = self.now();
        let worker = Worker {
            seq: 0,
            id: WorkerId::random(),
            secret_hash,
            name,
            address,
            platform,
            software: String::new(),
            status: WorkerStatus::Offline,
            requested: None,
            disabled: None,
            task_types,
            can_restart: false,
            last_seen: None,
            created: now,
            updated: now,
            deleted: None,
        };
        self.store
            .write(move |tx| {
                let mut worker = worker.clone();
                Box::pin(async move {
                    worker.seq = workers::insert(tx, &worker).await?;
                    announce(tx, &worker, None);
                    Ok(worker)
                })
            })
            .await
    }

    /// A worker signs on; the answer is the status it should take.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a text is too long, or when the database cannot be written.
    pub async fn sign_on(&self, id: WorkerId, says: SignOn) -> Result<WorkerStatus> {
        let now = self.now();
        let types = checked_task_types(&says.task_types)?;
        check_length("name", says.name.trim(), limits::NAME)?;
        let (status, lines) = self
            .store
            .write::<_, _, Error>(move |tx| {
                let (says, types) = (says.clone(), types.clone());
                Box::pin(async move {
                    let mut worker = lock(tx, id).await?;
                    let previous = worker.status;
                    if !says.name.trim().is_empty() {
                        worker.name = says.name.trim().to_owned();
                    }
                    worker.address = says.address;
                    worker.software = limits::shortened(&says.software, limits::WORD);
                    worker.can_restart = says.can_restart;
                    let loses_types = worker.task_types.iter().any(|known| !types.contains(known));
                    worker.task_types = types;
                    worker.status = WorkerStatus::Starting;
                    worker.last_seen = Some(now);
                    worker.updated = now;
                    workers::save_identity(tx, &worker).await?;
                    workers::save_status(tx, &worker).await?;
                    announce(tx, &worker, Some(previous));
                    let lines = if loses_types { fail_stranded_jobs(tx, now).await? } else { Vec::new() };
                    let status = match worker.requested {
                        Some(request) => request.status,
                        None => status_at_sign_on(tx, id, now).await?,
                    };
                    Ok((status, lines))
                })
            })
            .await?;
        self.write_lines(lines).await;
        Ok(status)
    }

    /// A worker signs off; its active tasks go back to the queue.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn sign_off(&self, id: WorkerId) -> Result<()> {
        self.change_status(id, "the worker signed off".to_owned(), |worker| {
            on_sign_off(worker.status, worker.requested)
        })
        .await
    }

    /// A worker says which status it is in.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn state_changed(&self, id: WorkerId, status: WorkerStatus) -> Result<()> {
        self.change_status(id, format!("the worker became {status}"), move |worker| {
            on_state_changed(worker.requested, status)
        })
        .await
    }

    async fn change_status(
        &self,
        id: WorkerId,
        reason: String,
        decide: impl Fn(&Worker) -> Reported + Send + Sync + Clone + 'static,
    ) -> Result<()> {
        let now = self.now();
        let lines = self
            .store
            .write::<_, Vec<LogLine>, Error>(move |tx| {
                let (reason, decide) = (reason.clone(), decide.clone());
                Box::pin(async move {
                    let mut worker = lock(tx, id).await?;
                    let previous = worker.status;
                    let reported = decide(&worker);
                    worker.status = reported.status;
                    worker.requested = reported.requested;
                    worker.last_seen = Some(now);
                    worker.updated = now;
                    workers::save_status(tx, &worker).await?;
                    let lines = if reported.give_back {
                        give_back(tx, worker.seq, &reason, now).await?
                    } else {
                        Vec::new()
                    };
                    announce(tx, &worker, Some(previous));
                    Ok(lines)
                })
            })
            .await?;
        self.write_lines(lines).await;
        Ok(())
    }

    /// A person asks a worker for a status.
    ///
    /// # Errors
    /// [`Error::WorkerRequest`] when it cannot be asked that.
    pub async fn request_worker_status(&self, id: WorkerId, wanted: StatusRequest) -> Result<()> {
        let now = self.now();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let mut worker = lock(tx, id).await?;
                    worker.requested = on_status_request(worker.status, worker.can_restart, wanted)?;
                    worker.updated = now;
                    workers::save_status(tx, &worker).await?;
                    announce(tx, &worker, None);
                    Ok(())
                })
            })
            .await
    }

    /// Removes a worker: its active tasks go back to the queue, its row stays for the tasks that name it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_worker(&self, id: WorkerId) -> Result<()> {
        let now = self.now();
        let lines = self
            .store
            .write::<_, Vec<LogLine>, Error>(move |tx| {
                Box::pin(async move {
                    let mut worker = lock(tx, id).await?;
                    let mut lines = give_back(tx, worker.seq, "the worker is being deleted", now).await?;
                    tags::set_of_worker(tx, worker.seq, &[]).await?;
                    sleep::remove(tx, worker.seq).await?;
                    worker.deleted = Some(now);
                    worker.updated = now;
                    workers::save_status(tx, &worker).await?;
                    announce(tx, &worker, None);
                    lines.extend(fail_stranded_jobs(tx, now).await?);
                    Ok(lines)
                })
            })
            .await?;
        self.worker_logs.forget(id);
        self.write_lines(lines).await;
        Ok(())
    }

    /// All workers, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn workers(&self) -> Result<Vec<Worker>> {
        Ok(workers::all(self.store.read()).await?)
    }

    /// A worker with its tags and its task.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn worker(&self, id: WorkerId) -> Result<WorkerDetails> {
        let db = self.store.read();
        let worker = workers::find(db, id).await?.ok_or_else(|| Error::not_found("worker", id))?;
        let tags = tags::of_worker(db, worker.seq).await?;
        let task = workers::last_task(db, worker.seq).await?;
        Ok(WorkerDetails { worker, tags, task })
    }
}
