//! Workers.

use chrono::{DateTime, Utc};
use flamenco_domain::farm_status::WorkerCount;
use flamenco_domain::ids::WorkerId;
use flamenco_domain::worker::{Disabled, StatusRequest, Worker};

use crate::db::{
    Db, Row, execute, execute_returning, is_postgres, micros, optional_micros, query_all, query_one,
};
use crate::error::Error;
use crate::tasks;
use crate::writer::Tx;
use flamenco_domain::task::TaskSummary;

macro_rules! select_worker {
    ($rest:literal) => {
        concat!(
            "SELECT w.id, w.uuid, w.secret_hash, w.name, w.address, w.platform, w.software, w.status, ",
            "w.status_requested, w.lazy_status_request, w.task_types, w.can_restart, w.last_seen_at, w.deleted_at, ",
            "w.created_at, w.updated_at, w.disabled_at, w.disabled_reason, w.disabled_by FROM workers w ",
            $rest
        )
    };
}
pub(crate) use select_worker;

pub(crate) fn worker(row: &Row) -> Result<Worker, Error> {
    let requested: String = row.get("status_requested")?;
    let requested = if requested.is_empty() {
        None
    } else {
        Some(StatusRequest {
            status: row.parse("status_requested")?,
            lazy: row.get::<i64>("lazy_status_request")? != 0,
        })
    };
    let task_types: String = row.get("task_types")?;
    let disabled = match row.optional_time("disabled_at")? {
        Some(at) => Some(Disabled { at, reason: row.get("disabled_reason")?, by: row.get("disabled_by")? }),
        None => None,
    };
    Ok(Worker {
        seq: row.get("id")?,
        id: WorkerId(row.get("uuid")?),
        secret_hash: row.get("secret_hash")?,
        name: row.get("name")?,
        address: row.get("address")?,
        platform: row.get("platform")?,
        software: row.get("software")?,
        status: row.parse("status")?,
        requested,
        disabled,
        task_types: task_types.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        can_restart: row.get::<i64>("can_restart")? != 0,
        last_seen: row.optional_time("last_seen_at")?,
        created: row.time("created_at")?,
        updated: row.time("updated_at")?,
        deleted: row.optional_time("deleted_at")?,
    })
}

/// A worker that is not deleted.
///
/// # Errors
/// When the database cannot be read.
pub async fn find(db: &impl Db, id: WorkerId) -> Result<Option<Worker>, Error> {
    let sql = select_worker!("WHERE w.uuid = $1 AND w.deleted_at IS NULL");
    query_one(db, sql, vec![id.0.into()]).await?.map(|row| worker(&row)).transpose()
}

/// A worker that is not deleted, locked against other managers until the transaction ends.
///
/// # Errors
/// When the database cannot be read.
pub async fn lock(db: &impl Db, id: WorkerId) -> Result<Option<Worker>, Error> {
    if !is_postgres(db) {
        return find(db, id).await;
    }
    let sql = select_worker!("WHERE w.uuid = $1 AND w.deleted_at IS NULL FOR UPDATE OF w");
    query_one(db, sql, vec![id.0.into()]).await?.map(|row| worker(&row)).transpose()
}

/// All workers that are not deleted, by name.
///
/// # Errors
/// When the database cannot be read.
pub async fn all(db: &impl Db) -> Result<Vec<Worker>, Error> {
    let sql = select_worker!("WHERE w.deleted_at IS NULL ORDER BY w.name, w.id");
    query_all(db, sql, vec![]).await?.iter().map(worker).collect()
}

/// Whether there is a worker on this platform.
///
/// # Errors
/// When the database cannot be read.
pub async fn any_on(db: &impl Db, platform: &str) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM workers WHERE platform = $1 AND deleted_at IS NULL LIMIT 1";
    Ok(query_one(db, sql, vec![platform.into()]).await?.is_some())
}

/// How many workers there are in each status, and how many of these are disabled; deleted ones do not count.
///
/// # Errors
/// When the database cannot be read.
pub async fn count_by_status(db: &impl Db) -> Result<Vec<WorkerCount>, Error> {
    let sql = "SELECT status, COUNT(*) AS n, COUNT(disabled_at) AS disabled FROM workers WHERE deleted_at IS NULL \
               GROUP BY status";
    let rows = query_all(db, sql, vec![]).await?;
    let count = |row: &Row| {
        Ok(WorkerCount {
            status: row.parse("status")?,
            workers: row.get("n")?,
            disabled: row.get("disabled")?,
        })
    };
    rows.iter().map(count).collect()
}

