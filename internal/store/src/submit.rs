//! Storing a new job: in one transaction when it is small, in slices of low priority when it is large.
//!
//! A job of a hundred thousand tasks in one transaction would stall everybody for half a second. So its rows are
//! written slice by slice while the job is `under-construction`, which nobody sees, and the last operation makes it
//! visible in one small transaction. Only that one waits for the disk. What a crash leaves behind is removed at
//! start-up; nobody was told of it.
//!
//! Tasks are taken from their maker one by one, on a thread of its own: the rows of a slice are made while the one
//! before is written, and while the maker still makes the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use flamenco_domain::event::{Event, JobEvent};
use flamenco_domain::frame_command::frames_of;
use flamenco_domain::frame_range::FrameRange;
use flamenco_domain::ids::{JobId, TagId, TaskId};
use flamenco_domain::job::{Job, JobStatus};
use flamenco_domain::task::{Command, steps_total};
use sea_orm::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::db::{
    Db, execute, execute_returning, insert, is_postgres, json_text, micros, query_all, query_one, storable,
};
use crate::error::Error;
use crate::submissions::{self, Original};
use crate::{Store, Tx, checkouts, deletion, jobs, paths};

/// Rows in one slice.
const SLICE: usize = 1_000;
/// Slices that are made before they can be written.
const SLICES_AHEAD: usize = 2;
/// A job of so many tasks changes what PostgreSQL should know of its tables.
const COUNTED_ANEW: i64 = 5_000;
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
    /// How it was submitted, if that is to be kept.
    pub original: Option<Original>,
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

/// Some of a job's tasks, ready to be written.
#[derive(Debug, Default)]
struct Slice {
    /// Place of the first one in the job.
    start: usize,
    /// Values of [`COLUMNS`].
    rows: Vec<Vec<Value>>,
    /// Pairs of places in the job: a task, and one that it waits for.
    dependencies: Vec<(usize, usize)>,
}

/// What all tasks of a job are together.
#[derive(Debug, Default)]
struct Totals {
    tasks: i64,
    runnable: i64,
    steps: i64,
    frames: FrameRange,
    /// Runnable tasks by type and priority.
    heads: BTreeMap<String, BTreeMap<i64, i64>>,
}

/// Stores a job with its tasks, announces it, and gives it back as it is stored.
///
/// # Errors
/// When the database cannot be written; nothing of the job is visible then.
pub async fn submit(store: &Store, mut job: NewJob) -> Result<Job, Error> {
    let tasks = std::mem::take(&mut job.tasks);
    submit_as_made(store, job, tasks.into_iter().map(Ok)).await
}

/// As [`submit`], with tasks that are still being made: `tasks` is read on a thread that it may block.
///
/// # Errors
/// The first one that `tasks` gives, or when the database cannot be written; nothing of the job is visible then.
pub async fn submit_as_made<T, E>(store: &Store, job: NewJob, tasks: T) -> Result<Job, E>
where
    T: Iterator<Item = Result<NewTask, E>> + Send + 'static,
    E: From<Error> + Send + 'static,
{
    [&job.name, &job.job_type, &job.shaman_checkout_id].into_iter().try_for_each(|text| storable(text))?;
    let (created, job) = (job.created, Arc::new(job));
    let (sender, mut slices) = mpsc::channel(SLICES_AHEAD);
    let making = tokio::task::spawn_blocking(move || make_slices(tasks, created, &sender));
    let first = slices.recv().await.unwrap_or_default();
    let Some(second) = slices.recv().await else {
        // That was all, unless making it has failed.
        let totals = made(making).await?;
        return Ok(in_one_go(store, job, first, totals).await?);
    };
    let (seq, tag) = begin(store, &job).await?;
    let written = write_slices(store, seq, [first, second], slices).await;
    let outcome = match (written, made(making).await) {
        (Ok(()), Ok(totals)) => {
            count_anew(store, &totals).await;
            end(store, &job, seq, tag, totals).await.map_err(E::from)
        }
        (Ok(()), Err(error)) => Err(error),
        // Making them ended because nobody took them any more.
        (Err(error), _) => Err(E::from(error)),
    };
    if outcome.is_err()
        && let Err(error) = deletion::remove_rows(store, seq).await
    {
        tracing::warn!(job.id = %job.id, %error, "a job that could not be stored is removed at the next start");
    }
    outcome
}

