//! What the hot operations of one batch change again and again, written once at its end.
//!
//! Two hundred workers that report on one job change the same counters, and a statement costs more than what it does:
//! it crosses to the database's thread and back. So operations that are run with [`Store::write_hot`] find the job
//! row in the batch when an earlier one has read it, and leave there what they change: the job's counters, what became
//! of its queue heads, and which worker or task was heard of when. [`flush`] writes it before the commit, in the same
//! transaction, so an operation is answered only when all of it is on disk. An ordinary operation of the same batch
//! begins with a flush, and never meets anything that is not in the database.
//!
//! On PostgreSQL, where a statement is a journey, tasks are handled like that too: those that a batch speaks of are read
//! and locked by one statement, see [`hold_tasks`], and written by one.
//!
//! [`Store::write_hot`]: crate::Store::write_hot

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use flamenco_domain::ids::{JobId, TaskId};
use flamenco_domain::job::JobSummary;
use flamenco_domain::task::TaskSummary;
use serde_json::json;

use crate::db::{execute, is_postgres, json_text};
use crate::error::Error;
use crate::writer::Tx;

/// What is still to be written.
#[derive(Default)]
pub(crate) struct Batch {
    jobs: HashMap<JobId, Held>,
    tasks: HashMap<TaskId, TaskSummary>,
    /// Those of them that are to be written.
    changed_tasks: HashSet<TaskId>,
    /// Change of the number of runnable tasks, by job, task type and task priority.
    queues: BTreeMap<(i64, String, i64), i64>,
    /// When a worker was heard of, in microseconds since 1970.
    seen: BTreeMap<i64, i64>,
    /// The task that a worker was given.
    given: BTreeMap<i64, i64>,
    /// When a task was heard of, in microseconds since 1970.
    touched: BTreeMap<i64, i64>,
}

struct Held {
    job: JobSummary,
    changed: bool,
}

impl Batch {
    pub(crate) fn job(&self, id: JobId) -> Option<JobSummary> {
        self.jobs.get(&id).map(|held| held.job.clone())
    }

    /// Keeps a job as it was read.
    pub(crate) fn hold(&mut self, job: JobSummary) {
        self.jobs.insert(job.id, Held { job, changed: false });
    }

    /// Keeps a job as it is to be written.
    pub(crate) fn change(&mut self, job: JobSummary) {
        self.jobs.insert(job.id, Held { job, changed: true });
    }

    /// Forgets a job, which was written otherwise.
    pub(crate) fn forget(&mut self, id: JobId) {
        self.jobs.remove(&id);
    }

    pub(crate) fn task(&self, id: TaskId) -> Option<TaskSummary> {
        self.tasks.get(&id).cloned()
    }

    /// Keeps a task as it is to be written.
    pub(crate) fn change_task(&mut self, task: TaskSummary) {
        self.changed_tasks.insert(task.id);
        self.tasks.insert(task.id, task);
    }

    /// Whether the database does not know yet what became of a task of this worker.
    pub(crate) fn has_changed_task_of(&self, worker: i64) -> bool {
        let owner = |id| self.tasks.get(id).and_then(|task| task.worker.as_ref()).map(|worker| worker.seq);
        self.changed_tasks.iter().any(|id| owner(id) == Some(worker))
    }

    /// Whether a task is kept that waits for others.
    pub(crate) fn has_waiting_task(&self) -> bool {
        self.tasks.values().any(|task| task.unmet_dependencies > 0)
    }

    pub(crate) fn add_runnable(&mut self, job: i64, task_type: &str, priority: i64, delta: i64) {
        *self.queues.entry((job, task_type.to_owned(), priority)).or_default() += delta;
    }

    pub(crate) fn see(&mut self, worker: i64, at: DateTime<Utc>) {
        latest(&mut self.seen, worker, at);
    }

    pub(crate) fn give(&mut self, worker: i64, task: i64) {
        self.given.insert(worker, task);
    }

    pub(crate) fn touch(&mut self, task: i64, at: DateTime<Utc>) {
        latest(&mut self.touched, task, at);
    }
}

fn latest(times: &mut BTreeMap<i64, i64>, key: i64, at: DateTime<Utc>) {
    let at = at.timestamp_micros();
    let known = times.entry(key).or_insert(at);
    *known = at.max(*known);
}

