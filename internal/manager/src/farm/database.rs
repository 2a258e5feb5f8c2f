//! Looking after the database: whether its file is sound, whether what is maintained agrees with what is there, and
//! that its files stay small.

use flamenco_store::check::Health;
use tokio_util::sync::CancellationToken;

use super::Farm;
use crate::error::{Error, Result};

impl Farm {
    /// Whether the last run ended without closing the database.
    #[must_use]
    pub fn was_left_open(&self) -> bool {
        self.store.was_left_open()
    }

    /// Moves what is in the log beside the database into it. False when that has to be done again soon.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn checkpoint(&self) -> Result<bool> {
        Ok(self.store.checkpoint().await?)
    }

    /// Checks the whole database, reports what is wrong, and gives back whether it could be checked. Damage ends the
    /// manager; see [`Farm::broken`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn check_database(&self, cancel: &CancellationToken) -> Result<bool> {
        match self.store.check(cancel).await {
            Health::Sound => {}
            Health::NotChecked(why) => {
                if !cancel.is_cancelled() {
                    tracing::warn!("the database could not be checked, which says nothing about it: {why}");
                }
                return Ok(false);
            }
            Health::Damaged(problems) => {
                self.breaks(Error::damaged(&problems.join("; ")));
                return Ok(true);
            }
        }
        let Some(differences) = cancel.run_until_cancelled(self.differences()).await else {
            return Ok(false);
        };
        for difference in differences? {
            tracing::error!(
                "what is maintained differs from what is there, please report this: {difference}"
            );
        }
        self.save_room().await;
        tracing::debug!("the database is sound");
        Ok(true)
    }

    /// Gives the room of deleted jobs back, when there is much of it and nobody is kept waiting.
    async fn save_room(&self) {
        let busy = match flamenco_store::tasks::any_active(self.store.read()).await {
            Ok(busy) => busy,
            Err(error) => return tracing::warn!(%error, "cannot look whether the farm is busy"),
        };
        if busy {
            return;
        }
        match self.store.vacuum_when_mostly_empty().await {
            Ok(true) => tracing::info!("the database was mostly empty and has been made smaller"),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot make the database smaller; trying again after the next check")
            }
        }
    }

    /// Cancelled when the farm cannot go on; [`Farm::why_broken`] says why.
    #[must_use]
    pub fn broken(&self) -> CancellationToken {
        self.broken.clone()
    }

    /// What is in the way of going on.
    #[must_use]
    pub fn why_broken(&self) -> Option<Error> {
        self.why_broken.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    fn breaks(&self, error: Error) {
        tracing::error!("{error}");
        *self.why_broken.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
        self.broken.cancel();
    }
}