async fn made<E: From<Error>>(making: JoinHandle<Result<Totals, E>>) -> Result<Totals, E> {
    let failed = |error| E::from(Error::Database(format!("making the rows of a job: {error}")));
    making.await.map_err(failed)?
}

async fn in_one_go(store: &Store, job: Arc<NewJob>, slice: Slice, totals: Totals) -> Result<Job, Error> {
    let (slice, totals) = (Arc::new(slice), Arc::new(totals));
    store
        .write(move |tx| {
            let (job, slice, totals) = (Arc::clone(&job), Arc::clone(&slice), Arc::clone(&totals));
            Box::pin(async move {
                let (seq, tag) = insert_job(tx, &job).await?;
                let keys = insert_tasks(tx, seq, &slice).await?;
                insert_dependencies(tx, &pairs(&slice.dependencies, &keys)?).await?;
                publish(tx, &job, seq, tag, &totals).await
            })
        })
        .await
}

async fn begin(store: &Store, job: &Arc<NewJob>) -> Result<(i64, i64), Error> {
    let job = Arc::clone(job);
    store
        .write_low(move |tx| {
            let job = Arc::clone(&job);
            Box::pin(async move { insert_job(tx, &job).await })
        })
        .await
}

/// Has PostgreSQL count what is in its tables before workers ask for these tasks. By itself it does so only a minute
/// later, and goes about a hundred thousand tasks until then as if there were a thousand: it reads all of them.
async fn count_anew(store: &Store, totals: &Totals) {
    if !is_postgres(store.read()) || totals.tasks < COUNTED_ANEW {
        return;
    }
    let counted = store.write_low::<_, _, Error>(|tx| {
        Box::pin(async move { execute(tx, "ANALYZE tasks, task_dependencies", Vec::new()).await.map(drop) })
    });
    if let Err(error) = counted.await {
        tracing::warn!(%error, "the database could not count its tasks; it may be slow for a minute");
    }
}

/// Writes slices until there are no more, and what the tasks wait for after them.
async fn write_slices(
    store: &Store,
    seq: i64,
    first: [Slice; 2],
    mut others: mpsc::Receiver<Slice>,
) -> Result<(), Error> {
    let (mut keys, mut dependencies) = (Vec::new(), Vec::new());
    let mut first = first.into_iter();
    loop {
        let slice = match first.next() {
            Some(slice) => slice,
            None => match others.recv().await {
                Some(slice) => slice,
                None => break,
            },
        };
        dependencies.extend_from_slice(&slice.dependencies);
        let slice = Arc::new(slice);
        let inserted = store
            .write_slice(move |tx| {
                let slice = Arc::clone(&slice);
                Box::pin(async move { insert_tasks(tx, seq, &slice).await })
            })
            .await?;
        keys.extend(inserted);
    }
    for slice in dependencies.chunks(SLICE) {
        let slice = Arc::new(pairs(slice, &keys)?);
        store
            .write_slice(move |tx| {
                let slice = Arc::clone(&slice);
                Box::pin(async move { insert_dependencies(tx, &slice).await })
            })
            .await?;
    }
    Ok(())
}

async fn end(store: &Store, job: &Arc<NewJob>, seq: i64, tag: i64, totals: Totals) -> Result<Job, Error> {
    let (job, totals) = (Arc::clone(job), Arc::new(totals));
    store
        .write_low(move |tx| {
            let (job, totals) = (Arc::clone(&job), Arc::clone(&totals));
            Box::pin(async move { publish(tx, &job, seq, tag, &totals).await })
        })
        .await
}

