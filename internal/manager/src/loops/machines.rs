//! Tells those who watch how the machines of the workers are doing, and stores it once a minute.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::farm::Farm;

/// Between two events for those who watch.
const ANNOUNCE: Duration = Duration::from_secs(2);
/// Between two writes.
const STORE: Duration = Duration::from_secs(60);

pub(super) async fn run(farm: Farm, cancel: CancellationToken) {
    let (mut announce, mut store) = (interval(ANNOUNCE), interval(STORE));
    announce.set_missed_tick_behavior(MissedTickBehavior::Delay);
    store.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            _ = announce.tick() => farm.announce_machines(),
            _ = store.tick() => store_history(&farm, false).await,
        }
    }
    store_history(&farm, true).await;
}

async fn store_history(farm: &Farm, unfinished_too: bool) {
    if let Err(error) = farm.store_machine_history(unfinished_too).await {
        tracing::error!(%error, "cannot store how the machines of the workers are doing; trying again");
    }
}
