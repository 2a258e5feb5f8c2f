//! What waits for a person: workers that are blocked, and jobs that nobody can go on with.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use flamenco_domain::attention::{StuckReason, why_stuck};
use flamenco_domain::ids::{JobId, WorkerId};
use flamenco_store::attention::{self, Blocked, Waiting};

use super::Farm;
use crate::error::Result;

/// Most entries of each kind that are told.
const MOST: usize = 100;

/// A worker that failed too often in a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedWorker {
    /// The job.
    pub job: JobId,
    /// Its name.
    pub job_name: String,
    /// The worker.
    pub worker: WorkerId,
    /// Its name.
    pub worker_name: String,
    /// The task types that it gets no more of.
    pub task_types: Vec<String>,
    /// Since when, for the last of them.
    pub since: DateTime<Utc>,
}

/// A job with tasks that nobody can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckJob {
    /// The job.
    pub job: JobId,
    /// Its name.
    pub job_name: String,
    /// The task types.
    pub task_types: Vec<String>,
    /// How many tasks.
    pub tasks: i64,
    /// Why; of several reasons the one that is nearest to going away.
    pub reason: StuckReason,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    /// Blocked workers, by job.
    pub blocked: Vec<BlockedWorker>,
    /// Stuck jobs, of the highest priority first.
    pub stuck: Vec<StuckJob>,
}

impl Farm {
    /// What waits for a person.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn attention(&self) -> Result<Attention> {
        let db = self.store.read();
        let (hands, waiting, blocked) =
            (attention::hands(db).await?, attention::waiting(db).await?, attention::blocked(db).await?);
        let blocks: HashSet<(i64, i64, &str)> =
            blocked.iter().map(|block| (block.job_seq, block.worker_seq, block.task_type.as_str())).collect();
        let blocked_types: HashSet<(i64, &str)> =
            blocked.iter().map(|block| (block.job_seq, block.task_type.as_str())).collect();
        // Of thousands of jobs most have the same few types and tags, and no blocklist.
        let mut usual: HashMap<(&str, Option<i64>), Option<StuckReason>> = HashMap::new();
        let mut stuck: Vec<StuckJob> = Vec::new();
        let mut last = None;
        for work in &waiting {
            let reason = if blocked_types.contains(&(work.job_seq, work.task_type.as_str())) {
                let is_blocked = |worker| blocks.contains(&(work.job_seq, worker, work.task_type.as_str()));
                why_stuck(&hands, &work.task_type, work.tag, is_blocked)
            } else {
                let key = (work.task_type.as_str(), work.tag);
                *usual.entry(key).or_insert_with(|| why_stuck(&hands, key.0, key.1, |_| false))
            };
            let Some(reason) = reason else { continue };
            if last == Some(work.job_seq) {
                add(&mut stuck, work, reason);
            } else if stuck.len() < MOST {
                stuck.push(begin(work, reason));
            } else {
                break;
            }
            last = Some(work.job_seq);
        }
        Ok(Attention { blocked: by_worker(blocked), stuck })
    }
}

fn begin(work: &Waiting, reason: StuckReason) -> StuckJob {
    StuckJob {
        job: work.job,
        job_name: work.job_name.clone(),
        task_types: vec![work.task_type.clone()],
        tasks: work.tasks,
        reason,
    }
}

fn add(stuck: &mut [StuckJob], work: &Waiting, reason: StuckReason) {
    if let Some(job) = stuck.last_mut() {
        job.task_types.push(work.task_type.clone());
        job.tasks += work.tasks;
        job.reason = job.reason.max(reason);
    }
}

fn by_worker(blocked: Vec<Blocked>) -> Vec<BlockedWorker> {
    // In the order in which they were read: by priority of the job.
    let mut order: Vec<(i64, i64)> = Vec::new();
    let mut found: BTreeMap<(i64, i64), BlockedWorker> = BTreeMap::new();
    for block in blocked {
        let key = (block.job_seq, block.worker_seq);
        match found.get_mut(&key) {
            Some(known) => {
                known.task_types.push(block.task_type);
                known.since = known.since.max(block.since);
            }
            None => {
                order.push(key);
                let Blocked { job, job_name, worker, worker_name, task_type, since, .. } = block;
                let task_types = vec![task_type];
                found.insert(key, BlockedWorker { job, job_name, worker, worker_name, task_types, since });
            }
        }
    }
    order.iter().take(MOST).filter_map(|key| found.remove(key)).collect()
}
