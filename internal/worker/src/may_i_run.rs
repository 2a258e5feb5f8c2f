//! Asks the manager, while a task runs, whether it may go on. This is also the task's heartbeat.

use std::time::Duration;

use crate::manager_api::{CallError, MayKeepRunning, WorkerStatus};
use crate::notice::Notice;
use crate::session::Session;
use uuid::Uuid;

/// The manager wants the task to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For people.
    pub reason: String,
    /// The reason is that another state is requested for this worker.
    pub state_change_requested: bool,
}

impl Refusal {
    fn from_answer(answer: MayKeepRunning) -> Option<Self> {
        if answer.may_keep_running {
            return None;
        }
        let reason = match (answer.status_change_requested, answer.reason) {
            (true, _) => "another worker status was requested".to_owned(),
            (false, reason) if reason.is_empty() => "the manager says it must not go on".to_owned(),
            (false, reason) => reason,
        };
        Some(Self { reason, state_change_requested: answer.status_change_requested })
    }
}

/// Asks at once and then every `period`; returns when the answer is no. A manager that cannot be reached does not
/// stop a task.
pub async fn refused(session: &Session, task: Uuid, period: Duration) -> Refusal {
    let mut notice = Notice::default();
    loop {
        match session.manager().may_i_run(task).await {
            Ok(answer) => {
                if let Some(refusal) = Refusal::from_answer(answer) {
                    return refusal;
                }
                if notice.clear() {
                    tracing::info!(%task, "the manager can be asked again; the task goes on");
                }
            }
            Err(CallError::Denied(reason)) => {
                if let Some(refusal) = forgotten(session, &reason).await {
                    return refusal;
                }
            }
            Err(error) => {
                let text = error.to_string();
                if notice.is_new(&text) {
                    tracing::warn!(%task, error = text, "cannot ask whether the task may go on; it does");
                }
            }
        }
        tokio::time::sleep(period).await;
    }
}

/// After a denial: signing on again may be all that is needed. If it takes a new registration, the task belongs to
/// a worker that no longer exists.
async fn forgotten(session: &Session, reason: &str) -> Option<Refusal> {
    tracing::warn!(reason, "the manager denies access; signing on again");
    let before = session.worker_id();
    let signed_on = session.sign_on().await;
    if let Err(error) = &signed_on {
        tracing::error!(%error, "cannot sign on again");
    }
    if signed_on.is_ok() && session.worker_id() == before {
        if let Err(error) = session.manager().state_changed(WorkerStatus::Awake).await {
            tracing::warn!(%error, "cannot tell the manager that this worker is awake");
        }
        return None;
    }
    Some(Refusal {
        reason: "the manager has forgotten this worker".to_owned(),
        state_change_requested: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_carry_a_reason() {
        let answer = |may_keep_running, reason: &str, status_change_requested| {
            let reason = reason.to_owned();
            Refusal::from_answer(MayKeepRunning { may_keep_running, reason, status_change_requested })
        };
        assert_eq!(answer(true, "", false), None);
        let texts = [
            (answer(false, "task was canceled", false), "task was canceled", false),
            (answer(false, "", false), "the manager says it must not go on", false),
            (answer(false, "whatever", true), "another worker status was requested", true),
        ];
        for (refusal, reason, state_change_requested) in texts {
            let expected = Refusal { reason: reason.to_owned(), state_change_requested };
            assert_eq!(refusal, Some(expected));
        }
    }
}
