//! Whether the database itself is sound, and keeping its files small.
//!
//! A file of SQLite can be damaged by a failing disk, by a power cut on a disk that lies about what it has stored, and
//! by being copied or moved while it is in use. Working on with such a file makes it worse, so the manager looks:
//!
//! - at start, only when the last run did not end by closing the database, and only as long as [`START_CHECK`]: a
//!   farm with a million tasks must answer at once. What was not looked at then is looked at by the next full check;
//! - in full while the farm works, on a connection of its own, which nobody waits for.
//!
//! *Damaged* and *not checked* are different things: a check that was interrupted, or had no room to work in, says
//! nothing about the file. PostgreSQL looks after its own files; there a check only tells whether the server answers.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Row as _};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::{Location, Store};

/// How long a start waits for the check after an unclean stop.
pub const START_CHECK: Duration = Duration::from_millis(150);
/// More complaints than this help nobody.
const COMPLAINTS: usize = 10;
/// Steps of SQLite's machine after which it looks whether it should stop: a millisecond or so.
const LOOK_UP_AFTER: i32 = 20_000;
/// How long keeping the files small waits for others. They come first.
const PATIENCE: Duration = Duration::from_millis(200);
/// Less than this is not worth rewriting the file for, in bytes.
const WORTH_A_VACUUM: i64 = 64 << 20;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    Sound,
    /// The file is damaged; what is wrong with it, at most a few lines.
    Damaged(Vec<String>),
    /// Nothing is known, and why.
    NotChecked(String),
}

impl fmt::Display for Health {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sound => formatter.write_str("the database is sound"),
            Self::Damaged(problems) => write!(formatter, "the database is damaged: {}", problems.join("; ")),
            Self::NotChecked(why) => write!(formatter, "the database could not be checked: {why}"),
        }
    }
}

impl Store {
    /// Whether the last run ended without closing the database: by a crash, a kill or a power cut.
    #[must_use]
    pub const fn was_left_open(&self) -> bool {
        self.was_left_open
    }

    /// Looks at the whole database; takes as long as reading all of it. Stops soon after `cancel`.
    pub async fn check(&self, cancel: &CancellationToken) -> Health {
        match &self.location {
            Location::Sqlite(path) => full(path, cancel).await,
            Location::Postgres { .. } => match crate::db::query_one(self.read(), "SELECT 1", vec![]).await {
                Ok(_) => Health::Sound,
                Err(error) => Health::NotChecked(error.to_string()),
            },
        }
    }

    /// Moves what was written from the log beside the database into it, and empties the log. False when somebody
    /// reads from the log, so that it has to be done again soon.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub async fn checkpoint(&self) -> Result<bool, Error> {
        let Location::Sqlite(path) = &self.location else { return Ok(true) };
        let mut connection = maintenance(path).await?;
        let done = truncate_log(&mut connection).await;
        close(connection).await;
        done
    }

    /// Rewrites the database when most of its file is empty, and tells whether it did. Nobody can write meanwhile, so
    /// this is for a farm that has nothing to do.
    ///
    /// # Errors
    /// When the database cannot be written; it needs as much room again as its content.
    pub async fn vacuum_when_mostly_empty(&self) -> Result<bool, Error> {
        let Location::Sqlite(path) = &self.location else { return Ok(false) };
        let mut connection = maintenance(path).await?;
        let [page, all, free] = sizes(&mut connection).await?;
        let worth_it = free * page >= WORTH_A_VACUUM && free > all / 2;
        let result = if worth_it {
            sqlx::query("VACUUM").execute(&mut connection).await.map(drop).map_err(from_sqlx)
        } else {
            Ok(())
        };
        if worth_it && result.is_ok() {
            truncate_log(&mut connection).await?;
        }
        close(connection).await;
        result.map(|()| worth_it)
    }
}

/// Checks a database that is not opened by this process, and what is maintained in it. It is only read from.
///
/// # Errors
/// When it does not exist, or was never used by this program.
pub async fn inspect(location: &Location, cancel: &CancellationToken) -> Result<Health, Error> {
    if let Location::Sqlite(path) = location {
        if !path.is_file() {
            return Err(Error::Unavailable(format!("there is no database {}", path.display())));
        }
        match full(path, cancel).await {
            Health::Sound => {}
            unsound => return Ok(unsound),
        }
    }
    let reader = crate::Reader::open(location).await?;
    let differences = crate::recount::differences(&reader).await;
    reader.close().await;
    let differences = differences?;
    Ok(if differences.is_empty() { Health::Sound } else { Health::Damaged(differences) })
}

