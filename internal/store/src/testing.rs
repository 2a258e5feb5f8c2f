//! Fresh databases for tests, on every backend that is there: SQLite always, PostgreSQL when `TEST_DATABASE_URL` says
//! where a server is.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, Database};

use crate::{Location, OnCommit, Store};

/// A database that nobody used before. SQLite's file goes with it.
pub struct TestDatabase {
    /// Where it is.
    pub location: Location,
    /// `sqlite` or `postgres`, for messages.
    pub backend: &'static str,
    folder: Option<tempfile::TempDir>,
}

impl TestDatabase {
    /// One fresh database on each backend.
    ///
    /// # Panics
    /// When one cannot be made.
    pub async fn each() -> Vec<Self> {
        let mut databases = vec![Self::sqlite()];
        if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
            databases.push(Self::postgres(url).await);
        }
        databases
    }

    /// A fresh file of SQLite.
    ///
    /// # Panics
    /// When the folder for it cannot be made.
    #[must_use]
    #[expect(clippy::expect_used, reason = "only for tests")]
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let location = Location::Sqlite(folder.path().join("test.sqlite"));
        Self { location, backend: "sqlite", folder: Some(folder) }
    }

    /// A fresh schema on a PostgreSQL server.
    ///
    /// # Panics
    /// When the server cannot be reached.
    #[expect(clippy::expect_used, reason = "only for tests")]
    pub async fn postgres(url: String) -> Self {
        let schema = format!("t{}", uuid::Uuid::new_v4().simple());
        let connection = Database::connect(&url).await.expect("the server of TEST_DATABASE_URL");
        connection.execute_unprepared(&format!("CREATE SCHEMA {schema}")).await.expect("a fresh schema");
        connection.close().await.expect("closing");
        Self { location: Location::Postgres { url, schema: Some(schema) }, backend: "postgres", folder: None }
    }

    /// Opens it.
    ///
    /// # Panics
    /// When it cannot be opened.
    #[expect(clippy::expect_used, reason = "only for tests")]
    pub async fn open(&self, on_commit: OnCommit) -> Store {
        Store::open(&self.location, on_commit).await.expect("the database opens")
    }

    /// Opens it with nobody listening to events.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn open_quietly(&self) -> Store {
        self.open(Arc::new(|_| {})).await
    }

    /// Removes it; a schema does not go by itself.
    ///
    /// # Panics
    /// When the server refuses.
    #[expect(clippy::expect_used, reason = "only for tests")]
    pub async fn remove(self) {
        if let Location::Postgres { url, schema: Some(schema) } = &self.location {
            let connection = Database::connect(url).await.expect("the server of TEST_DATABASE_URL");
            let drop_schema = format!("DROP SCHEMA {schema} CASCADE");
            connection.execute_unprepared(&drop_schema).await.expect("removing the schema");
            connection.close().await.expect("closing");
        }
    }

    /// Where the file is, for SQLite.
    #[must_use]
    pub fn folder(&self) -> Option<&std::path::Path> {
        self.folder.as_ref().map(tempfile::TempDir::path)
    }
}
