//! The tasks around a task, to and from the wire.

use flamenco_api::operations::FetchTaskDependenciesQuery;
use flamenco_api::types;
use flamenco_domain::attention::StuckReason;
use flamenco_domain::waiting::WaitReason;

use super::convert;
use crate::farm::links::{Around, Links, Wanted};

/// Tasks of each list when the caller sets no limit.
const LIMIT: i64 = 50;

/// Which part is wanted.
pub(super) fn wanted(query: FetchTaskDependenciesQuery) -> Wanted {
    Wanted {
        statuses: query.status.unwrap_or_default().into_iter().map(convert::from_task_status).collect(),
        limit: query.limit.unwrap_or(LIMIT),
        waits_for_after: query.waits_for_after.unwrap_or(0),
        needed_by_after: query.needed_by_after.unwrap_or(0),
    }
}

/// What was found.
pub(super) fn around(found: Around) -> types::TaskDependencies {
    types::TaskDependencies {
        reasons: found.reasons.into_iter().map(reason).collect(),
        waits_for: links(found.waits_for),
        needed_by: links(found.needed_by),
    }
}

fn links(found: Links) -> types::LinkedTasks {
    types::LinkedTasks {
        total: found.counts.total(),
        counts: convert::counts(found.counts),
        tasks: found.tasks.into_iter().map(convert::task_summary).collect(),
        next_after: found.next,
    }
}

const fn reason(reason: WaitReason) -> types::WaitReason {
    match reason {
        WaitReason::JobDeleted => types::WaitReason::JobDeleted,
        WaitReason::JobPaused => types::WaitReason::JobPaused,
        WaitReason::JobOver => types::WaitReason::JobOver,
        WaitReason::DependencyFailed => types::WaitReason::DependencyFailed,
        WaitReason::Dependencies => types::WaitReason::Dependencies,
        WaitReason::Stuck(StuckReason::NoType) => types::WaitReason::NoType,
        WaitReason::Stuck(StuckReason::NoTag) => types::WaitReason::NoTag,
        WaitReason::Stuck(StuckReason::Blocked) => types::WaitReason::Blocked,
        WaitReason::Stuck(StuckReason::Disabled) => types::WaitReason::Disabled,
        WaitReason::Stuck(StuckReason::Away) => types::WaitReason::Away,
        WaitReason::FailedEverywhere => types::WaitReason::FailedEverywhere,
        WaitReason::Turn => types::WaitReason::Turn,
    }
}
