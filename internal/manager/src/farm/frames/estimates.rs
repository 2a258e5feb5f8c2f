//! When jobs will be done. Everybody who asks within a few seconds gets the same answer: a figure that differs between
//! two pages, or jumps with every frame, is not believed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use flamenco_domain::frame_statistics::{Estimate, estimate, recent_costs};
use flamenco_domain::ids::JobId;
use flamenco_store::frames;

use super::super::Farm;
use crate::error::Result;

/// How long an estimate stays as it is.
const KEPT: TimeDelta = TimeDelta::seconds(5);
/// Files that are looked at of a job: enough for the last 20 frames of it and what their workers did before, with
/// several files for each frame.
const FILES: u32 = 200;

/// The last estimates, each with the moment that it counts from.
#[derive(Debug, Default)]
pub(crate) struct Estimates(Mutex<HashMap<JobId, (DateTime<Utc>, Estimate)>>);

impl Estimates {
    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, (DateTime<Utc>, Estimate)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that are still good at `now`; forgets all others.
    fn good(&self, now: DateTime<Utc>) -> HashMap<JobId, (DateTime<Utc>, Estimate)> {
        let mut kept = self.lock();
        kept.retain(|_, (at, _)| now.signed_duration_since(*at).abs() < KEPT);
        kept.clone()
    }
}

impl Farm {
    /// When these jobs will be done, given how many of the tasks of each are running: by job, with the moment that the
    /// estimate counts from. Jobs of which nobody can tell are left out.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn estimates(
        &self,
        jobs: &[(JobId, i64)],
    ) -> Result<HashMap<JobId, (DateTime<Utc>, Estimate)>> {
        let now = self.now();
        let good = self.estimates.good(now);
        let running = jobs.iter().filter(|(_, active)| *active > 0);
        let (known, unknown): (Vec<_>, Vec<_>) = running.copied().partition(|(id, _)| good.contains_key(id));
        let mut found: HashMap<_, _> =
            known.iter().filter_map(|(id, _)| Some((*id, *good.get(id)?))).collect();
        let ids: Vec<JobId> = unknown.iter().map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return Ok(found);
        }
        let counts = frames::of_jobs(self.store.read(), &ids).await?;
        let recent = frames::recent_of_jobs(self.store.read(), &ids, FILES).await?;
        for (id, active) in unknown {
            let (Some(total), Some(recent)) =
                (counts.get(&id).and_then(|counts| counts.total), recent.get(&id))
            else {
                continue;
            };
            let left = u64::try_from(total - recent.settled).unwrap_or(0);
            let costs = recent_costs(&recent.last);
            if let Some(estimate) = estimate(&costs, left, u64::try_from(active).unwrap_or(0)) {
                found.insert(id, (now, estimate));
                self.estimates.lock().insert(id, (now, estimate));
            }
        }
        Ok(found)
    }
}
