//! Sleep schedules: when a worker must be asleep, by the manager's local time.

use chrono::{DateTime, Local, Utc};
use flamenco_domain::ids::WorkerId;
use flamenco_domain::schedule::{SleepSchedule, request};
use flamenco_domain::worker::{StatusRequest, Worker, WorkerStatus};
use flamenco_store::{Tx, sleep, workers};

use super::{Farm, workers::announce};
use crate::error::{Error, Result};

impl Farm {
    /// The schedule of a worker, if it has one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sleep_schedule(&self, id: WorkerId) -> Result<Option<SleepSchedule>> {
        Ok(sleep::find(self.store.read(), id).await?)
    }

    /// Gives a worker a schedule, and applies it when it is active. A schedule that is no longer active takes back
    /// only the request that it made itself.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_sleep_schedule(&self, id: WorkerId, schedule: SleepSchedule) -> Result<()> {
        let now = self.now();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let mut worker = super::workers::lock(tx, id).await?;
                    let before = sleep::find(tx, id).await?;
                    sleep::save(tx, worker.seq, &schedule, schedule.next_check(now, &Local), now).await?;
                    if schedule.is_active {
                        return apply(tx, &mut worker, &schedule, now).await;
                    }
                    let own = StatusRequest { status: WorkerStatus::Asleep, lazy: false };
                    let was_active = before.is_some_and(|before| before.is_active);
                    if was_active && worker.requested == Some(own) {
                        worker.requested = None;
                        store(tx, &mut worker, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Applies every schedule that is due, and gives back how many.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn apply_sleep_schedules(&self) -> Result<usize> {
        let now = self.now();
        let due = sleep::due(self.store.read(), now).await?;
        let mut applied = 0;
        for id in due {
            let done = self
                .store
                .write::<_, (), Error>(move |tx| {
                    Box::pin(async move {
                        let Some(mut worker) = workers::lock(tx, id).await? else { return Ok(()) };
                        let Some(schedule) = sleep::find(tx, id).await? else { return Ok(()) };
                        sleep::set_next_check(tx, worker.seq, schedule.next_check(now, &Local)).await?;
                        apply(tx, &mut worker, &schedule, now).await
                    })
                })
                .await;
            match done {
                Ok(()) => applied += 1,
                Err(error) => tracing::error!(worker.id = %id, %error, "cannot apply the sleep schedule"),
            }
        }
        Ok(applied)
    }
}

/// The status a worker that signs on should take when nobody asked for another.
pub(super) async fn status_at_sign_on(tx: &Tx, id: WorkerId, now: DateTime<Utc>) -> Result<WorkerStatus> {
    let schedule = sleep::find(tx, id).await?;
    Ok(schedule.map_or(WorkerStatus::Awake, |schedule| schedule.wanted_status(now, &Local)))
}

async fn apply(tx: &Tx, worker: &mut Worker, schedule: &SleepSchedule, now: DateTime<Utc>) -> Result<()> {
    let wanted = schedule.wanted_status(now, &Local);
    if let Some(request) = request(wanted, worker.status, worker.requested) {
        worker.requested = Some(request);
        store(tx, worker, now).await?;
    }
    Ok(())
}

async fn store(tx: &Tx, worker: &mut Worker, now: DateTime<Utc>) -> Result<()> {
    worker.updated = now;
    workers::save_status(tx, worker).await?;
    announce(tx, worker, None);
    Ok(())
}
