//! Mass deletions, to and from the wire.

use chrono::{DateTime, Utc};
use flamenco_api::{Problem, types};
use flamenco_domain::job::JobStatus;
use flamenco_store::mass_deletion::{Candidate, Preview, Selection};

use super::convert;
use crate::error::Error;
use crate::farm::deletion::whole_second;

/// Which jobs a request is about.
pub(super) fn selection(body: types::JobMassDeletionSelection) -> Result<Selection, Problem> {
    let Some(moment) = body.last_updated_max else {
        let text = "last_updated_max is missing; give the moment up to which jobs go";
        return Err(Error::Invalid(text.to_owned()).into());
    };
    Ok(wanted(moment, body.statuses))
}

/// The jobs up to a moment, in some statuses.
pub(super) fn wanted(moment: DateTime<Utc>, statuses: Option<Vec<types::JobStatus>>) -> Selection {
    let statuses = statuses.unwrap_or_default().into_iter().map(convert::from_job_status).collect();
    Selection { moment: whole_second(moment), statuses }
}

/// What would happen.
pub(super) fn preview(moment: DateTime<Utc>, found: Preview) -> types::JobMassDeletionPreview {
    types::JobMassDeletionPreview {
        moment,
        total: found.going.iter().map(|(_, jobs)| jobs).sum(),
        statuses: by_status(found.going),
        jobs: found.first.into_iter().map(candidate).collect(),
        shaman_checkouts: found.checkouts,
        shared_checkouts: found.shared_checkouts,
        kept_statuses: by_status(found.kept_statuses),
        kept_newer: found.kept_newer,
        already_marked: found.already_marked,
    }
}

fn by_status(counts: Vec<(JobStatus, i64)>) -> Vec<types::JobsInStatus> {
    let entry = |(status, jobs)| types::JobsInStatus { status: convert::job_status(status), jobs };
    counts.into_iter().map(entry).collect()
}

fn candidate(job: Candidate) -> types::JobToDelete {
    let Candidate { id, name, status, updated } = job;
    types::JobToDelete { id: id.0, name, status: convert::job_status(status), updated }
}
