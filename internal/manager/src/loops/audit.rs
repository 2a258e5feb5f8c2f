//! Forgets what is in the audit trail for longer than `audit_max_age`, once a day.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::farm::Farm;

/// A manager that was just started has more urgent things to do.
const FIRST: Duration = Duration::from_secs(10 * 60);
const INTERVAL: Duration = Duration::from_secs(24 * 3600);

pub(super) async fn run(farm: Farm, cancel: CancellationToken) {
    let mut wait = FIRST;
    while cancel.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
        wait = INTERVAL;
        match farm.forget_old_changes().await {
            Ok(0) => {}
            Ok(entries) => tracing::info!(entries, "old entries of the audit trail were forgotten"),
            Err(error) => tracing::warn!(%error, "cannot clean the audit trail; trying again tomorrow"),
        }
    }
}
