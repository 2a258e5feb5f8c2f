//! Storing a new job: in one transaction when it is small, in slices of low priority when it is large.
//!
//! A job of a hundred thousand tasks in one transaction would stall everybody for half a second. So its rows are
//! written slice by slice while the job is `under-construction`, which nobody sees, and the last slice makes it
//! visible in one small transaction. What a crash leaves behind is removed at start-up; nobody was told of it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use flamenco_domain::event::{Event, JobEvent};
use flamenco_domain::frame_command::frames_of;
use flamenco_domain::frame_range::FrameRange;
use flamenco_domain::ids::{JobId, TagId, TaskId};
use flamenco_domain::job::{Job, JobStatus};
use flamenco_domain::task::{Command, steps_total};
use sea_orm::Value;

use crate::db::{Db, execute, execute_returning, insert, json_text, micros, query_one, storable};
use crate::error::Error;
use crate::{Store, Tx, checkouts, jobs};

/// Rows in one slice.
const SLICE: usize = 1_000;
/// Frames of a task that are noted.
const MOST_FRAMES: u64 = 1_000_000;

/// A job to store.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Its type.
    pub job_type: String,
    /// Its priority.
    pub priority: i64,
    /// `queued` or `paused`.
    pub status: JobStatus,
    /// Settings as the script left them.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Metadata as the script left it.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Its Shaman checkout; empty when it has none.
    pub shaman_checkout_id: String,
    /// Its worker tag.
    pub worker_tag: Option<TagId>,
    /// Its tasks in order.
    pub tasks: Vec<NewTask>,
    /// When it was submitted.
    pub created: DateTime<Utc>,
}

/// A task to store.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// Its name.
    pub name: String,
    /// Its type.
    pub task_type: String,
    /// Its priority.
    pub priority: i64,
    /// Its commands.
    pub commands: Vec<Command>,
    /// Places in the job's list of tasks, from 0, of the tasks that it waits for; without repeats.
    pub dependencies: Vec<usize>,
}

/// Stores a job with its tasks, announces it, and gives it back as it is stored.
///
/// # Errors
/// When the database cannot be written; nothing of the job is visible then.
pub async fn submit(store: &Store, job: NewJob) -> Result<Job, Error> {
    let job = Arc::new(job);
    let texts = [&job.name, &job.job_type, &job.shaman_checkout_id];
    let of_tasks = job.tasks.iter().flat_map(|task| [&task.name, &task.task_type]);
    texts.into_iter().chain(of_tasks).try_for_each(|text| storable(text))?;
    let tag = tag_key(store.read(), &job).await?;
    if job.tasks.len() <= SLICE {
        let job = Arc::clone(&job);
        return store
            .write(move |tx| {
                let job = Arc::clone(&job);
                Box::pin(async move {
                    let seq = insert_job(tx, &job, tag).await?;
                    let rows = task_rows(&job, seq, 0..job.tasks.len())?;
                    let keys = insert_tasks(tx, &rows, 0).await?;
                    insert_dependencies(tx, &dependencies(&job, &keys)).await?;
                    publish(tx, &job, seq, tag).await
                })
            })
            .await;
    }
    let stored = submit_in_slices(store, Arc::clone(&job), tag).await;
    if stored.is_err() {
        let id = job.id;
        let removed: Result<u64, Error> = store
            .write(move |tx| {
                Box::pin(async move {
                    let sql = "DELETE FROM jobs WHERE uuid = $1 AND status = 'under-construction'";
                    execute(tx, sql, vec![id.0.into()]).await
                })
            })
            .await;
        if let Err(error) = removed {
            tracing::warn!(job.id = %id, %error, "a job that could not be stored is removed at the next start");
        }
    }
    stored
}

