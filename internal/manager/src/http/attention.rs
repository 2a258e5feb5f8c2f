//! What waits for a person, and what was found by a path, on the wire.

use flamenco_api::types;
use flamenco_domain::attention::StuckReason;
use flamenco_store::frames::Pace;
use flamenco_store::paths::Found;

use super::convert::job_status;
use crate::farm::attention::{Attention, BlockedWorker, StuckJob};

const fn reason(reason: StuckReason) -> types::StuckReason {
    match reason {
        StuckReason::NoType => types::StuckReason::NoType,
        StuckReason::NoTag => types::StuckReason::NoTag,
        StuckReason::Blocked => types::StuckReason::Blocked,
        StuckReason::Disabled => types::StuckReason::Disabled,
        StuckReason::Away => types::StuckReason::Away,
    }
}

pub(super) fn attention(attention: Attention) -> types::Attention {
    let blocked = |blocked: BlockedWorker| types::BlockedWorker {
        job: blocked.job.0,
        job_name: blocked.job_name,
        worker: blocked.worker.0,
        worker_name: blocked.worker_name,
        task_types: blocked.task_types,
        since: blocked.since,
    };
    let stuck = |stuck: StuckJob| types::StuckJob {
        job: stuck.job.0,
        job_name: stuck.job_name,
        task_types: stuck.task_types,
        tasks: stuck.tasks,
        reason: reason(stuck.reason),
    };
    types::Attention {
        blocked: attention.blocked.into_iter().map(blocked).collect(),
        stuck: attention.stuck.into_iter().map(stuck).collect(),
    }
}

pub(super) fn jobs_found(found: Vec<Found>) -> types::JobsFound {
    let job = |found: Found| types::JobFound {
        id: found.job.0,
        name: found.name,
        status: job_status(found.status),
        path: found.path,
        frame: found.frame,
    };
    types::JobsFound { jobs: found.into_iter().map(job).collect() }
}

pub(super) fn pace(paces: Vec<Pace>) -> types::WorkerPace {
    let job = |pace: Pace| types::WorkerJobPace {
        job: pace.job.0,
        job_name: pace.job_name,
        frames: pace.frames,
        mean_ms: pace.mean_ms,
        farm_mean_ms: pace.farm_mean_ms,
        rendered_at: pace.rendered,
    };
    types::WorkerPace { jobs: paces.into_iter().map(job).collect() }
}
