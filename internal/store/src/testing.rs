//! Fresh databases for tests, on every backend that is there: SQLite always, PostgreSQL when `TEST_DATABASE_URL` says
//! where a server is.

use std::collections::BTreeMap;
use std::sync::Arc;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};

use crate::{Location, OnCommit, Store};

/// Every table that is about the farm.
const TABLES: &[&str] = &[
    "worker_tags",
    "workers",
    "worker_tag_membership",
    "sleep_schedules",
    "jobs",
    "tasks",
    "task_dependencies",
    "task_failures",
    "job_blocks",
    "queues",
    "last_rendereds",
];

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
        let folder = tempfile::tempdir().expect("a temporary folder"); // only for tests
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
        let connection = Database::connect(&url).await.expect("the server of TEST_DATABASE_URL"); // only for tests
        connection.execute_unprepared(&format!("CREATE SCHEMA {schema}")).await.expect("a fresh schema"); // only for tests
        connection.close().await.expect("closing"); // only for tests
        Self { location: Location::Postgres { url, schema: Some(schema) }, backend: "postgres", folder: None }
    }

    /// Opens it.
    ///
    /// # Panics
    /// When it cannot be opened.
    #[expect(clippy::expect_used, reason = "only for tests")]
    pub async fn open(&self, on_commit: OnCommit) -> Store {
        Store::open(&self.location, on_commit).await.expect("the database opens") // only for tests
    }

    /// Opens it with nobody listening to events.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn open_quietly(&self) -> Store {
        self.open(Arc::new(|_| {})).await
    }

    /// Where it is, as a configuration of the manager says it.
    #[must_use]
    pub fn address(&self) -> String {
        match &self.location {
            Location::Sqlite(path) => path.display().to_string(),
            Location::Postgres { url, schema } => {
                let schema = schema.as_deref().unwrap_or("public");
                let separator = if url.contains('?') { '&' } else { '?' };
                format!("{url}{separator}options=-c%20search_path%3D{schema}")
            }
        }
    }

    /// The number of rows in each table that holds any, but for the list of migrations.
    ///
    /// # Panics
    /// When the database cannot be read.
    #[expect(clippy::expect_used, reason = "only for tests")]
    pub async fn rows(&self) -> BTreeMap<&'static str, i64> {
        let connection = self.connect().await;
        let mut rows = BTreeMap::new();
        for table in TABLES {
            let sql = format!("SELECT COUNT(*) AS n FROM {table}");
            let row =
                connection.query_one_raw(Statement::from_string(connection.get_database_backend(), sql));
            let count: i64 =
                row.await.expect("counting").expect("one row").try_get("", "n").expect("a number"); // only for tests
            if count > 0 {
                rows.insert(*table, count);
            }
        }
        connection.close().await.expect("closing"); // only for tests
        rows
    }

    /// Runs statements behind everybody's back.
    ///
    /// # Panics
    /// When the database refuses.
    #[expect(clippy::expect_used, reason = "only for tests")]
    pub async fn execute(&self, statements: &str) {
        let connection = self.connect().await;
        connection.execute_unprepared(statements).await.expect("the statements run"); // only for tests
        connection.close().await.expect("closing"); // only for tests
    }

    #[expect(clippy::expect_used, reason = "only for tests")]
    async fn connect(&self) -> DatabaseConnection {
        let connection = match &self.location {
            Location::Sqlite(path) => Database::connect(format!("sqlite://{}", path.display())).await,
            Location::Postgres { url, schema } => {
                let mut options = ConnectOptions::new(url.clone());
                options.set_schema_search_path(schema.clone().unwrap_or_else(|| "public".to_owned()));
                Database::connect(options).await
            }
        };
        connection.expect("the database opens") // only for tests
    }

    /// Removes it; a schema does not go by itself.
    ///
    /// # Panics
    /// When the server refuses.
    #[expect(clippy::expect_used, reason = "only for tests")]
    pub async fn remove(self) {
        if let Location::Postgres { url, schema: Some(schema) } = &self.location {
            let connection = Database::connect(url).await.expect("the server of TEST_DATABASE_URL"); // only for tests
            let drop_schema = format!("DROP SCHEMA {schema} CASCADE");
            connection.execute_unprepared(&drop_schema).await.expect("removing the schema"); // only for tests
            connection.close().await.expect("closing"); // only for tests
        }
    }

    /// Where the file is, for SQLite.
    #[must_use]
    pub fn folder(&self) -> Option<&std::path::Path> {
        self.folder.as_ref().map(tempfile::TempDir::path)
    }
}