/// Bytes in a page, pages, and those of them that are free.
async fn sizes(connection: &mut SqliteConnection) -> Result<[i64; 3], Error> {
    let mut sizes = [0; 3];
    let pragmas = ["PRAGMA page_size", "PRAGMA page_count", "PRAGMA freelist_count"];
    for (size, pragma) in sizes.iter_mut().zip(pragmas) {
        let row = sqlx::query(pragma).fetch_one(&mut *connection).await;
        *size = row.and_then(|row| row.try_get(0)).map_err(from_sqlx)?;
    }
    Ok(sizes)
}

async fn truncate_log(connection: &mut SqliteConnection) -> Result<bool, Error> {
    let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await;
    let busy: i64 = row.and_then(|row| row.try_get(0)).map_err(from_sqlx)?;
    Ok(busy == 0)
}

async fn maintenance(path: &Path) -> Result<SqliteConnection, Error> {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(PATIENCE);
    options.connect().await.map_err(from_sqlx)
}

async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "closing a connection to the database");
    }
}

fn from_sqlx(error: sqlx::Error) -> Error {
    Error::from(sea_orm::DbErr::Query(sea_orm::RuntimeErr::SqlxError(error.into())))
}

/// Whether the last run left a database open: closing the last connection removes the log beside it.
pub(crate) fn was_left_open(location: &Location) -> bool {
    let Location::Sqlite(path) = location else { return false };
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).exists()
}

/// Looks at the structure of a file, not at what belongs together, for as long as [`START_CHECK`].
pub(crate) async fn at_start(path: &Path) -> Health {
    let cancel = CancellationToken::new();
    let clock = cancel.clone();
    let timer = tokio::spawn(async move {
        tokio::time::sleep(START_CHECK).await;
        clock.cancel();
    });
    let health = examine(path, &["PRAGMA quick_check(10)"], &cancel).await;
    timer.abort();
    health
}

async fn full(path: &Path, cancel: &CancellationToken) -> Health {
    examine(path, &["PRAGMA integrity_check(10)", "PRAGMA foreign_key_check"], cancel).await
}

async fn examine(path: &Path, pragmas: &[&'static str], cancel: &CancellationToken) -> Health {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(PATIENCE);
    let mut connection = match options.connect().await {
        Ok(connection) => connection,
        Err(error) => return verdict(&error),
    };
    match connection.lock_handle().await {
        Ok(mut handle) => {
            let cancel = cancel.clone();
            handle.set_progress_handler(LOOK_UP_AFTER, move || !cancel.is_cancelled());
        }
        Err(error) => return verdict(&error),
    }
    let mut complaints = Vec::new();
    for pragma in pragmas {
        match sqlx::query(*pragma).fetch_all(&mut connection).await {
            Ok(rows) => complaints.extend(rows.iter().filter_map(complaint)),
            Err(error) => {
                close(connection).await;
                return verdict(&error);
            }
        }
    }
    close(connection).await;
    complaints.truncate(COMPLAINTS);
    if complaints.is_empty() { Health::Sound } else { Health::Damaged(complaints) }
}

/// What a row of an answer complains about: one text of `integrity_check`, four columns of `foreign_key_check`.
fn complaint(row: &sqlx::sqlite::SqliteRow) -> Option<String> {
    if row.len() == 1 {
        let text: String = row.try_get(0).unwrap_or_default();
        return (text != "ok").then_some(text);
    }
    let text = |column| row.try_get::<String, _>(column).unwrap_or_default();
    let number = row.try_get::<i64, _>(1).unwrap_or_default();
    Some(format!("row {number} of {} refers to a row of {} that does not exist", text(0), text(2)))
}

fn verdict(error: &sqlx::Error) -> Health {
    let code = error.as_database_error().and_then(|error| error.code());
    match crate::error::primary_code(code.as_deref().unwrap_or_default()) {
        Some(11 | 26) => Health::Damaged(vec![error.to_string()]),
        Some(9) => Health::NotChecked("the check was stopped before it had seen everything".to_owned()),
        _ => Health::NotChecked(error.to_string()),
    }
}