/// The key of the job's tag; 0 when it has none. From when the job is inserted, the tag is in use and stays.
async fn tag_key(db: &impl Db, job: &NewJob) -> Result<i64, Error> {
    let Some(tag) = job.worker_tag else { return Ok(0) };
    let row = query_one(db, "SELECT id FROM worker_tags WHERE uuid = $1", vec![tag.0.into()]).await?;
    row.ok_or_else(|| Error::TagDeleted(tag.to_string()))?.get("id")
}

/// Inserts a job that nobody sees yet; gives its key and that of its tag.
async fn insert_job(tx: &Tx, job: &NewJob) -> Result<(i64, i64), Error> {
    let tag = tag_key(tx, job).await?;
    if checkouts::is_being_erased(tx, &job.shaman_checkout_id).await? {
        return Err(Error::CheckoutErased(job.shaman_checkout_id.clone()));
    }
    let sql = "INSERT INTO jobs (uuid, name, job_type, priority, status, settings, metadata, shaman_checkout_id, \
               worker_tag_id, created_at, updated_at) VALUES ($1, $2, $3, $4, 'under-construction', $5, $6, $7, $8, $9, \
               $9) RETURNING id";
    let values = vec![
        job.id.0.into(),
        job.name.as_str().into(),
        job.job_type.as_str().into(),
        job.priority.into(),
        json_text(&job.settings)?.into(),
        json_text(&job.metadata)?.into(),
        job.shaman_checkout_id.as_str().into(),
        (tag != 0).then_some(tag).into(),
        micros(job.created),
    ];
    let rows = execute_returning(tx, sql, values).await?;
    let row = rows.first().ok_or_else(|| Error::Corrupt("an insert gave no key".to_owned()))?;
    let seq = row.get("id")?;
    paths::add_of_settings(tx, seq, &job.settings, &job.shaman_checkout_id).await?;
    if let Some(original) = &job.original {
        submissions::insert(tx, seq, original).await?;
    }
    Ok((seq, tag))
}

/// Columns of a task that are known when it is made; its job is known later, and the others have defaults.
const COLUMNS: &[&str] = &[
    "uuid",
    "index_in_job",
    "runnable",
    "unmet_deps",
    "commands",
    "frames",
    "steps_total",
    "name",
    "task_type",
    "priority",
    "status",
    "created_at",
    "updated_at",
];

/// Makes rows of tasks, slice by slice, and counts what publishing the job takes.
fn make_slices<E: From<Error>>(
    tasks: impl Iterator<Item = Result<NewTask, E>>,
    created: DateTime<Utc>,
    slices: &mpsc::Sender<Slice>,
) -> Result<Totals, E> {
    let mut totals = Totals::default();
    let mut frames = Vec::new();
    let mut slice = Slice::default();
    for (place, task) in tasks.enumerate() {
        if slice.rows.len() == SLICE {
            let full = std::mem::replace(&mut slice, Slice { start: place, ..Slice::default() });
            if slices.blocking_send(full).is_err() {
                // Nobody writes them any more, and says why.
                return Ok(totals);
            }
        }
        let task = task?;
        totals.count(&task);
        // More than anybody waits for are no frames to list.
        let of_task = frames_of(&task.commands).filter(|frames| frames.count() <= MOST_FRAMES);
        slice.dependencies.extend(task.dependencies.iter().map(|dependency| (place, *dependency)));
        slice.rows.push(task_row(task, place, of_task.as_ref(), created)?);
        frames.extend(of_task);
    }
    drop(slices.blocking_send(slice));
    totals.frames = FrameRange::union_of(frames);
    Ok(totals)
}

