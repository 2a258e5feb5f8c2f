//! Carrying out what the pure functions decided: the one place where a job's or task's status is stored.

use chrono::{DateTime, Utc};
use flamenco_domain::event::{Event, JobEvent, TaskEvent};
use flamenco_domain::job::{JobState, JobStatus, JobSummary, Step, on_task_change};
use flamenco_domain::task::{TaskStatus, TaskSummary};
use flamenco_store::{Tx, jobs, tasks};

use super::LogLine;
use crate::error::Result;

/// Takes a job through its steps: stores each, moves its tasks, and announces it.
pub(super) async fn apply_steps(
    tx: &Tx,
    job: &mut JobSummary,
    steps: &[Step],
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    for step in steps {
        let previous = job.status;
        job.status = step.status;
        job.activity = format!("{}: {reason}", describe(step.status));
        job.updated = jobs::later(job, now);
        if let Some(change) = step.tasks {
            let activity = format!("{} because the job became {}: {reason}", change.to, step.status);
            tasks::mass_change(tx, job, change, &activity, now).await?;
        }
        jobs::save(tx, job, true).await?;
        announce_job(tx, job, (previous != step.status).then_some(previous), step.refresh_tasks());
    }
    Ok(())
}

/// Moves one task to another status, stores it, announces it, and lets its job follow. The lines are for the task's
/// log, to be written after the commit.
pub(super) async fn change_task(
    tx: &Tx,
    job: &mut JobSummary,
    task: &mut TaskSummary,
    to: TaskStatus,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Vec<LogLine>> {
    let previous = task.status;
    match (previous == TaskStatus::Active, to == TaskStatus::Active) {
        (false, true) => (task.started, task.ended) = (Some(now), None),
        (true, false) => task.ended = Some(now),
        (true, true) | (false, false) => {}
    }
    tasks::change_status(tx, job, task, to).await?;
    task.updated = now.max(task.updated);
    tasks::save(tx, task).await?;
    announce_task(tx, task, Some(previous));
    let steps = on_task_change(JobState::from(&*job), to);
    if steps.is_empty() {
        jobs::save(tx, job, false).await?;
        announce_job(tx, job, None, false);
    } else {
        let reason = format!(
            "task {} became {to}{}",
            task.name,
            if reason.is_empty() { String::new() } else { format!(" ({reason})") }
        );
        apply_steps(tx, job, &steps, &reason, now).await?;
    }
    let text = format!("task changed status {previous} -> {to}");
    Ok(vec![LogLine { job: task.job_id, task: task.id, text }])
}

/// Announces a job as it is stored now.
pub(super) fn announce_job(tx: &Tx, job: &JobSummary, previous: Option<JobStatus>, refresh_tasks: bool) {
    tx.announce(Event::Job(Box::new(JobEvent { job: job.clone(), previous, refresh_tasks, deleted: false })));
}

/// Announces a task as it is stored now.
pub(super) fn announce_task(tx: &Tx, task: &TaskSummary, previous: Option<TaskStatus>) {
    tx.announce(Event::Task(Box::new(TaskEvent { task: task.clone(), previous })));
}

const fn describe(status: JobStatus) -> &'static str {
    match status {
        JobStatus::UnderConstruction => "Being stored",
        JobStatus::Queued => "Queued",
        JobStatus::Active => "Running",
        JobStatus::Completed => "Completed",
        JobStatus::Failed => "Failed",
        JobStatus::Canceled => "Canceled",
        JobStatus::CancelRequested => "Being canceled",
        JobStatus::PauseRequested => "Being paused",
        JobStatus::Paused => "Paused",
        JobStatus::Requeueing => "Being requeued",
    }
}
