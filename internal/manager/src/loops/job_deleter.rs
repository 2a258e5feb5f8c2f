//! Erases jobs that were marked for deletion: at once when one is marked, and every minute what was left over.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::farm::Farm;

const INTERVAL: Duration = Duration::from_secs(60);

pub(super) async fn run(farm: Farm, cancel: CancellationToken) {
    loop {
        match farm.erase_marked_jobs().await {
            // There may be more than were taken up in one go.
            Ok(erased) if erased > 0 && !cancel.is_cancelled() => continue,
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "cannot look for jobs to erase; trying again"),
        }
        let wake = tokio::time::timeout(INTERVAL, farm.jobs_were_marked());
        if cancel.run_until_cancelled(wake).await.is_none() {
            return;
        }
    }
}
