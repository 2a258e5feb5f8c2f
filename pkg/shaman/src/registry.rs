//! Which files are being uploaded right now. Kept in memory: a file left by a crash is no upload.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::identity::Identity;

/// All running uploads.
#[derive(Default)]
pub(crate) struct Registry(Mutex<HashMap<Identity, Entry>>);

struct Entry {
    running: usize,
    stored: watch::Sender<bool>,
}

/// One running upload, for as long as it lives.
pub(crate) struct Running {
    registry: Arc<Registry>,
    identity: Identity,
    stored: watch::Receiver<bool>,
    /// Was this file being uploaded already?
    pub others: bool,
}

impl Registry {
    /// Enters an upload.
    pub fn enter(self: &Arc<Self>, identity: Identity) -> Running {
        let mut uploads = self.uploads();
        let entry = uploads
            .entry(identity)
            .or_insert_with(|| Entry { running: 0, stored: watch::Sender::new(false) });
        let others = entry.running > 0;
        entry.running += 1;
        Running { registry: self.clone(), identity, stored: entry.stored.subscribe(), others }
    }

    /// Is this file being uploaded?
    pub fn contains(&self, identity: Identity) -> bool {
        self.uploads().contains_key(&identity)
    }

    /// How many uploads are running, or waiting for their turn.
    pub fn running(&self) -> usize {
        self.uploads().values().map(|entry| entry.running).sum()
    }

    fn uploads(&self) -> MutexGuard<'_, HashMap<Identity, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    /// Tells the other uploads of this file that it is stored. Only a success is ever told: those who hear of it
    /// answer their senders that the file is there.
    pub fn announce_stored(&self) {
        if let Some(entry) = self.registry.uploads().get(&self.identity) {
            entry.stored.send_replace(true);
        }
    }

    /// Waits until another upload of this file has succeeded; for ever if none does.
    pub async fn stored_by_another(&mut self) {
        if self.stored.wait_for(|stored| *stored).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut uploads = self.registry.uploads();
        if let Some(entry) = uploads.get_mut(&self.identity) {
            entry.running -= 1;
            if entry.running == 0 {
                uploads.remove(&self.identity);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Checksum;

    #[tokio::test(start_paused = true)]
    async fn only_success_is_told() {
        let registry = Arc::new(Registry::default());
        let identity = Identity { checksum: Checksum::from_bytes([1; 32]), size: 1 };
        let first = registry.enter(identity);
        let mut second = registry.enter(identity);
        assert!(!first.others && second.others);
        drop(first);
        assert!(registry.contains(identity), "the second is still running");
        let waited = tokio::time::timeout(std::time::Duration::from_secs(5), second.stored_by_another());
        assert!(waited.await.is_err(), "the first failed");
        let third = registry.enter(identity);
        third.announce_stored();
        second.stored_by_another().await;
        drop((second, third));
        assert!(!registry.contains(identity));
        assert_eq!(registry.running(), 0);
    }
}
