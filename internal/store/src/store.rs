//! Opening the database, and the handle that everybody holds.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flamenco_domain::ids::TaskId;
use flamenco_domain::job::JobStatus;
use flamenco_domain::task::TaskSummary;
use futures_util::future::BoxFuture;
use sea_orm::{ConnectOptions, Database};
use sea_orm_migration::MigratorTrait;
use tokio::sync::{Mutex, oneshot};

use crate::check::{self, Health};
use crate::db::{Pool, Reader};
use crate::error::Error;
use crate::looks::Looks;
use crate::migration::Migrator;
use crate::sqlite::{BUSY_TIMEOUT, Connection, Readers};
use crate::tasks;
use crate::writer::{Kind, OnCommit, Tx, Writer, Writing};

/// Connections that only read. They never wait for the writer.
const READERS: u32 = 8;

/// A connection to a server that was idle for longer is tested before it is used: the server may have been restarted.
const TRUSTED: Duration = Duration::from_secs(1);

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
    /// Where that is worth it.
    looks: Option<Looks>,
    pub(crate) location: Location,
    pub(crate) was_left_open: bool,
    /// The writer, which has the connection for writing.
    writing: Arc<Mutex<Option<oneshot::Receiver<Writing>>>>,
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
        let to_migrate = Database::connect(options(location)).await?;
        if let Location::Sqlite(path) = location
            && was_left_open
            && let Health::Damaged(problems) = check::at_start(path).await
        {
            return Err(Error::Damaged(problems.join("; ")));
        }
        Migrator::up(&to_migrate, None).await?;
        let writing = match location {
            Location::Sqlite(path) => {
                let connection = Connection::open(path, true)?;
                to_migrate.close().await?;
                Writing::Sqlite(Arc::new(connection), path.clone())
            }
            Location::Postgres { .. } => Writing::Postgres(to_migrate, Box::new(options(location))),
        };
        let reader = Reader::open(location).await?;
        let (writer, writing) = Writer::spawn(writing, on_commit)?;
        let looks = match location {
            Location::Sqlite(_) => None,
            Location::Postgres { .. } => Some(Looks::start(reader.clone())),
        };
        Ok(Self {
            reader,
            writer,
            looks,
            location: location.clone(),
            was_left_open,
            writing: Arc::new(Mutex::new(Some(writing))),
        })
    }

    /// For queries that only read; they see what is committed.
    #[must_use]
    pub const fn read(&self) -> &Reader {
        &self.reader
    }

    /// As [`tasks::look`], cheaper when many look at once.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn look_at_task(&self, id: TaskId) -> Result<Option<(TaskSummary, JobStatus)>, Error> {
        match &self.looks {
            Some(looks) => looks.at(id).await,
            None => tasks::look(&self.reader, id).await,
        }
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
        self.writer.run(Kind::Normal, None, operation).await
    }

    /// Like [`Self::write`], for what workers do all the time: what many such operations of a batch change together,
    /// such as the counters of a job, is written once, at the end of the batch. Of a job they may use only
    /// [`jobs::lock`](crate::jobs::lock) and [`jobs::save`](crate::jobs::save), and of tasks likewise, or
    /// [`tasks::settle`](crate::tasks::settle) before anything else.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn write_hot<F, T, E>(&self, operation: F) -> Result<T, E>
    where
        F: for<'a> Fn(&'a Tx) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.run(Kind::Hot, None, operation).await
    }

    /// As [`Self::write_hot`], for an operation that begins with a look at this task, by
    /// [`tasks::lock`](crate::tasks::lock).
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn write_hot_about<F, T, E>(&self, task: TaskId, operation: F) -> Result<T, E>
    where
        F: for<'a> Fn(&'a Tx) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.run(Kind::Hot, Some(task), operation).await
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
        self.writer.run(Kind::Low, None, operation).await
    }

    /// Like [`Self::write_low`], for slices that only count when a later operation of another kind says so: they are on
    /// the disk when that one is, and not necessarily before.
    pub(crate) async fn write_slice<F, T, E>(&self, operation: F) -> Result<T, E>
    where
        F: for<'a> Fn(&'a Tx) -> BoxFuture<'a, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.writer.run(Kind::Slice, None, operation).await
    }

    /// Ends the store for every handle: what was accepted is finished and answered, then the connections are closed.
    pub async fn close(self) {
        self.writer.close();
        let writing = self.writing.lock().await.take();
        let writing = match writing {
            Some(writing) => writing.await.ok(),
            None => None,
        };
        self.reader.close().await;
        // The writing one last: only that can empty and remove the log beside the file, which tells the next start
        // that all is well.
        if let Some(writing) = writing
            && let Err(error) = writing.close().await
        {
            tracing::warn!(%error, "closing the database");
        }
    }
}

impl Reader {
    pub(crate) async fn open(location: &Location) -> Result<Self, Error> {
        Ok(Self(match location {
            Location::Sqlite(path) => Pool::Sqlite(Arc::new(Readers::open(path, READERS)?)),
            Location::Postgres { .. } => {
                let mut options = options(location);
                options.max_connections(READERS);
                Pool::Postgres(Database::connect(options).await?)
            }
        }))
    }

    pub(crate) async fn close(self) {
        match self.0 {
            Pool::Sqlite(readers) => readers.close().await,
            Pool::Postgres(connection) => {
                if let Err(error) = connection.close().await {
                    tracing::warn!(%error, "closing the database");
                }
            }
        }
    }
}

/// One connection of `sea-orm`: on SQLite for the migrations only.
fn options(location: &Location) -> ConnectOptions {
    let mut options = match location {
        Location::Sqlite(path) => {
            let mut options = ConnectOptions::new("sqlite::memory:");
            let path = path.clone();
            options.map_sqlx_sqlite_opts(move |sqlite| {
                sqlite
                    .filename(&path)
                    .in_memory(false)
                    .shared_cache(false)
                    .create_if_missing(true)
                    .busy_timeout(BUSY_TIMEOUT)
                    .foreign_keys(true)
                    .pragma("journal_mode", "WAL")
                    .pragma("synchronous", "FULL")
            });
            options
        }
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
        .max_connections(1)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(30))
        .sqlx_logging(false)
        .test_before_acquire(false);
    if let Location::Postgres { .. } = location {
        // A test is a journey of its own. A connection that was of use a moment ago still is.
        options.test_before_acquire_if_idle_for(TRUSTED);
    }
    options
}