/// Writes everything that the batch holds, and forgets it.
pub(crate) async fn flush(tx: &Tx) -> Result<(), Error> {
    flush_tasks(tx).await?;
    let Batch { jobs, queues, seen, given, touched, .. } = tx.batch(std::mem::take);
    let mut changed: Vec<_> = jobs.into_values().filter(|held| held.changed).collect();
    // In the same order in every manager, or two of them would wait for each other's rows.
    changed.sort_by_key(|held| held.job.seq);
    for held in changed {
        crate::jobs::write(tx, &held.job).await?;
    }
    write_queues(tx, queues).await?;
    const SEEN: &str = "UPDATE workers SET last_seen_at = v.b FROM pairs v WHERE workers.id = v.a AND \
                        (workers.last_seen_at IS NULL OR workers.last_seen_at < v.b)";
    const GIVEN: &str = "UPDATE workers SET last_task_id = v.b FROM pairs v WHERE workers.id = v.a";
    const TOUCHED: &str = "UPDATE tasks SET last_touched_at = v.b FROM pairs v WHERE tasks.id = v.a AND \
                           (tasks.last_touched_at IS NULL OR tasks.last_touched_at < v.b)";
    for (sql, pairs) in [(SEEN, seen), (GIVEN, given), (TOUCHED, touched)] {
        if pairs.is_empty() {
            continue;
        }
        let text = json_text(&pairs.into_iter().collect::<Vec<_>>())?;
        let with = if is_postgres(tx) { PAIRS_POSTGRES } else { PAIRS_SQLITE };
        execute(tx, &format!("{with}{sql}"), vec![text.into()]).await?;
    }
    Ok(())
}

/// Pairs of numbers from one JSON text, so that any number of rows is one statement that the database has seen before.
const PAIRS_SQLITE: &str =
    "WITH pairs AS MATERIALIZED (SELECT value->>0 AS a, value->>1 AS b FROM json_each($1)) ";
const PAIRS_POSTGRES: &str = "WITH pairs AS MATERIALIZED (SELECT CAST(value->>0 AS BIGINT) AS a, CAST(value->>1 AS \
                              BIGINT) AS b FROM json_array_elements(CAST($1 AS JSON))) ";

/// Reads and locks tasks that operations of the batch will speak of.
pub(crate) async fn hold_tasks(tx: &Tx, ids: &[TaskId]) -> Result<(), Error> {
    let held = crate::tasks::lock_all(tx, ids).await?;
    tx.batch(|batch| batch.tasks.extend(held.into_iter().map(|task| (task.id, task))));
    Ok(())
}

/// Writes what became of tasks, and forgets all of them: before anything looks at the tasks in the database, or changes
/// them there.
pub(crate) async fn flush_tasks(tx: &Tx) -> Result<(), Error> {
    const SAVED: &str = "UPDATE tasks SET status = v.status, activity = v.activity, worker_id = v.worker_id, \
                         steps_completed = v.steps_completed, runnable = v.runnable, last_touched_at = \
                         v.last_touched_at, updated_at = v.updated_at, started_at = v.started_at, ended_at = \
                         v.ended_at FROM json_to_recordset(CAST($1 AS JSON)) AS v(id \
                         BIGINT, status TEXT, activity TEXT, worker_id BIGINT, steps_completed BIGINT, runnable BIGINT, \
                         last_touched_at BIGINT, updated_at BIGINT, started_at BIGINT, ended_at BIGINT) WHERE tasks.id = v.id";
    let (tasks, changed) =
        tx.batch(|batch| (std::mem::take(&mut batch.tasks), std::mem::take(&mut batch.changed_tasks)));
    if changed.is_empty() {
        return Ok(());
    }
    let row = |task: &TaskSummary| {
        json!({
            "id": task.seq, "status": task.status.as_str(), "activity": task.activity,
            "worker_id": task.worker.as_ref().map(|worker| worker.seq), "steps_completed": task.steps_completed,
            "runnable": i64::from(task.is_runnable()),
            "last_touched_at": task.last_touched.map(|time| time.timestamp_micros()),
            "updated_at": task.updated.timestamp_micros(),
            "started_at": task.started.map(|time| time.timestamp_micros()),
            "ended_at": task.ended.map(|time| time.timestamp_micros()),
        })
    };
    let rows: Vec<_> = tasks.values().filter(|task| changed.contains(&task.id)).map(row).collect();
    execute(tx, SAVED, vec![json_text(&rows)?.into()]).await.map(drop)
}

/// Writes only what became of the queue heads, before they are recomputed.
pub(crate) async fn flush_queues(tx: &Tx) -> Result<(), Error> {
    let queues = tx.batch(|batch| std::mem::take(&mut batch.queues));
    write_queues(tx, queues).await
}

async fn write_queues(tx: &Tx, queues: BTreeMap<(i64, String, i64), i64>) -> Result<(), Error> {
    let sql =
        "UPDATE queues SET runnable = runnable + $1 WHERE job_id = $2 AND task_type = $3 AND priority = $4";
    for ((job, task_type, priority), delta) in queues.into_iter().filter(|(_, delta)| *delta != 0) {
        execute(tx, sql, vec![delta.into(), job.into(), task_type.into(), priority.into()]).await?;
    }
    Ok(())
}
