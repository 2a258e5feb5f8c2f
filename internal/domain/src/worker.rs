//! Workers: their statuses, and what they report and are asked for.
//!
//! ```text
//!            sign-on               state-changed            state-changed
//!  offline ──────────► starting ──────────────────► awake ◄──────────────► asleep
//!     ▲                                               │                      │
//!     └───────────────────── sign-off ◄───────────────┴──────────────────────┘
//!                                                     │ not seen for too long
//!                                                     └──────────► error ── sign-on ──► starting
//!                                                                    └── seen again ──► awake, asleep
//! ```
//!
//! The worker itself says in which status it is; the manager can only *request* one. A lazy request waits for the
//! end of the running task, an immediate one stops it.

use chrono::{DateTime, Utc};

use crate::ids::{TagId, WorkerId};
use crate::status::status_enum;

status_enum! {
    /// The status of a worker.
    WorkerStatus, "worker" {
        /// Has signed on and not said more yet.
        Starting = "starting",
        /// Takes tasks.
        Awake = "awake",
        /// Polls, but takes no tasks.
        Asleep = "asleep",
        /// Was not seen for too long.
        Error = "error",
        /// Known to the protocol; without behaviour.
        Testing = "testing",
        /// Has signed off, or never signed on.
        Offline = "offline",
        /// Asked to restart.
        Restart = "restart",
    }
}

/// A status change that was asked for and not done yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRequest {
    /// The status wanted.
    pub status: WorkerStatus,
    /// Whether it may wait for the end of the running task.
    pub lazy: bool,
}

/// A person does not want a worker to get tasks. Unlike sleep this is never undone by a schedule, or by the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// Since when.
    pub at: DateTime<Utc>,
    /// Why, for people; may be empty.
    pub reason: String,
    /// The network address of who did; empty when that is not known.
    pub by: String,
}

/// What a person wants of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switch {
    /// It may get tasks.
    Enable,
    /// It gets no more tasks.
    Disable {
        /// Why, for people; may be empty.
        reason: String,
        /// The network address of who does.
        by: String,
        /// Its task goes back to the queue at once.
        now: bool,
    },
}

/// A worker.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// Database key.
    pub seq: i64,
    /// Id on the wire.
    pub id: WorkerId,
    /// Hash of its secret.
    pub secret_hash: String,
    /// Name; need not be unique.
    pub name: String,
    /// Network address it was last seen at.
    pub address: String,
    /// `linux`, `windows`, `darwin`, …
    pub platform: String,
    /// Version of its software.
    pub software: String,
    /// Current status.
    pub status: WorkerStatus,
    /// What it was asked to become.
    pub requested: Option<StatusRequest>,
    /// Set while it may not get tasks.
    pub disabled: Option<Disabled>,
    /// Task types it runs, lower case.
    pub task_types: Vec<String>,
    /// Whether it can be asked to restart.
    pub can_restart: bool,
    /// When it was last heard of.
    pub last_seen: Option<DateTime<Utc>>,
    /// When it registered.
    pub created: DateTime<Utc>,
    /// When its row was last changed.
    pub updated: DateTime<Utc>,
    /// When it was deleted.
    pub deleted: Option<DateTime<Utc>>,
}

/// A tag: workers have any number, a job at most one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Id on the wire.
    pub id: TagId,
    /// Unique name.
    pub name: String,
    /// What it is for.
    pub description: String,
}

/// Task types as they are compared: trimmed, lower case, without empties and repeats, in the order given.
#[must_use]
pub fn normalise_task_types<'a>(types: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut seen = Vec::new();
    // They are stored with commas between them, so none can contain one.
    for name in types.into_iter().flat_map(|name| name.split(',')) {
        let name = name.trim().to_lowercase();
        if !name.is_empty() && !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

/// Status and request after the worker said what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// New status.
    pub status: WorkerStatus,
    /// What is still asked for.
    pub requested: Option<StatusRequest>,
    /// Whether its active tasks go back to the queue.
    pub give_back: bool,
}

/// The worker says which status it is in.
#[must_use]
pub fn on_state_changed(requested: Option<StatusRequest>, now: WorkerStatus) -> Reported {
    Reported {
        status: now,
        requested: requested.filter(|request| request.status != now),
        // Whatever it was before: a worker that signs on again may still have the task of its former life.
        give_back: !matches!(now, WorkerStatus::Awake | WorkerStatus::Starting),
    }
}

/// The worker signs off. It returns to being awake or asleep at its next sign-on, unless asked otherwise.
#[must_use]
pub fn on_sign_off(was: WorkerStatus, requested: Option<StatusRequest>) -> Reported {
    use WorkerStatus as W;
    let left = requested.filter(|request| !matches!(request.status, W::Offline | W::Restart));
    let remembered =
        matches!(was, W::Awake | W::Asleep).then_some(StatusRequest { status: was, lazy: false });
    Reported { status: W::Offline, requested: left.or(remembered), give_back: true }
}

/// The worker was not seen for too long. When it is seen again it is asked to become what it was, unless a person had
/// asked for something that is still to come.
#[must_use]
pub fn on_timeout(was: WorkerStatus, requested: Option<StatusRequest>) -> Reported {
    // To have gone away is what being asked to go offline or to restart comes to.
    Reported { status: WorkerStatus::Error, ..on_sign_off(was, requested) }
}

/// Why a status request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatusRequestDenied {
    /// The worker was started without a restart exit code.
    #[error("this worker cannot restart; start it with -restart-exit-code to make that possible")]
    CannotRestart,
    /// Only some statuses make sense as a request.
    #[error("a worker can be asked to become awake, asleep, offline or restart, not {0}")]
    NotRequestable(WorkerStatus),
}

