//! Looks whether the database is sound, as often as `database_check_period` says, and compares what is maintained with
//! what is there. A damaged database ends the manager, since working on with it makes it worse.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::farm::Farm;

/// Those who wait for the manager's start come first.
const AFTER_START: Duration = Duration::from_secs(5 * 60);
/// The last run was killed, so it is time to look.
const AFTER_A_CRASH: Duration = Duration::from_secs(5);
/// A check that could not be made is made again after this.
const AGAIN: Duration = Duration::from_secs(15 * 60);

pub(super) async fn run(farm: Farm, cancel: CancellationToken) {
    // A changed period is looked at when the current one is over.
    let period = || farm.live().config.settings.database_check_period;
    if period().is_zero() {
        return;
    }
    let mut wait = if farm.was_left_open() { AFTER_A_CRASH } else { AFTER_START.min(period()) };
    while cancel.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
        wait = match farm.check_database(&cancel).await {
            Ok(_) if period().is_zero() => return,
            Ok(true) => period(),
            Ok(false) => AGAIN.min(period()),
            Err(error) => {
                tracing::warn!(%error, "cannot compare what is maintained with what is there; trying again");
                AGAIN.min(period())
            }
        };
    }
}
