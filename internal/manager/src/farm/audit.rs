//! The audit trail: what people changed. It is written by the rim, where it is known who they are.

use flamenco_domain::audit::{Entry, ObjectKind};
use flamenco_store::audit;
use flamenco_store::list::{self, AuditFilter, Numbered, Page};
use uuid::Uuid;

use super::Farm;
use crate::error::Result;

impl Farm {
    /// Enters a change.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn record(&self, entry: Entry) -> Result<()> {
        self.store
            .write(move |tx| {
                let entry = entry.clone();
                Box::pin(async move { Ok(audit::add(tx, &entry).await?) })
            })
            .await
    }

    /// What something is called at the moment; empty when it does not exist or has no name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn name_of(&self, kind: ObjectKind, id: Uuid) -> Result<String> {
        Ok(audit::name_of(self.store.read(), kind, id).await?.unwrap_or_default())
    }

    /// The newest entries that are wanted: at most `limit` of those with a smaller number than `before`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_trail(
        &self,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Page<Numbered>> {
        Ok(list::audit(self.store.read(), filter, before, limit).await?)
    }

    /// Forgets what is older than `audit_max_age` says, and tells how many entries that were.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn forget_old_changes(&self) -> Result<u64> {
        let age = self.live().config.settings.audit_max_age;
        let before = chrono::TimeDelta::from_std(age).ok().and_then(|age| self.now().checked_sub_signed(age));
        match before {
            Some(before) if !age.is_zero() => Ok(audit::prune(&self.store, before).await?),
            // For ever, or since before there were times.
            _ => Ok(0),
        }
    }
}
