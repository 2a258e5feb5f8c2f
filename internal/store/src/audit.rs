//! The audit trail: what people changed. It is read by [`list::audit`](crate::list::audit).

use chrono::{DateTime, Utc};
use flamenco_domain::audit::{Entry, ObjectKind};
use uuid::Uuid;

use crate::Store;
use crate::db::{Db, execute, micros, query_one};
use crate::error::Error;

/// Entries that are forgotten in one go, so that nobody waits long for the writer.
const AT_ONCE: i64 = 1_000;

/// Adds an entry.
///
/// # Errors
/// When the database cannot be written.
pub async fn add(db: &impl Db, entry: &Entry) -> Result<(), Error> {
    let sql = "INSERT INTO audit (at, operation, object_kind, object_id, object_name, summary, role, name, address) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values = vec![
        micros(entry.at),
        entry.operation.as_str().into(),
        entry.kind.as_str().into(),
        entry.object.into(),
        entry.object_name.as_str().into(),
        entry.summary.as_str().into(),
        entry.role.as_str().into(),
        entry.name.as_str().into(),
        entry.address.as_str().into(),
    ];
    execute(db, sql, values).await?;
    Ok(())
}

/// The name of what an operation is about; `None` when it does not exist, or has no name of its own.
///
/// # Errors
/// When the database cannot be read.
pub async fn name_of(db: &impl Db, kind: ObjectKind, id: Uuid) -> Result<Option<String>, Error> {
    let sql = match kind {
        ObjectKind::Job => "SELECT name FROM jobs WHERE uuid = $1",
        ObjectKind::Task => "SELECT name FROM tasks WHERE uuid = $1",
        ObjectKind::Worker => "SELECT name FROM workers WHERE uuid = $1",
        ObjectKind::Tag => "SELECT name FROM worker_tags WHERE uuid = $1",
        ObjectKind::Checkout | ObjectKind::Configuration | ObjectKind::Session => return Ok(None),
    };
    query_one(db, sql, vec![id.into()]).await?.map(|row| row.get("name")).transpose()
}

/// Forgets what was entered before a moment, and says how many entries that were.
///
/// # Errors
/// When the database cannot be written; some may be forgotten then.
pub async fn prune(store: &Store, before: DateTime<Utc>) -> Result<u64, Error> {
    let mut removed = 0;
    loop {
        let slice = store.write_low(move |tx| {
            Box::pin(async move {
                let sql =
                    "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY at LIMIT $2)";
                execute(tx, sql, vec![micros(before), AT_ONCE.into()]).await
            })
        });
        match slice.await? {
            0 => return Ok(removed),
            count => removed += count,
        }
    }
}