async fn submit_in_slices(store: &Store, job: Arc<NewJob>, tag: i64) -> Result<Job, Error> {
    let first = Arc::clone(&job);
    let seq = store
        .write_low(move |tx| {
            let job = Arc::clone(&first);
            Box::pin(async move { insert_job(tx, &job, tag).await })
        })
        .await?;
    let mut keys = Vec::with_capacity(job.tasks.len());
    for start in (0..job.tasks.len()).step_by(SLICE) {
        let slice = start..(start + SLICE).min(job.tasks.len());
        let rows = Arc::new(task_rows(&job, seq, slice)?);
        let inserted = store
            .write_low(move |tx| {
                let rows = Arc::clone(&rows);
                Box::pin(async move { insert_tasks(tx, &rows, start).await })
            })
            .await?;
        keys.extend(inserted);
    }
    for slice in dependencies(&job, &keys).chunks(SLICE) {
        let slice = Arc::new(slice.to_vec());
        store
            .write_low(move |tx| {
                let slice = Arc::clone(&slice);
                Box::pin(async move { insert_dependencies(tx, &slice).await })
            })
            .await?;
    }
    store
        .write_low(move |tx| {
            let job = Arc::clone(&job);
            Box::pin(async move { publish(tx, &job, seq, tag).await })
        })
        .await
}

/// The key of the job's tag; 0 when it has none.
async fn tag_key(db: &impl Db, job: &NewJob) -> Result<i64, Error> {
    let Some(tag) = job.worker_tag else { return Ok(0) };
    let row = query_one(db, "SELECT id FROM worker_tags WHERE uuid = $1", vec![tag.0.into()]).await?;
    row.ok_or_else(|| Error::Corrupt(format!("worker tag {tag} does not exist")))?.get("id")
}

async fn insert_job(tx: &Tx, job: &NewJob, tag: i64) -> Result<i64, Error> {
    if checkouts::is_being_erased(tx, &job.shaman_checkout_id).await? {
        return Err(Error::CheckoutErased(job.shaman_checkout_id.clone()));
    }
    let sql = "INSERT INTO jobs (uuid, name, job_type, priority, status, settings, metadata, shaman_checkout_id, \
               worker_tag_id, steps_total, tasks_queued, tasks_runnable, created_at, updated_at) VALUES ($1, $2, $3, $4, \
               'under-construction', $5, $6, $7, $8, $9, $10, $11, $12, $12) RETURNING id";
    let steps: i64 = job.tasks.iter().map(|task| steps_total(&task.commands)).sum();
    let runnable = job.tasks.iter().filter(|task| task.dependencies.is_empty()).count();
    let values = vec![
        job.id.0.into(),
        job.name.as_str().into(),
        job.job_type.as_str().into(),
        job.priority.into(),
        json_text(&job.settings)?.into(),
        json_text(&job.metadata)?.into(),
        job.shaman_checkout_id.as_str().into(),
        (tag != 0).then_some(tag).into(),
        steps.into(),
        (job.tasks.len() as i64).into(),
        (runnable as i64).into(),
        micros(job.created),
    ];
    let rows = execute_returning(tx, sql, values).await?;
    let seq: i64 =
        rows.first().ok_or_else(|| Error::Corrupt("an insert gave no key".to_owned()))?.get("id")?;
    let frames = FrameRange::union_of(job.tasks.iter().filter_map(noted_frames));
    if !frames.is_empty() {
        let total = i64::try_from(frames.count()).unwrap_or(i64::MAX);
        let sql = "INSERT INTO job_frames (job_id, total) VALUES ($1, $2)";
        execute(tx, sql, vec![seq.into(), total.into()]).await?;
    }
    Ok(seq)
}

/// The frames that a task renders, if its commands say so. More than anybody waits for are no frames to list.
fn noted_frames(task: &NewTask) -> Option<FrameRange> {
    frames_of(&task.commands).filter(|frames| frames.count() <= MOST_FRAMES)
}

