//! Looks for workers and tasks of which nothing was heard for too long.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::farm::Farm;

/// After a start, workers get this long to come back before anything is held against them.
const LONGEST_GRACE: Duration = Duration::from_secs(300);
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// When to look first, and how often, for the shortest timeout there is. `None`: never.
fn pace(shortest: Option<Duration>) -> Option<(Duration, Duration)> {
    let timeout = shortest?;
    let grace = (timeout * 5).min(LONGEST_GRACE);
    Some((grace, (timeout / 4).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)))
}

pub(super) async fn run(farm: Farm, cancel: CancellationToken) {
    let started = Instant::now();
    let mut changes = farm.changes();
    let mut looked = None;
    loop {
        let shortest = {
            let options = &changes.borrow_and_update().options;
            [options.worker_timeout, options.task_timeout].into_iter().flatten().min()
        };
        let next = pace(shortest).map(|(grace, interval)| match looked {
            Some(last) => last + interval,
            None => started + grace,
        });
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = cancel.cancelled() => return,
            // Shorter ones take effect at once, and so do the first ones.
            Ok(()) = changes.changed() => continue,
            () = due => {}
        }
        looked = Some(Instant::now());
        match farm.time_out().await {
            Ok(found) if found.workers + found.tasks > 0 => {
                tracing::info!(workers = found.workers, tasks = found.tasks, "timed out");
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "cannot look for timeouts; trying again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_follows_the_shortest_timeout() {
        let seconds = Duration::from_secs;
        for (shortest, want) in [
            (None, None),
            (Some(seconds(120)), Some((seconds(300), seconds(30)))),
            (Some(seconds(60)), Some((seconds(300), seconds(15)))),
            (Some(seconds(4)), Some((seconds(20), seconds(1)))),
            (Some(seconds(2)), Some((seconds(10), seconds(1)))),
            (Some(seconds(3600)), Some((seconds(300), seconds(60)))),
        ] {
            assert_eq!(pace(shortest), want, "{shortest:?}");
        }
    }
}
