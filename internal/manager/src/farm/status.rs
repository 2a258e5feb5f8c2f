//! The state of the farm in one word, recomputed when something changed and announced when it differs.

use std::sync::PoisonError;

use flamenco_domain::event::Event;
use flamenco_domain::farm_status::{FarmState, farm_state};
use flamenco_store::{jobs, workers};

use super::Farm;
use crate::error::Result;

impl Farm {
    /// The state as it was last computed.
    #[must_use]
    pub fn status(&self) -> FarmState {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Computes the state and announces it when it changed.
    ///
    /// # Errors
    /// When the database cannot be read; the old state stays.
    pub async fn refresh_status(&self) -> Result<FarmState> {
        let db = self.store.read();
        let now = farm_state(&workers::count_by_status(db).await?, &jobs::count_by_status(db).await?);
        let before = std::mem::replace(&mut *self.status.lock().unwrap_or_else(PoisonError::into_inner), now);
        if before != now {
            self.announce(Event::FarmStatus(now));
        }
        Ok(now)
    }

    /// Waits until jobs or workers changed since the last call.
    pub async fn status_may_have_changed(&self) {
        self.status_changed.notified().await;
    }
}
