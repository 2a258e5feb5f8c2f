//! What workers say about their tasks.

use std::sync::atomic::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use flamenco_domain::event::Event;
use flamenco_domain::failure::{FailureFacts, FailurePolicy, on_failure};
use flamenco_domain::ids::TaskId;
use flamenco_domain::job::{JobState, JobStatus, JobSummary, enter};
use flamenco_domain::limits;
use flamenco_domain::task::{LogPosition, MayRun, TaskReport, TaskStatus, TaskSummary, may_run, on_report};
use flamenco_domain::worker::Worker;
use flamenco_store::{Tx, blocklist, jobs, tasks, workers};

use super::changes::{announce_job, announce_task, apply_steps, change_task};
use super::{Farm, LogLine, logs};
use crate::error::{Error, Result};

/// A sign of life is not stored when the stored one is younger than this.
const FRESH: TimeDelta = TimeDelta::seconds(1);

/// Whether a sign of life is so young that another one adds nothing. One from the future is not: the clock was set
/// back, and what is stored would count as life until the clock has caught up.
fn is_fresh(last: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    (TimeDelta::zero()..FRESH).contains(&(now - last))
}

impl Farm {
    /// A worker reports about a task. The text for the log is on disk before anything else happens, and all of it
    /// before this returns.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::TaskReport`] when the worker may not say this; nothing changed then.
    pub async fn report_task(&self, worker: &Worker, id: TaskId, report: TaskReport) -> Result<()> {
        if may_change_nothing(&report) && self.take_log(worker, id, &report).await? {
            return self.mark_seen(worker).await;
        }
        let (farm, reporter) = (self.clone(), worker.clone());
        self.left_behind.carry(async move { farm.store_report(reporter, id, report).await }).await
    }

    /// Stores a report whose text is in the log already, and tells the log what follows from it.
    async fn store_report(&self, reporter: Worker, id: TaskId, report: TaskReport) -> Result<()> {
        let (now, policy, worker) = (self.now(), self.live().options.failures, reporter.id);
        let lines = self
            .store
            .write_hot_about(id, move |tx| {
                let (report, reporter) = (report.clone(), reporter.clone());
                Box::pin(async move { apply_report(tx, &reporter, id, report, policy, now).await })
            })
            .await?;
        self.roster.seen(worker, now);
        self.write_lines(lines).await;
        Ok(())
    }

    /// Checks a report and stores its text. True when nothing else is to be stored.
    async fn take_log(&self, worker: &Worker, id: TaskId, report: &TaskReport) -> Result<bool> {
        let erasures = self.erasures.load(Ordering::SeqCst);
        let look = self.store.look_at_task(id).await?;
        let (task, job) = look.ok_or_else(|| Error::not_found("task", id))?;
        let change = on_report(&task, job, worker.id, report.status)?;
        if let Some(text) = report.log.as_ref().filter(|text| !text.is_empty()) {
            let known = self.write_text(worker, &task, text, report.log_position).await?;
            if self.erasures.load(Ordering::SeqCst) != erasures
                && self.store.look_at_task(id).await?.is_none()
            {
                // The job was erased meanwhile, and its files perhaps before the text was written.
                let removed = self.logs.remove_job(task.job_id.0).await;
                removed
                    .map_err(Error::io(format!("cannot remove what was written for job {}", task.job_id)))?;
                return Err(Error::not_found("task", id));
            }
            if let Some(new) = text.get(known..).filter(|new| !new.is_empty()) {
                self.announce(Event::TaskLog { task: id, job: task.job_id, text: new.to_owned() });
            }
            self.frames_of_log(worker, id, text).await;
        }
        let fresh = task.last_touched.is_some_and(|touched| is_fresh(touched, self.now()));
        let same_activity = report.activity.as_ref().is_none_or(|activity| *activity == task.activity);
        let same_steps = report.steps_completed.is_none_or(|steps| steps == task.steps_completed);
        Ok(change.is_none() && fresh && same_activity && same_steps)
    }

