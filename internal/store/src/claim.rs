//! Which task a worker gets next: the query that the whole farm waits for.
//!
//! The rule is `flamenco_domain::eligibility`. Looking for the first task that fits in order of priority is quick only
//! when it is near the front; with a hundred thousand tasks for others before it, or none at all, it would look at
//! every one. So each (job, task type, task priority) has a row in `queues`, its *queue head*, with the number of
//! runnable tasks behind it. For every pair of a tag of the worker (0 stands for none) and a task type that it
//! supports, one index seek finds the first head that it may take from; the best of those few gives the task. The cost
//! does not depend on how many tasks are queued (`reference/store.md`).

use chrono::{DateTime, Utc};
use flamenco_domain::frame_range::FrameRange;
use flamenco_domain::task::Task;
use flamenco_domain::worker::Worker;

use crate::batch::flush_tasks;
use crate::db::{Db, is_postgres, query_one};
use crate::error::Error;
use crate::tasks::{select_task, whole};
use crate::writer::Tx;

/// A task for a worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The task: an active one that the worker has already, or one to assign.
    pub task: Task,
    /// Only these of its frames are to be rendered; none when all are.
    pub only_frames: FrameRange,
    /// When the row of the worker was changed last.
    pub worker_updated: DateTime<Utc>,
}

/// The task that a worker already has, since one that lost an answer or was restarted gets it again; otherwise the
/// best one for it. Nothing for a worker that is not awake, or is asked to change its status; and nothing new for one
/// that is disabled.
///
/// Only finds it: the caller assigns it in the same transaction, in which task and worker are locked against other
/// managers.
///
/// # Errors
/// When the database cannot be read.
pub async fn next(tx: &Tx, worker: &Worker) -> Result<Option<Claim>, Error> {
    if !is_postgres(tx) {
        return find(tx, worker, Way::Look).await;
    }
    if !tx.is_hot() {
        return find(tx, worker, Way::Lock).await;
    }
    if tx.batch(|batch| batch.has_changed_task_of(worker.seq)) {
        flush_tasks(tx).await?;
    }
    tx.note_write();
    find(tx, worker, Way::Take).await
}

/// As [`next`], without locking anything: for a look without the writer.
///
/// # Errors
/// When the database cannot be read.
pub async fn peek(db: &impl Db, worker: &Worker) -> Result<Option<Claim>, Error> {
    find(db, worker, Way::Look).await
}

/// What else the statement does.
#[derive(Clone, Copy)]
enum Way {
    Look,
    /// Locks task and worker against other managers.
    Lock,
    /// And keeps the next operation of the batch from finding the same task: that it was assigned is written later.
    Take,
}

async fn find(db: &impl Db, worker: &Worker, way: Way) -> Result<Option<Claim>, Error> {
    let sql = statement(worker.task_types.len(), is_postgres(db), way);
    let mut values = vec![worker.seq.into()];
    values.extend(worker.task_types.iter().map(|name| name.as_str().into()));
    let row = query_one(db, &sql, values).await?;
    row.map(|row| {
        let only: String = row.get("only_frames")?;
        let only_frames = FrameRange::parse(&only).unwrap_or_default();
        Ok(Claim { task: whole(&row)?, only_frames, worker_updated: row.time("worker_updated")? })
    })
    .transpose()
}

/// The text depends only on how many task types there are, so few texts exist, and the database knows them.
fn statement(types: usize, postgres: bool, way: Way) -> String {
    let names: Vec<_> = (0..types)
        .map(|index| match postgres {
            true => format!("SELECT CAST(${} AS TEXT) AS task_type", index + 2),
            false => format!("SELECT ${} AS task_type", index + 2),
        })
        .collect();
    let names = if names.is_empty() {
        "SELECT '' AS task_type WHERE 1 = 0".to_owned()
    } else {
        names.join(" UNION ALL ")
    };
    let lock = " FOR UPDATE OF t SKIP LOCKED FOR UPDATE OF me";
    match way {
        Way::Look => format!("WITH kinds AS ({names}), {CLAIM}"),
        Way::Lock => format!("WITH kinds AS ({names}), {CLAIM}{lock}"),
        Way::Take => format!(
            "WITH found AS MATERIALIZED (WITH kinds AS ({names}), {CLAIM}{lock}), taken AS (UPDATE tasks SET runnable = 0 \
             FROM found WHERE tasks.id = found.id AND tasks.runnable = 1) SELECT * FROM found"
        ),
    }
}

const CLAIM: &str = concat!(
    "places AS (SELECT 0 AS tag_id UNION ALL SELECT m.worker_tag_id FROM worker_tag_membership m WHERE ",
    "m.worker_id = $1), ",
    "heads AS MATERIALIZED (SELECT (",
    "SELECT q.id FROM queues q WHERE q.tag_id = s.tag_id AND q.task_type = k.task_type ",
    "AND q.runnable > 0 AND q.job_active = 1 ",
    "AND NOT EXISTS (SELECT 1 FROM job_blocks b WHERE b.worker_id = $1 AND b.job_id = q.job_id ",
    "AND b.task_type = q.task_type) ",
    // Not `EXISTS`, of which PostgreSQL makes a join: it then looks up all runnable tasks of the job, for the first one.
    "AND (SELECT c.id FROM tasks c WHERE c.job_id = q.job_id AND c.task_type = q.task_type ",
    "AND c.priority = q.priority AND c.runnable = 1 ",
    "AND NOT EXISTS (SELECT 1 FROM task_failures f WHERE f.task_id = c.id AND f.worker_id = $1) ",
    "ORDER BY c.index_in_job LIMIT 1) IS NOT NULL ",
    "ORDER BY q.job_priority DESC, q.priority DESC, q.job_id LIMIT 1) AS queue_id FROM kinds k CROSS JOIN places s), ",
    // Heads of different types may tie in both priorities and the job; then the earlier task decides.
    "firsts AS MATERIALIZED (SELECT q.job_priority, q.priority, q.job_id, (",
    "SELECT c.id FROM tasks c WHERE c.job_id = q.job_id AND c.task_type = q.task_type ",
    "AND c.priority = q.priority AND c.runnable = 1 ",
    "AND NOT EXISTS (SELECT 1 FROM task_failures f WHERE f.task_id = c.id AND f.worker_id = $1) ",
    "ORDER BY c.index_in_job LIMIT 1) AS task_id FROM heads h JOIN queues q ON q.id = h.queue_id) ",
    select_task!(
        ", t.commands, t.only_frames, me.updated_at AS worker_updated",
        "JOIN workers me ON me.id = $1 WHERE t.id = COALESCE(\
         (SELECT a.id FROM tasks a JOIN jobs o ON o.id = a.job_id WHERE a.worker_id = $1 AND a.status = 'active' \
         AND o.status IN ('active', 'queued', 'pause-requested') ORDER BY a.id LIMIT 1), \
         (SELECT f.task_id FROM firsts f JOIN tasks c ON c.id = f.task_id \
         ORDER BY f.job_priority DESC, f.priority DESC, f.job_id, c.index_in_job LIMIT 1)) \
         AND ((t.runnable = 1 AND me.disabled_at IS NULL) OR t.status = 'active') \
         AND me.status = 'awake' AND me.status_requested = '' AND me.deleted_at IS NULL"
    )
);