/// A person asks for a status; the answer is what is asked for from now on.
///
/// Asking for the status that the worker already has takes a pending request back.
///
/// # Errors
/// [`StatusRequestDenied`] when it cannot be asked for.
pub fn on_status_request(
    status: WorkerStatus,
    can_restart: bool,
    wanted: StatusRequest,
) -> Result<Option<StatusRequest>, StatusRequestDenied> {
    use WorkerStatus as W;
    if wanted.status == status {
        return Ok(None);
    }
    match wanted.status {
        W::Restart if !can_restart => Err(StatusRequestDenied::CannotRestart),
        W::Awake | W::Asleep | W::Offline | W::Restart => Ok(Some(wanted)),
        other => Err(StatusRequestDenied::NotRequestable(other)),
    }
}

/// A person enables or disables a worker. One that is disabled already stays so since it was; the reason is the new one.
#[must_use]
pub fn on_switch(was: Option<&Disabled>, switch: &Switch, now: DateTime<Utc>) -> Option<Disabled> {
    match switch {
        Switch::Enable => None,
        Switch::Disable { reason, by, .. } => {
            Some(Disabled { at: was.map_or(now, |was| was.at), reason: reason.clone(), by: by.clone() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use WorkerStatus as W;

    #[test]
    fn enabling_and_disabling() {
        let at = |seconds: i64| DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap();
        let disabled = |seconds: i64, reason: &str| {
            Some(Disabled { at: at(seconds), reason: reason.to_owned(), by: "192.0.2.1".to_owned() })
        };
        let disable = |reason: &str, now| Switch::Disable {
            reason: reason.to_owned(),
            by: "192.0.2.1".to_owned(),
            now,
        };
        for (was, switch, want) in [
            (None, Switch::Enable, None),
            (None, disable("fan", false), disabled(9, "fan")),
            (None, disable("", true), disabled(9, "")),
            (disabled(1, "fan"), disable("disk", false), disabled(1, "disk")),
            (disabled(1, "fan"), Switch::Enable, None),
        ] {
            assert_eq!(on_switch(was.as_ref(), &switch, at(9)), want, "{was:?} {switch:?}");
        }
    }

    const fn ask(status: W, lazy: bool) -> Option<StatusRequest> {
        Some(StatusRequest { status, lazy })
    }

    #[test]
    fn sign_off_remembers_where_to_return_to() {
        for (was, requested, want) in [
            (W::Awake, None, ask(W::Awake, false)),
            (W::Awake, ask(W::Offline, true), ask(W::Awake, false)),
            (W::Asleep, ask(W::Restart, false), ask(W::Asleep, false)),
            (W::Awake, ask(W::Asleep, true), ask(W::Asleep, true)),
            (W::Error, ask(W::Offline, false), None),
            (W::Starting, None, None),
        ] {
            let got = on_sign_off(was, requested);
            assert_eq!(
                (got.status, got.requested, got.give_back),
                (W::Offline, want, true),
                "{was} {requested:?}"
            );
        }
    }

    #[test]
    fn a_timeout_remembers_it_too() {
        for (was, requested, want) in [
            (W::Awake, None, ask(W::Awake, false)),
            (W::Asleep, None, ask(W::Asleep, false)),
            (W::Awake, ask(W::Asleep, true), ask(W::Asleep, true)),
            (W::Awake, ask(W::Restart, true), ask(W::Awake, false)),
            (W::Starting, None, None),
        ] {
            let got = on_timeout(was, requested);
            assert_eq!(
                (got.status, got.requested, got.give_back),
                (W::Error, want, true),
                "{was} {requested:?}"
            );
        }
    }

    #[test]
    fn a_report_fulfils_only_the_request_it_equals() {
        for (requested, now, left, give_back) in [
            (None, W::Awake, None, false),
            (ask(W::Asleep, false), W::Asleep, None, true),
            (ask(W::Asleep, false), W::Starting, ask(W::Asleep, false), false),
            (ask(W::Asleep, true), W::Asleep, None, true),
            (None, W::Error, None, true),
            (None, W::Asleep, None, true),
            (ask(W::Asleep, true), W::Awake, ask(W::Asleep, true), false),
        ] {
            let got = on_state_changed(requested, now);
            assert_eq!(got, Reported { status: now, requested: left, give_back }, "{requested:?} {now}");
        }
    }

    #[test]
    fn requests_are_checked() {
        for (status, can_restart, wanted, want) in [
            (W::Awake, false, W::Asleep, Ok(ask(W::Asleep, true))),
            (W::Awake, false, W::Awake, Ok(None)),
            (W::Awake, false, W::Restart, Err(StatusRequestDenied::CannotRestart)),
            (W::Awake, true, W::Restart, Ok(ask(W::Restart, true))),
            (W::Awake, true, W::Error, Err(StatusRequestDenied::NotRequestable(W::Error))),
            (W::Offline, true, W::Starting, Err(StatusRequestDenied::NotRequestable(W::Starting))),
        ] {
            assert_eq!(
                on_status_request(status, can_restart, StatusRequest { status: wanted, lazy: true }),
                want
            );
        }
    }

    #[test]
    fn task_types_are_normalised() {
        assert_eq!(normalise_task_types([" Blender", "ffmpeg", "", "BLENDER "]), ["blender", "ffmpeg"]);
        assert_eq!(normalise_task_types(["a,b", " b , c"]), ["a", "b", "c"]);
        assert!(normalise_task_types([""]).is_empty());
    }
}
