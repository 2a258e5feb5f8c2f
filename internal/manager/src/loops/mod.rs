//! What happens by itself: each loop is a `tick` that can be called by tests, and a `run` that calls it.

mod audit;
mod checkpoint;
mod database_check;
mod farm_status;
mod frames;
mod job_deleter;
mod machines;
mod shaman_gc;
mod sleep_schedule;
mod timeouts;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::farm::Farm;

/// Starts every loop; each ends soon after `cancel`.
pub(crate) fn spawn_all(farm: &Farm, tracker: &TaskTracker, cancel: &CancellationToken) {
    tracker.spawn(timeouts::run(farm.clone(), cancel.clone()));
    tracker.spawn(job_deleter::run(farm.clone(), cancel.clone()));
    tracker.spawn(frames::announce(farm.clone(), cancel.clone()));
    tracker.spawn(frames::look(farm.clone(), cancel.clone()));
    tracker.spawn(machines::run(farm.clone(), cancel.clone()));
    tracker.spawn(sleep_schedule::run(farm.clone(), cancel.clone()));
    tracker.spawn(shaman_gc::run(farm.clone(), cancel.clone()));
    tracker.spawn(checkpoint::run(farm.clone(), cancel.clone()));
    tracker.spawn(database_check::run(farm.clone(), cancel.clone()));
    tracker.spawn(audit::run(farm.clone(), cancel.clone()));
    tracker.spawn(farm_status::run(farm.clone(), cancel.clone()));
}