    /// Puts a text of a worker into the log of a task. Gives how much of it was there already, in bytes.
    async fn write_text(
        &self,
        worker: &Worker,
        task: &TaskSummary,
        text: &str,
        position: Option<LogPosition>,
    ) -> Result<usize> {
        let (job, id) = (task.job_id.0, task.id.0);
        let written = match position {
            Some(LogPosition { stream, offset }) => {
                let position = logs::LogPosition { worker: worker.id.0, stream, offset };
                self.logs.append_at(job, id, text, position).await
            }
            None => self.logs.append(job, id, text).await.map(|()| 0),
        };
        written.map_err(Error::io(format!("cannot write to the log of task {id}")))
    }

    /// Whether a worker may go on with a task. A yes counts as a sign of life for both.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn may_run(&self, worker: &Worker, id: TaskId) -> Result<MayRun> {
        let Some((task, _)) = self.store.look_at_task(id).await? else {
            return Ok(MayRun::No { reason: format!("there is no task {id}"), status_change: false });
        };
        self.mark_seen(worker).await?;
        let urgent = worker.requested.is_some_and(|request| !request.lazy);
        let answer = may_run(&task, worker.id, urgent);
        let now = self.now();
        let stale = task.last_touched.is_none_or(|touched| !is_fresh(touched, now));
        if answer == MayRun::Yes && stale {
            let seq = task.seq;
            let touched: Result<()> = self
                .store
                .write_hot(move |tx| Box::pin(async move { Ok(tasks::touch(tx, seq, now).await?) }))
                .await;
            touched?;
        }
        Ok(answer)
    }

    /// Notes that a worker was heard of, unless that is stored already.
    pub(crate) async fn mark_seen(&self, worker: &Worker) -> Result<()> {
        let now = self.now();
        if worker.last_seen.is_some_and(|seen| is_fresh(seen, now)) {
            return Ok(());
        }
        let seq = worker.seq;
        let marked: Result<()> = self
            .store
            .write_hot(move |tx| Box::pin(async move { Ok(workers::mark_seen(tx, seq, now).await?) }))
            .await;
        marked?;
        self.roster.seen(worker.id, now);
        Ok(())
    }
}

/// Whether a look at the task may show that nothing but a text is to be stored, which spares the writer. What ends a
/// task always changes something, but its text must be on disk before that.
fn may_change_nothing(report: &TaskReport) -> bool {
    let has_text = report.log.as_ref().is_some_and(|text| !text.is_empty());
    has_text || matches!(report.status, None | Some(TaskStatus::Active))
}

async fn apply_report(
    tx: &Tx,
    reporter: &Worker,
    id: TaskId,
    report: TaskReport,
    policy: FailurePolicy,
    now: DateTime<Utc>,
) -> Result<Vec<LogLine>> {
    let mut task = tasks::lock(tx, id).await?.ok_or_else(|| Error::not_found("task", id))?;
    let mut job = super::jobs::lock(tx, task.job_id).await?;
    let change = on_report(&task, job.status, reporter.id, report.status)?;
    workers::mark_seen(tx, reporter.seq, now).await?;
    task.last_touched = Some(now);
    let before = task.clone();
    if let Some(activity) = report.activity {
        // Words of a program; what cannot be stored in them is no reason to refuse what else it reports.
        task.activity = limits::shortened(&activity, limits::ACTIVITY).replace('\0', "\u{fffd}");
    }
    // A late or repeated report must not move what has ended, or begins anew.
    if let Some(steps) = report.steps_completed.filter(|_| task.status == TaskStatus::Active) {
        let steps = steps.clamp(0, task.steps_total);
        job.steps_completed += steps - task.steps_completed;
        task.steps_completed = steps;
    }
    match change {
        Some(TaskStatus::Failed) => fail_task(tx, &mut job, &mut task, reporter.seq, policy, now).await,
        Some(to) => change_task(tx, &mut job, &mut task, to, "", now).await,
        None => {
            let steps_changed = task.steps_completed != before.steps_completed;
            if task.activity != before.activity || steps_changed {
                task.updated = now.max(task.updated);
            }
            tasks::save(tx, &task).await?;
            if task != (TaskSummary { last_touched: task.last_touched, ..before }) {
                announce_task(tx, &task, None);
            }
            if steps_changed {
                jobs::save(tx, &job, false).await?;
                announce_job(tx, &job, None, false);
            }
            Ok(Vec::new())
        }
    }
}

