//! What a manager keeps between two starts: its folder and its database.

use std::path::Path;

use flamenco_store::testing::TestDatabase;
use flamenco_store::{Location, Store};
use tempfile::TempDir;

pub(crate) struct Storage {
    folder: TempDir,
    database: TestDatabase,
}

impl Storage {
    pub(crate) fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), database: TestDatabase::sqlite() }
    }

    pub(crate) async fn postgres(url: &str) -> Self {
        let database = TestDatabase::postgres(url.to_owned()).await;
        Self { folder: tempfile::tempdir().expect("a temporary folder"), database }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) const fn backend(&self) -> &'static str {
        self.database.backend
    }

    /// The value of the configuration's `database`.
    pub(crate) fn database(&self) -> String {
        self.database.address()
    }

    pub(crate) const fn location(&self) -> &Location {
        &self.database.location
    }

    /// The number of rows in each table that holds any.
    pub(crate) async fn rows(&self) -> std::collections::BTreeMap<&'static str, i64> {
        self.database.rows().await
    }

    /// Opens the database beside or instead of the manager.
    pub(crate) async fn open(&self) -> Store {
        self.database.open_quietly().await
    }

    /// Removes what does not go by itself.
    pub(crate) async fn remove(self) {
        self.database.remove().await;
    }
}
