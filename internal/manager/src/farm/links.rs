//! What a task waits for, what waits for it, and why it does not start.

use std::collections::HashSet;

use flamenco_domain::ids::TaskId;
use flamenco_domain::job::TaskCounts;
use flamenco_domain::task::{TaskStatus, TaskSummary};
use flamenco_domain::waiting::{Situation, WaitReason, why_waiting};
use flamenco_store::links::{self, Direction, Gate};
use flamenco_store::{attention, tasks};

use super::Farm;
use crate::error::{Error, Result};

/// Which part of the tasks around a task is wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only tasks in one of these statuses; in whichever when empty.
    pub statuses: Vec<TaskStatus>,
    /// How many of each list at most.
    pub limit: i64,
    /// Of the tasks that it waits for, those after this place in the job.
    pub waits_for_after: i64,
    /// Of the tasks that wait for it, those after this place in the job.
    pub needed_by_after: i64,
}

/// A page of the tasks on one side of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Links {
    /// All of them by status.
    pub counts: TaskCounts,
    /// This page.
    pub tasks: Vec<TaskSummary>,
    /// Where the next page begins, if there is one.
    pub next: Option<i64>,
}

/// The tasks around a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Around {
    /// Why it does not start.
    pub reasons: Vec<WaitReason>,
    /// What it waits for.
    pub waits_for: Links,
    /// What waits for it.
    pub needed_by: Links,
}

impl Farm {
    /// The tasks around a task, and why it does not start. The number of queries does not depend on how many there are.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn task_dependencies(&self, id: TaskId, wanted: &Wanted) -> Result<Around> {
        let db = self.store.read();
        let (task, job) = tasks::look(db, id).await?.ok_or_else(|| Error::not_found("task", id))?;
        let waits_for = self.links(&task, Direction::WaitsFor, wanted, wanted.waits_for_after).await?;
        let needed_by = self.links(&task, Direction::NeededBy, wanted, wanted.needed_by_after).await?;
        let Gate { job_deleted, tag, blocked, failed } = links::gate(db, &task).await?;
        let situation = Situation {
            status: task.status,
            task_type: &task.task_type,
            job,
            job_deleted,
            tag,
            waits_for: waits_for.counts,
        };
        let hands = if situation.job_goes_on() { attention::hands(db).await? } else { Vec::new() };
        let among = |workers: HashSet<i64>| move |seq: i64| workers.contains(&seq);
        let reasons = why_waiting(&situation, &hands, among(blocked), among(failed));
        Ok(Around { reasons, waits_for, needed_by })
    }

    async fn links(
        &self,
        task: &TaskSummary,
        direction: Direction,
        wanted: &Wanted,
        after: i64,
    ) -> Result<Links> {
        let db = self.store.read();
        let counts = links::counts(db, task.seq, direction).await?;
        let mut tasks = Vec::new();
        if counts.total() > 0 {
            // One more than is wanted tells whether there is a next page.
            let limit = wanted.limit.saturating_add(1);
            tasks = links::page(db, task.seq, direction, &wanted.statuses, after, limit).await?;
        }
        let most = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
        let is_more = tasks.len() > most;
        tasks.truncate(most);
        let next = tasks.last().filter(|_| is_more).map(|task| task.index_in_job);
        Ok(Links { counts, tasks, next })
    }
}
