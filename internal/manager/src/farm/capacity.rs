//! Whether anybody is left who could do what failed on others. Looked at when workers get fewer: when one is deleted,
//! no longer runs a type of task, or loses a tag. (When a task fails, `flamenco_domain::failure` decides.)

use chrono::{DateTime, Utc};
use flamenco_domain::job::{JobState, JobStatus, enter};
use flamenco_domain::task::TaskStatus;
use flamenco_store::{Tx, blocklist, tasks};

use super::LogLine;
use super::changes::{apply_steps, change_task};
use crate::error::Result;

/// Fails the jobs with work that nobody is left for. Otherwise they would wait for ever.
pub(super) async fn fail_stranded_jobs(tx: &Tx, now: DateTime<Utc>) -> Result<Vec<LogLine>> {
    let mut lines = Vec::new();
    for stranded in blocklist::stranded(tx).await? {
        let mut job = super::jobs::lock(tx, stranded.job).await?;
        // An earlier entry of this list may have ended it.
        if !job.status.is_schedulable() {
            continue;
        }
        let reason = format!("no worker is left that could run tasks of type {}", stranded.task_type);
        if let Some(id) = stranded.task
            && let Some(mut task) = tasks::lock(tx, id).await?
        {
            lines.push(LogLine { job: job.id, task: id, text: format!("failed: {reason}") });
            task.activity = format!("Failed: {reason}");
            lines.extend(change_task(tx, &mut job, &mut task, TaskStatus::Failed, &reason, now).await?);
        }
        if !job.status.is_finished() {
            let steps = enter(JobState::from(&job), JobStatus::Failed);
            apply_steps(tx, &mut job, &steps, &reason, now).await?;
        }
    }
    Ok(lines)
}
