//! Keeps the file store clean: deletes files that nobody used for long, and what uploads left behind.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::farm::Farm;

/// A manager that was just started has more urgent things to do.
const FIRST: Duration = Duration::from_secs(30);
/// How often to look for what was left unfinished. The start does so as well.
const LEFTOVERS: Duration = Duration::from_secs(3600);
/// What stands for never.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// One collection; what came of it is logged.
async fn collect(farm: &Farm, cancel: &CancellationToken) {
    match farm.collect_garbage(false, cancel.clone()).await {
        Ok(report) => tracing::info!(
            stored_files = report.stored_files,
            stored_bytes = report.stored_bytes,
            old_files = report.old_files,
            still_used = report.still_used,
            links_checked = report.links_checked,
            deleted_files = report.deleted_files,
            deleted_bytes = report.deleted_bytes,
            kept_files = report.kept_files,
            orphans = report.orphans.len(),
            lost = report.lost.len(),
            "garbage collection"
        ),
        Err(_) if cancel.is_cancelled() => tracing::info!("garbage collection was stopped"),
        Err(error) => tracing::error!(%error, "garbage collection failed; trying again next time"),
    }
}

pub(super) async fn run(farm: Farm, cancel: CancellationToken) {
    if !farm.has_file_store() {
        return;
    }
    let period = farm.garbage_period();
    if period.is_none() {
        tracing::warn!("shaman.garbageCollect.period is 0, so stored files are never deleted");
    }
    let mut next_collection = Instant::now() + period.map_or(NEVER, |period| period.min(FIRST));
    let mut next_cleaning = Instant::now() + LEFTOVERS;
    let next = |collection: Instant, cleaning: Instant| tokio::time::sleep_until(collection.min(cleaning));
    while cancel.run_until_cancelled(next(next_collection, next_cleaning)).await.is_some() {
        if next_cleaning <= Instant::now() {
            if let Err(error) = farm.remove_file_leftovers().await {
                tracing::error!(%error, "cannot look for unfinished uploads; trying again next time");
            }
            next_cleaning = Instant::now() + LEFTOVERS;
        }
        if next_collection <= Instant::now() {
            collect(&farm, &cancel).await;
            next_collection = Instant::now() + period.unwrap_or(NEVER);
        }
    }
}
