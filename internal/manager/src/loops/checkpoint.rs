//! Keeps the log beside the database short: every quarter of an hour, and soon again while somebody reads from it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::farm::Farm;

const INTERVAL: Duration = Duration::from_secs(15 * 60);
const WHILE_BUSY: Duration = Duration::from_secs(15);

pub(super) async fn run(farm: Farm, cancel: CancellationToken) {
    loop {
        let wait = match farm.checkpoint().await {
            Ok(true) => INTERVAL,
            Ok(false) => WHILE_BUSY,
            Err(error) => {
                tracing::warn!(%error, "cannot empty the log beside the database; trying again");
                WHILE_BUSY
            }
        };
        if cancel.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}
