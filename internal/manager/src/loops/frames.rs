//! Frames: tells those who watch what changed, looks at files that nobody has told enough about, and keeps the room that
//! thumbnails take within its limit.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::farm::Farm;

/// Between two events for those who watch.
const ANNOUNCE: Duration = Duration::from_millis(500);
/// Between two looks at files.
const LOOK: Duration = Duration::from_secs(15);
/// Between two looks at how much room there is.
const ROOM: Duration = Duration::from_secs(10 * 60);

pub(super) async fn announce(farm: Farm, cancel: CancellationToken) {
    let mut tick = interval(ANNOUNCE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while cancel.run_until_cancelled(tick.tick()).await.is_some() {
        if let Err(error) = farm.announce_frames().await {
            tracing::warn!(%error, "cannot tell which frames changed");
        }
    }
}

pub(super) async fn look(farm: Farm, cancel: CancellationToken) {
    let (mut look, mut room) = (interval(LOOK), interval(ROOM));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    room.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = look.tick() => {
                if let Err(error) = farm.fill_frame_gaps(&cancel).await {
                    tracing::warn!(%error, "cannot look at the files of frames; trying again");
                }
            }
            _ = room.tick() => {
                if let Err(error) = farm.make_room_for_thumbnails(&cancel).await {
                    tracing::warn!(%error, "cannot make room for thumbnails; trying again");
                }
            }
        }
    }
}
