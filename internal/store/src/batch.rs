//! What the hot operations of one batch change again and again, written once at its end.
//!
//! Two hundred workers that report on one job change the same counters, and a statement costs more than what it does:
//! it crosses to the database's thread and back. So operations that are run with [`Store::write_hot`] find the job
//! row in the batch when an earlier one has read it, and leave there what they change: the job's counters, what became
//! of its queue heads, and which worker or task was heard of when. [`flush`] writes it before the commit, in the same
//! transaction, so an operation is answered only when all of it is on disk. An ordinary operation of the same batch
//! begins with a flush, and never meets anything that is not in the database.
//!
//! [`Store::write_hot`]: crate::Store::write_hot

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use flamenco_domain::ids::JobId;
use flamenco_domain::job::JobSummary;

use crate::db::{execute, is_postgres, json_text};
use crate::error::Error;
use crate::writer::Tx;

/// What is still to be written.
#[derive(Default)]
pub(crate) struct Batch {
    jobs: HashMap<JobId, Held>,
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
    let Batch { jobs, queues, seen, given, touched } = tx.batch(std::mem::take);
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