/// Workers that were last seen at or before `before` and are in a status in which they should have been.
///
/// # Errors
/// When the database cannot be read.
pub async fn unseen_since(db: &impl Db, before: DateTime<Utc>) -> Result<Vec<WorkerId>, Error> {
    let sql = "SELECT uuid FROM workers WHERE deleted_at IS NULL AND last_seen_at <= $1 AND status NOT IN \
               ('offline', 'error') ORDER BY id";
    let rows = query_all(db, sql, vec![micros(before)]).await?;
    rows.iter().map(|row| row.get("uuid").map(WorkerId)).collect()
}

/// Inserts a new worker; its `seq` is ignored, and given back.
///
/// # Errors
/// When the database cannot be written.
pub async fn insert(db: &impl Db, worker: &Worker) -> Result<i64, Error> {
    let sql = "INSERT INTO workers (uuid, secret_hash, name, address, platform, software, status, task_types, \
               can_restart, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id";
    let values = vec![
        worker.id.0.into(),
        worker.secret_hash.as_str().into(),
        worker.name.as_str().into(),
        worker.address.as_str().into(),
        worker.platform.as_str().into(),
        worker.software.as_str().into(),
        worker.status.as_str().into(),
        worker.task_types.join(",").into(),
        i64::from(worker.can_restart).into(),
        micros(worker.created),
        micros(worker.updated),
    ];
    let rows = execute_returning(db, sql, values).await?;
    rows.first().ok_or_else(|| Error::Corrupt("an insert gave no key".to_owned()))?.get("id")
}

/// Stores what a worker says of itself at sign-on, as it stands in `worker`.
///
/// # Errors
/// When the database cannot be written.
pub async fn save_identity(db: &impl Db, worker: &Worker) -> Result<(), Error> {
    let sql = "UPDATE workers SET name = $1, address = $2, software = $3, task_types = $4, can_restart = $5 WHERE id = $6";
    let values = vec![
        worker.name.as_str().into(),
        worker.address.as_str().into(),
        worker.software.as_str().into(),
        worker.task_types.join(",").into(),
        i64::from(worker.can_restart).into(),
        worker.seq.into(),
    ];
    execute(db, sql, values).await?;
    Ok(())
}

/// Stores status, request, and the times seen, changed and deleted, as they stand in `worker`.
///
/// # Errors
/// When the database cannot be written.
pub async fn save_status(db: &impl Db, worker: &Worker) -> Result<(), Error> {
    let sql = "UPDATE workers SET status = $1, status_requested = $2, lazy_status_request = $3, last_seen_at = $4, \
               updated_at = $5, deleted_at = $6 WHERE id = $7";
    let values = vec![
        worker.status.as_str().into(),
        worker.requested.map_or("", |request| request.status.as_str()).into(),
        i64::from(worker.requested.is_some_and(|request| request.lazy)).into(),
        optional_micros(worker.last_seen),
        micros(worker.updated),
        optional_micros(worker.deleted),
        worker.seq.into(),
    ];
    execute(db, sql, values).await?;
    Ok(())
}

/// Stores whether it is disabled, as it stands in `worker`.
///
/// # Errors
/// When the database cannot be written.
pub async fn save_disabled(db: &impl Db, worker: &Worker) -> Result<(), Error> {
    let sql = "UPDATE workers SET disabled_at = $1, disabled_reason = $2, disabled_by = $3, updated_at = $4 WHERE \
               id = $5";
    let disabled = worker.disabled.as_ref();
    let values = vec![
        optional_micros(disabled.map(|disabled| disabled.at)),
        disabled.map_or("", |disabled| disabled.reason.as_str()).into(),
        disabled.map_or("", |disabled| disabled.by.as_str()).into(),
        micros(worker.updated),
        worker.seq.into(),
    ];
    execute(db, sql, values).await?;
    Ok(())
}

/// Notes that a worker was heard of.
///
/// # Errors
/// When the database cannot be written.
pub async fn mark_seen(tx: &Tx, worker: i64, now: DateTime<Utc>) -> Result<(), Error> {
    tx.note_write();
    tx.batch(|batch| batch.see(worker, now));
    if tx.is_hot() { Ok(()) } else { crate::batch::flush(tx).await }
}

/// Notes which task a worker was given last.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_last_task(tx: &Tx, worker: i64, task: i64) -> Result<(), Error> {
    tx.note_write();
    tx.batch(|batch| batch.give(worker, task));
    if tx.is_hot() { Ok(()) } else { crate::batch::flush(tx).await }
}

/// The task that a worker has, or had last.
///
/// # Errors
/// When the database cannot be read.
pub async fn last_task(db: &impl Db, worker: i64) -> Result<Option<TaskSummary>, Error> {
    if let Some(active) = tasks::active_of_worker(db, worker).await?.into_iter().next() {
        return Ok(Some(active));
    }
    let sql = tasks::select_task!(
        "",
        "JOIN workers l ON l.last_task_id = t.id WHERE l.id = $1 AND t.worker_id = l.id"
    );
    query_one(db, sql, vec![worker.into()]).await?.map(|row| tasks::summary(&row)).transpose()
}