impl Totals {
    fn count(&mut self, task: &NewTask) {
        let runnable = i64::from(task.dependencies.is_empty());
        self.tasks += 1;
        self.runnable += runnable;
        self.steps += steps_total(&task.commands);
        if !self.heads.contains_key(&task.task_type) {
            self.heads.insert(task.task_type.clone(), BTreeMap::new());
        }
        if let Some(heads) = self.heads.get_mut(&task.task_type) {
            *heads.entry(task.priority).or_default() += runnable;
        }
    }
}

fn task_row(
    task: NewTask,
    place: usize,
    frames: Option<&FrameRange>,
    created: DateTime<Utc>,
) -> Result<Vec<Value>, Error> {
    storable(&task.name)?;
    storable(&task.task_type)?;
    Ok(vec![
        task.id.0.into(),
        (place as i64 + 1).into(),
        i64::from(task.dependencies.is_empty()).into(),
        (task.dependencies.len() as i64).into(),
        json_text(&task.commands)?.into(),
        frames.map(FrameRange::to_string).unwrap_or_default().into(),
        steps_total(&task.commands).into(),
        task.name.into(),
        task.task_type.into(),
        task.priority.into(),
        "queued".into(),
        micros(created),
        micros(created),
    ])
}

/// Inserts tasks of a job, and gives back their keys in the same order.
async fn insert_tasks(tx: &Tx, seq: i64, slice: &Slice) -> Result<Vec<i64>, Error> {
    insert(tx, "tasks", &[("job_id", seq.into())], COLUMNS, &slice.rows).await?;
    let (first, last) = (slice.start + 1, slice.start + slice.rows.len());
    let sql = "SELECT id FROM tasks WHERE job_id = $1 AND index_in_job >= $2 AND index_in_job <= $3 ORDER BY index_in_job";
    let rows = query_all(tx, sql, vec![seq.into(), (first as i64).into(), (last as i64).into()]).await?;
    rows.iter().map(|row| row.get("id")).collect()
}

/// Dependencies by key instead of place.
fn pairs(dependencies: &[(usize, usize)], keys: &[i64]) -> Result<Vec<Vec<Value>>, Error> {
    let key = |place: usize| keys.get(place).copied().map(Value::from);
    let pair = |(task, dependency): &(usize, usize)| Some(vec![key(*task)?, key(*dependency)?]);
    let pairs: Option<_> = dependencies.iter().map(pair).collect();
    pairs.ok_or_else(|| Error::Database("a task waits for one that the job does not have".to_owned()))
}

async fn insert_dependencies(tx: &Tx, pairs: &[Vec<Value>]) -> Result<(), Error> {
    insert(tx, "task_dependencies", &[], &["task_id", "dependency_id"], pairs).await
}

/// Adds the queue heads and makes the job visible.
async fn publish(tx: &Tx, job: &NewJob, seq: i64, tag: i64, totals: &Totals) -> Result<Job, Error> {
    if !totals.frames.is_empty() {
        let frames = i64::try_from(totals.frames.count()).unwrap_or(i64::MAX);
        let sql = "INSERT INTO job_frames (job_id, total) VALUES ($1, $2)";
        execute(tx, sql, vec![seq.into(), frames.into()]).await?;
    }
    let active = i64::from(job.status.is_schedulable());
    for (task_type, of_type) in &totals.heads {
        for (priority, runnable) in of_type {
            let sql = "INSERT INTO queues (job_id, task_type, priority, job_priority, tag_id, job_active, runnable) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7)";
            let values = vec![
                seq.into(),
                task_type.as_str().into(),
                (*priority).into(),
                job.priority.into(),
                tag.into(),
                active.into(),
                (*runnable).into(),
            ];
            execute(tx, sql, values).await?;
        }
    }
    let sql =
        "UPDATE jobs SET status = $1, steps_total = $2, tasks_queued = $3, tasks_runnable = $4 WHERE id = $5";
    let counts = [totals.steps, totals.tasks, totals.runnable, seq].map(Value::from);
    execute(tx, sql, std::iter::once(job.status.as_str().into()).chain(counts).collect()).await?;
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
