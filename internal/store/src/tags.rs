//! Worker tags.

use chrono::{DateTime, Utc};
use flamenco_domain::ids::TagId;
use flamenco_domain::worker::Tag;

use crate::db::{Db, Row, execute, micros, query_all, query_one};
use crate::error::Error;

fn tag(row: &Row) -> Result<Tag, Error> {
    Ok(Tag { id: TagId(row.get("uuid")?), name: row.get("name")?, description: row.get("description")? })
}

/// All tags, by name.
///
/// # Errors
/// When the database cannot be read.
pub async fn all(db: &impl Db) -> Result<Vec<Tag>, Error> {
    let sql = "SELECT uuid, name, description FROM worker_tags ORDER BY name";
    query_all(db, sql, vec![]).await?.iter().map(tag).collect()
}

/// A tag by its id.
///
/// # Errors
/// When the database cannot be read.
pub async fn find(db: &impl Db, id: TagId) -> Result<Option<Tag>, Error> {
    let sql = "SELECT uuid, name, description FROM worker_tags WHERE uuid = $1";
    query_one(db, sql, vec![id.0.into()]).await?.map(|row| tag(&row)).transpose()
}

/// Adds a tag.
///
/// # Errors
/// [`Error::Duplicate`] when its name or id is taken.
pub async fn insert(db: &impl Db, tag: &Tag, now: DateTime<Utc>) -> Result<(), Error> {
    let sql = "INSERT INTO worker_tags (uuid, name, description, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)";
    let values =
        vec![tag.id.0.into(), tag.name.as_str().into(), tag.description.as_str().into(), micros(now)];
    execute(db, sql, values).await?;
    Ok(())
}

/// The tags of a worker, by name.
///
/// # Errors
/// When the database cannot be read.
pub async fn of_worker(db: &impl Db, worker: i64) -> Result<Vec<Tag>, Error> {
    let sql = "SELECT g.uuid, g.name, g.description FROM worker_tags g JOIN worker_tag_membership m ON \
               m.worker_tag_id = g.id WHERE m.worker_id = $1 ORDER BY g.name";
    query_all(db, sql, vec![worker.into()]).await?.iter().map(tag).collect()
}

/// Gives a worker exactly these tags; ids that are not tags are answered, and nothing is changed then.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_of_worker(db: &impl Db, worker: i64, tags: &[TagId]) -> Result<Vec<TagId>, Error> {
    let known = all(db).await?;
    let unknown: Vec<TagId> =
        tags.iter().copied().filter(|id| known.iter().all(|tag| tag.id != *id)).collect();
    if !unknown.is_empty() {
        return Ok(unknown);
    }
    execute(db, "DELETE FROM worker_tag_membership WHERE worker_id = $1", vec![worker.into()]).await?;
    for id in tags {
        let sql = "INSERT INTO worker_tag_membership (worker_tag_id, worker_id) SELECT id, $2 FROM worker_tags WHERE \
                   uuid = $1 ON CONFLICT DO NOTHING";
        execute(db, sql, vec![id.0.into(), worker.into()]).await?;
    }
    Ok(unknown)
}

/// Changes name and description of a tag; false when there is none.
///
/// # Errors
/// [`Error::Duplicate`] when the name is taken.
pub async fn update(db: &impl Db, tag: &Tag, now: DateTime<Utc>) -> Result<bool, Error> {
    let sql = "UPDATE worker_tags SET name = $1, description = $2, updated_at = $3 WHERE uuid = $4";
    let values =
        vec![tag.name.as_str().into(), tag.description.as_str().into(), micros(now), tag.id.0.into()];
    Ok(execute(db, sql, values).await? > 0)
}

/// How many jobs that have not ended are restricted to a tag.
///
/// # Errors
/// When the database cannot be read.
pub async fn unfinished_jobs(db: &impl Db, id: TagId) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM jobs j JOIN worker_tags g ON g.id = j.worker_tag_id WHERE g.uuid = $1 AND \
               j.status NOT IN ('completed', 'failed', 'canceled') AND j.delete_requested_at IS NULL";
    query_one(db, sql, vec![id.0.into()]).await?.map_or(Ok(0), |row| row.get("n"))
}

/// Deletes a tag: workers lose it, jobs that have ended are no longer restricted to it.
///
/// # Errors
/// When the database cannot be written.
pub async fn delete(db: &impl Db, id: TagId) -> Result<(), Error> {
    let sql = "UPDATE queues SET tag_id = 0 WHERE tag_id = (SELECT id FROM worker_tags WHERE uuid = $1)";
    execute(db, sql, vec![id.0.into()]).await?;
    execute(db, "DELETE FROM worker_tags WHERE uuid = $1", vec![id.0.into()]).await?;
    Ok(())
}

/// Restricts a job to a tag, or to none.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_of_job(db: &impl Db, job: i64, tag: Option<TagId>) -> Result<(), Error> {
    let key = match tag {
        None => None,
        Some(tag) => {
            let row = query_one(db, "SELECT id FROM worker_tags WHERE uuid = $1", vec![tag.0.into()]).await?;
            row.map(|row| row.get::<i64>("id")).transpose()?
        }
    };
    execute(db, "UPDATE jobs SET worker_tag_id = $1 WHERE id = $2", vec![key.into(), job.into()]).await?;
    execute(db, "UPDATE queues SET tag_id = $1 WHERE job_id = $2", vec![key.unwrap_or(0).into(), job.into()])
        .await?;
    Ok(())
}