/// A worker failed a task: counts the failure, and stores what [`on_failure`] makes of it. Also for a task that timed
/// out on its worker.
pub(super) async fn fail_task(
    tx: &Tx,
    job: &mut JobSummary,
    task: &mut TaskSummary,
    worker: i64,
    policy: FailurePolicy,
    now: DateTime<Utc>,
) -> Result<Vec<LogLine>> {
    tasks::settle(tx).await?;
    blocklist::add_failure(tx, task.seq, worker, now).await?;
    let left = blocklist::others_left(tx, job, task, worker).await?;
    let facts = FailureFacts {
        workers_failed: blocklist::workers_failed(tx, task.seq).await?,
        failures_of_worker: blocklist::failures_of_worker(tx, job.seq, worker, &task.task_type).await?,
        others_left: left.workers,
        job: job.status,
    };
    let outcome = on_failure(facts, policy);
    let name = task.worker.as_ref().map_or_else(String::new, |worker| worker.name.clone());
    if outcome.block {
        blocklist::block(tx, job.seq, worker, &task.task_type, now).await?;
    }
    let line = |text: String| LogLine { job: task.job_id, task: task.id, text };
    let mut lines = Vec::new();
    if outcome.fail_job {
        lines.push(line(format!("failed by worker {name}, and no other worker is left that could run it")));
    } else if outcome.task == TaskStatus::Failed {
        lines.push(line(format!("failed by {} workers: it has failed for good", facts.workers_failed)));
    } else {
        let more = (policy.fail_after - facts.workers_failed).max(0);
        let workers = facts.workers_failed;
        lines
            .push(line(format!("failed by {workers} worker(s) so far; after {more} more it fails for good")));
        if left.disabled == left.workers {
            lines.push(line(
                "all others that could run it are disabled; it waits until one is enabled".to_owned(),
            ));
        }
    }
    let others = if outcome.retry_failed {
        tasks::failed_of_worker(tx, job.seq, worker, &task.task_type).await?
    } else {
        Vec::new()
    };
    lines.extend(change_task(tx, job, task, outcome.task, &format!("failed by worker {name}"), now).await?);
    for mut other in others {
        if job.status.is_finished() || other.id == task.id {
            continue;
        }
        let reason = format!("worker {name} was blocked from {} tasks of this job", task.task_type);
        let to = flamenco_domain::task::on_give_back(job.status);
        other.activity = format!("Became {to} again: {reason}");
        lines.extend(change_task(tx, job, &mut other, to, &reason, now).await?);
        lines.push(LogLine { job: other.job_id, task: other.id, text: format!("{to} again: {reason}") });
    }
    if outcome.fail_job && job.status != JobStatus::Failed {
        let steps = enter(JobState::from(&*job), JobStatus::Failed);
        let reason = format!("no worker is left that could run tasks of type {}", task.task_type);
        apply_steps(tx, job, &steps, &reason, now).await?;
    }
    Ok(lines)
}

/// Gives a worker's active tasks back: they are queued again, or paused with their job.
pub(super) async fn give_back(
    tx: &Tx,
    worker: i64,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Vec<LogLine>> {
    let mut lines = Vec::new();
    for listed in tasks::active_of_worker(tx, worker).await? {
        // Another manager may have changed it since it was listed.
        let locked = tasks::lock(tx, listed.id).await?;
        let still = |task: &TaskSummary| task.status == TaskStatus::Active && task.worker == listed.worker;
        let Some(mut task) = locked.filter(still) else { continue };
        let mut job = super::jobs::lock(tx, task.job_id).await?;
        let to = flamenco_domain::task::on_give_back(job.status);
        task.activity = format!("Became {to} by the manager: {reason}");
        lines.extend(change_task(tx, &mut job, &mut task, to, reason, now).await?);
        lines.push(LogLine {
            job: task.job_id,
            task: task.id,
            text: format!("{to} by the manager: {reason}"),
        });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_of_life_from_the_future_is_stored_again() {
        let now = DateTime::from_timestamp(1_767_323_045, 0).unwrap();
        for (ago, fresh) in
            [(0, true), (999, true), (1_000, false), (60_000, false), (-1, false), (-3_600_000, false)]
        {
            assert_eq!(is_fresh(now - TimeDelta::milliseconds(ago), now), fresh, "{ago} ms ago");
        }
    }
}
