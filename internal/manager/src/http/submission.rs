//! Submissions, to and from the wire.

use flamenco_api::types;

use super::convert;
use crate::farm::submission::Submission;

/// A submission as it is to be sent again.
pub(super) fn submitted_job(submission: Submission) -> types::SubmittedJob {
    let checkout = submission.shaman_checkout_id;
    types::SubmittedJob {
        name: submission.name,
        type_: submission.job_type,
        type_etag: submission.type_etag,
        priority: submission.priority,
        settings: Some(types::JobSettings(submission.settings)),
        metadata: Some(types::JobMetadata(submission.metadata.into_iter().collect())),
        submitter_platform: submission.platform,
        storage: checkout.map(|id| types::JobStorageInfo { shaman_checkout_id: Some(id) }),
        worker_tag: submission.worker_tag,
        initial_status: submission.initial_status.map(convert::job_status),
    }
}

/// A submission as it was sent.
pub(super) fn submission(job: types::SubmittedJob) -> Submission {
    Submission {
        name: job.name,
        job_type: job.type_,
        type_etag: job.type_etag.filter(|etag| !etag.is_empty()),
        priority: job.priority,
        settings: job.settings.map(|settings| settings.0).unwrap_or_default(),
        metadata: job.metadata.map(|metadata| metadata.0.into_iter().collect()).unwrap_or_default(),
        platform: job.submitter_platform,
        shaman_checkout_id: job.storage.and_then(|storage| storage.shaman_checkout_id),
        worker_tag: job.worker_tag,
        initial_status: job.initial_status.map(convert::from_job_status),
    }
}
