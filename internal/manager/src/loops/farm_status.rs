//! Keeps the farm's status: looked at when a job or worker changed, and slowly in any case.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::farm::Farm;

const INTERVAL: Duration = Duration::from_secs(30);
/// Changes come in bursts; one look at the end of this pause is enough for all of them.
const PAUSE: Duration = Duration::from_millis(250);

pub(super) async fn run(farm: Farm, cancel: CancellationToken) {
    loop {
        if let Err(error) = farm.refresh_status().await {
            tracing::warn!(%error, "cannot look at the farm's status; trying again");
        }
        let wake = async {
            tokio::time::sleep(PAUSE).await;
            let wait = tokio::time::timeout(INTERVAL, farm.status_may_have_changed());
            // Either way it is time to look.
            drop(wait.await);
        };
        if cancel.run_until_cancelled(wake).await.is_none() {
            return;
        }
    }
}
