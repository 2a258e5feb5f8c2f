//! Looks for workers and tasks of which nothing was heard for too long.

use std::time::Duration;

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
    let options = &farm.live().options;
    let shortest = [options.worker_timeout, options.task_timeout].into_iter().flatten().min();
    let Some((grace, interval)) = pace(shortest) else { return };
    let mut wait = grace;
    while cancel.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
        wait = interval;
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
