//! One run of one task, from "Started" to its end.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::find_programs::Programs;
use crate::log_buffer::LogLimits;
use crate::manager_api::Task;
use crate::may_i_run::{self, Refusal};
use crate::outbox::{FirstAnswer, Outbox, ReportedStatus, Run};
use crate::pictures::Pictures;
use crate::process::Supervision;
use crate::reporter::Reporter;
use crate::runner::{self, CommandError, Context};
use crate::session::Session;
use crate::state::RunEnd;

/// How long the first update of a run may take before the task is run regardless.
const START_GRACE: Duration = Duration::from_secs(5);

/// What a run needs.
#[derive(Debug, Clone, Copy)]
pub struct TaskRunner<'a> {
    pub config: &'a Config,
    pub session: &'a Session,
    pub outbox: &'a Outbox,
    pub programs: &'a Programs,
    pub supervision: &'a Supervision,
    pub pictures: &'a Pictures,
}

/// Why a run is cut off.
#[derive(Debug)]
enum Interruption {
    ShuttingDown,
    NotOurs,
    Refused(Refusal),
}

impl TaskRunner<'_> {
    /// Runs a task to its end, or until it is cut off. After a cut the manager only gets the rest of the log: what
    /// becomes of the task is its decision.
    pub async fn run(&self, task: &Task, shutdown: &CancellationToken) -> RunEnd {
        let id = task.id;
        tracing::info!(task = %id, name = task.name, job = %task.job, commands = task.commands.len(), "task begins");
        let mut run = self.outbox.begin_run(id);
        let limits = LogLimits { max_age: self.config.pace.log_age, ..LogLimits::default() };
        let reporter = Reporter::new(id, self.outbox.clone(), limits);
        reporter.status(ReportedStatus::Active, "Started", None).await;
        if !may_begin(&mut run, shutdown).await {
            return RunEnd::NotBegun;
        }
        let (result, interruption) = self.run_supervised(task, &reporter, &run, shutdown).await;
        match (interruption, result) {
            (Some(interruption), _) => end_of_cut(task, interruption, &reporter).await,
            (None, Ok(())) => {
                reporter.status(ReportedStatus::Completed, "Completed", None).await;
                tracing::info!(task = %id, name = task.name, "task completed");
                RunEnd::Completed
            }
            (None, Err(error)) => {
                let text = format!("Failed: {error}");
                reporter.status(ReportedStatus::Failed, &text, Some(&text)).await;
                tracing::warn!(task = %id, name = task.name, %error, "task failed");
                RunEnd::Failed
            }
        }
    }

    /// Runs the commands while reporting and asking whether to go on. A cut cancels the commands and waits for them.
    async fn run_supervised(
        &self,
        task: &Task,
        reporter: &Reporter,
        run: &Run,
        shutdown: &CancellationToken,
    ) -> (Result<(), CommandError>, Option<Interruption>) {
        let cancel = CancellationToken::new();
        let commands = self.run_commands(task, reporter, &cancel);
        let refusal = may_i_run::refused(self.session, task.id, self.config.pace.may_i_run);
        tokio::pin!(commands, refusal);
        let mut interruption = None;
        let result = loop {
            let reason = tokio::select! {
                result = &mut commands => break result,
                () = shutdown.cancelled(), if interruption.is_none() => Interruption::ShuttingDown,
                () = run.not_ours().cancelled(), if interruption.is_none() => Interruption::NotOurs,
                refusal = &mut refusal, if interruption.is_none() => Interruption::Refused(refusal),
                () = reporter.pump() => continue,
            };
            tracing::info!(task = %task.id, ?reason, "stopping the task");
            interruption = Some(reason);
            cancel.cancel();
        };
        // The question whether to go on may have led to a new registration, which must not be abandoned.
        if !matches!(interruption, Some(Interruption::Refused(_))) {
            self.session.settle(refusal).await;
        }
        (result, interruption)
    }

    async fn run_commands(
        &self,
        task: &Task,
        reporter: &Reporter,
        cancel: &CancellationToken,
    ) -> Result<(), CommandError> {
        let mut steps = 0;
        for (index, command) in task.commands.iter().enumerate() {
            if cancel.is_cancelled() {
                return Err(CommandError::Cancelled);
            }
            tracing::info!(task = %task.id, command = command.name, "command begins");
            let context = Context {
                reporter,
                cancel,
                programs: self.programs,
                oom_score_adjust: self.config.oom_score_adjust,
                supervision: self.supervision,
                manager: self.session.manager(),
                pictures: self.pictures,
                steps_before: steps,
            };
            runner::run(command, &context).await?;
            // Also when the command missed some of its own steps: it is done.
            steps += command.step_share();
            reporter.set_steps(steps);
            if task.commands.len() > 1 {
                let (number, total) = (index + 1, task.commands.len());
                reporter.set_activity(format!("Finished {} ({number} of {total})", command.name));
            }
        }
        Ok(())
    }
}

/// Whether the manager lets the run begin. One that cannot be reached does not prevent it: the task was assigned.
async fn may_begin(run: &mut Run, shutdown: &CancellationToken) -> bool {
    tokio::select! {
        () = shutdown.cancelled() => false,
        () = tokio::time::sleep(START_GRACE) => true,
        answer = run.first_answer() => match answer {
            FirstAnswer::Accepted | FirstAnswer::Unreachable => true,
            FirstAnswer::NotOurs => {
                tracing::info!("the task was given to someone else meanwhile; not running it");
                false
            }
            FirstAnswer::Refused(message) => {
                tracing::warn!(message, "the manager refuses that the task begins; not running it");
                false
            }
        },
    }
}

async fn end_of_cut(task: &Task, interruption: Interruption, reporter: &Reporter) -> RunEnd {
    let (reason, state_change_requested) = match interruption {
        Interruption::NotOurs => {
            tracing::info!(task = %task.id, "task stopped: it is not ours any more");
            return RunEnd::Aborted { state_change_requested: false };
        }
        Interruption::ShuttingDown => ("the worker shuts down".to_owned(), false),
        Interruption::Refused(refusal) => (refusal.reason, refusal.state_change_requested),
    };
    tracing::info!(task = %task.id, reason, "task stopped");
    reporter.flush_log_only(&format!("Worker stopped this task: {reason}")).await;
    RunEnd::Aborted { state_change_requested }
}