/// Columns of a task that are known when it is stored; the others have defaults.
const COLUMNS: &[&str] = &[
    "uuid",
    "job_id",
    "index_in_job",
    "name",
    "task_type",
    "priority",
    "status",
    "runnable",
    "unmet_deps",
    "commands",
    "frames",
    "steps_total",
    "created_at",
    "updated_at",
];

/// The rows of a range of the job's tasks. Made outside of the writer, which has better things to do.
fn task_rows(job: &NewJob, seq: i64, range: Range<usize>) -> Result<Vec<Vec<Value>>, Error> {
    let row = |place: usize| {
        let task = &job.tasks[place];
        Ok(vec![
            task.id.0.into(),
            seq.into(),
            (place as i64 + 1).into(),
            task.name.as_str().into(),
            task.task_type.as_str().into(),
            task.priority.into(),
            "queued".into(),
            i64::from(task.dependencies.is_empty()).into(),
            (task.dependencies.len() as i64).into(),
            json_text(&task.commands)?.into(),
            noted_frames(task).map(|frames| frames.to_string()).unwrap_or_default().into(),
            steps_total(&task.commands).into(),
            micros(job.created),
            micros(job.created),
        ])
    };
    range.map(row).collect()
}

/// Inserts rows of tasks, whose first place in the job is `start`, and gives back their keys in the same order.
async fn insert_tasks(tx: &Tx, rows: &[Vec<Value>], start: usize) -> Result<Vec<i64>, Error> {
    let mut keys = vec![0; rows.len()];
    for row in insert(tx, "tasks", COLUMNS, &["id", "index_in_job"], rows).await? {
        let index: i64 = row.get("index_in_job")?;
        let place = usize::try_from(index - 1).unwrap_or_default();
        keys[place - start] = row.get("id")?;
    }
    Ok(keys)
}

/// Pairs of keys: a task, and one that it waits for.
fn dependencies(job: &NewJob, keys: &[i64]) -> Vec<(i64, i64)> {
    let pairs = job.tasks.iter().zip(keys);
    pairs.flat_map(|(task, key)| task.dependencies.iter().map(move |place| (*key, keys[*place]))).collect()
}

async fn insert_dependencies(tx: &Tx, pairs: &[(i64, i64)]) -> Result<(), Error> {
    let rows: Vec<Vec<Value>> =
        pairs.iter().map(|(task, dependency)| vec![(*task).into(), (*dependency).into()]).collect();
    insert(tx, "task_dependencies", &["task_id", "dependency_id"], &[], &rows).await?;
    Ok(())
}

/// Adds the queue heads and makes the job visible.
async fn publish(tx: &Tx, job: &NewJob, seq: i64, tag: i64) -> Result<Job, Error> {
    let mut heads: BTreeMap<(&str, i64), i64> = BTreeMap::new();
    for task in &job.tasks {
        *heads.entry((&task.task_type, task.priority)).or_default() +=
            i64::from(task.dependencies.is_empty());
    }
    let active = i64::from(job.status.is_schedulable());
    for ((task_type, priority), runnable) in heads {
        let sql = "INSERT INTO queues (job_id, task_type, priority, job_priority, tag_id, job_active, runnable) VALUES \
                   ($1, $2, $3, $4, $5, $6, $7)";
        let values = vec![
            seq.into(),
            task_type.into(),
            priority.into(),
            job.priority.into(),
            tag.into(),
            active.into(),
            runnable.into(),
        ];
        execute(tx, sql, values).await?;
    }
    let sql = "UPDATE jobs SET status = $1 WHERE id = $2";
    execute(tx, sql, vec![job.status.as_str().into(), seq.into()]).await?;
    let stored = jobs::find(tx, job.id).await?;
    let stored =
        stored.ok_or_else(|| Error::Corrupt(format!("job {} vanished while it was stored", job.id)))?;
    tx.announce(Event::Job(Box::new(JobEvent {
        job: stored.summary.clone(),
        previous: None,
        refresh_tasks: false,
        deleted: false,
    })));
    tx.announce(Event::WorkAvailable);
    Ok(stored)
}
