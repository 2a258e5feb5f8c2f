//! Applies sleep schedules when they are due.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::farm::Farm;

/// Workers get a moment to sign on first.
const FIRST: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_secs(60);

pub(super) async fn run(farm: Farm, cancel: CancellationToken) {
    let mut wait = FIRST;
    while cancel.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
        wait = INTERVAL;
        if let Err(error) = farm.apply_sleep_schedules().await {
            tracing::error!(%error, "cannot look at the sleep schedules; trying again");
        }
    }
}
