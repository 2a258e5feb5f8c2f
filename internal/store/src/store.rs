//! Opening the database, and the handle that everybody holds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};
use sea_orm_migration::MigratorTrait;
use tokio::sync::Mutex;

use crate::check::{self, Health};
use crate::db::Reader;
use crate::error::Error;
use crate::migration::Migrator;
use crate::writer::{Kind, OnCommit, Tx, Writer};

/// Connections that only read. They never wait for the writer.
const READERS: u32 = 8;
/// How long a connection waits for a lock that somebody else holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(20);

/// Which database to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file of SQLite; its folder is made when it does not exist.
    Sqlite(PathBuf),
    /// A PostgreSQL server: `postgres://user:password@host:port/name`, and the schema when not the default one.
    Postgres {
        /// The address, with the password.
        url: String,
        /// The schema.
        schema: Option<String>,
    },
}

/// The database. Cheap to clone; see [`Store::close`] for its end.
#[derive(Clone)]
pub struct Store {
    reader: Reader,
    writer: Writer,
    pub(crate) location: Location,
    pub(crate) was_left_open: bool,
    /// The writer, which has the connection for writing.
    task: std::sync::Arc<Mutex<Option<tokio::task::JoinHandle<DatabaseConnection>>>>,
}

impl Store {
    /// Opens the database, brings its schema up to date, and starts the writer.
    ///
    /// # Errors
    /// When it cannot be opened or migrated.
    pub async fn open(location: &Location, on_commit: OnCommit) -> Result<Self, Error> {
        if let Location::Sqlite(path) = location
            && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder).map_err(|error| {
                Error::Database(format!("cannot make the folder {}: {error}", folder.display()))
            })?;
        }
        let was_left_open = check::was_left_open(location);
        let write = Database::connect(options(location, Access::Write)).await?;
        if let Location::Sqlite(path) = location {
            insist_on_foreign_keys(&write).await?;
            if was_left_open && let Health::Damaged(problems) = check::at_start(path).await {
                return Err(Error::Damaged(problems.join("; ")));
            }
        }
        Migrator::up(&write, None).await?;
        let read = connect_to_read(location).await?;
        let (writer, task) = Writer::spawn(write, options(location, Access::Write), on_commit);
        Ok(Self {
            reader: Reader(read),
            writer,
            location: location.clone(),
            was_left_open,
            task: std::sync::Arc::new(Mutex::new(Some(task))),
        })
    }

    /// For queries that only read; they see what is committed.
    #[must_use]
    pub const fn read(&self) -> &Reader {
        &self.reader
    }

    /// Runs an operation in a transaction that is committed before this returns.
    ///
    /// The operation must be repeatable: it is run again when another one of the same batch spoils the transaction.
    /// It is carried through even when the caller stops waiting.
    ///
    /// # Errors
    /// The operation's own, or the store's when it could not be committed; nothing was changed then.
    pub async fn write<F, T, E>(&self, operation: F) -> Result<T, E>
    where
        F: for<'a> Fn(&'a Tx) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.run(Kind::Normal, operation).await
    }

    /// Like [`Self::write`], for what workers do all the time: what many such operations of a batch change together,
    /// such as the counters of a job, is written once, at the end of the batch. Of a job they may use only
    /// [`jobs::lock`](crate::jobs::lock) and [`jobs::save`](crate::jobs::save).
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn write_hot<F, T, E>(&self, operation: F) -> Result<T, E>
    where
        F: for<'a> Fn(&'a Tx) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.run(Kind::Hot, operation).await
    }

    /// Like [`Self::write`], for slices of something long: at most one of them holds up the others at a time.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn write_low<F, T, E>(&self, operation: F) -> Result<T, E>
    where
        F: for<'a> Fn(&'a Tx) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.run(Kind::Low, operation).await
    }

    /// Ends the store for every handle: what was accepted is finished and answered, then the connections are closed.
    pub async fn close(self) {
        self.writer.close();
        let mut connections = vec![self.reader.0];
        if let Some(task) = self.task.lock().await.take() {
            match task.await {
                // The writing one last: only that can empty and remove the log beside the file, which tells the next
                // start that all is well.
                Ok(connection) => connections.push(connection),
                Err(error) => tracing::error!(%error, "the writer ended badly"),
            }
        }
        for connection in connections {
            if let Err(error) = connection.close().await {
                tracing::warn!(error = %error, "closing the database");
            }
        }
    }
}

pub(crate) async fn connect_to_read(location: &Location) -> Result<DatabaseConnection, Error> {
    Ok(Database::connect(options(location, Access::Read)).await?)
}

/// Without them, deleting a job would leave its tasks behind.
async fn insist_on_foreign_keys(connection: &DatabaseConnection) -> Result<(), Error> {
    let backend = connection.get_database_backend();
    let row = connection.query_one_raw(Statement::from_string(backend, "PRAGMA foreign_keys")).await?;
    let on = row.map(|row| row.try_get_by_index::<i64>(0)).transpose()?;
    if on == Some(1) {
        return Ok(());
    }
    Err(Error::Database("this SQLite cannot enforce foreign keys".to_owned()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

fn options(location: &Location, access: Access) -> ConnectOptions {
    let mut options = match location {
        Location::Sqlite(path) => sqlite_options(path, access),
        Location::Postgres { url, schema } => {
            let mut options = ConnectOptions::new(url.clone());
            if let Some(schema) = schema {
                options.set_schema_search_path(schema.clone());
            }
            options.set_application_name("flamenco-manager");
            options
        }
    };
    options
        .max_connections(if access == Access::Write { 1 } else { READERS })
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(30))
        .sqlx_logging(false)
        .test_before_acquire(matches!(location, Location::Postgres { .. }));
    options
}

fn sqlite_options(path: &Path, access: Access) -> ConnectOptions {
    let mut options = ConnectOptions::new("sqlite::memory:");
    let path = path.to_owned();
    options.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .filename(&path)
            .in_memory(false)
            .shared_cache(false)
            .create_if_missing(access == Access::Write)
            .read_only(access == Access::Read)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("journal_mode", "WAL")
            .pragma("synchronous", "FULL")
            .pragma("wal_autocheckpoint", "2000")
            .pragma("cache_size", "-16000")
            .statement_cache_capacity(200)
    });
    options
        // One connection for as long as the process lives: nothing to reconnect to.
        .idle_timeout(Option::<Duration>::None)
        .max_lifetime(Option::<Duration>::None);
    options
}
