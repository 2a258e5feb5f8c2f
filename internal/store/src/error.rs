//! What can go wrong with the database.

use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// An error of the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The disk has no room, or the database may not grow; nothing was changed. Try again when there is room.
    #[error("the database has no room to write: {0}")]
    Full(String),
    /// The database is busy or cannot be reached; nothing was changed. Try again.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A row with the same unique value exists already.
    #[error("the database holds such a row already: {0}")]
    Duplicate(String),
    /// A text has the character U+0000, which PostgreSQL cannot keep and which is refused on SQLite too.
    #[error("a text contains the character U+0000, which cannot be stored; leave it out")]
    Unstorable,
    /// The job's checkout is about to be erased with another job.
    #[error(
        "the checkout {0:?} is being erased together with a deleted job; check the files out again, under another name"
    )]
    CheckoutErased(String),
    /// A stored value cannot be read: a bug, or somebody else's writing.
    #[error("the database holds a value that cannot be read: {0}")]
    Corrupt(String),
    /// Anything else the database says.
    #[error("database error: {0}")]
    Database(String),
    /// The store is being closed.
    #[error("the database is closed")]
    Closed,
}

impl Error {
    /// Whether the same request may succeed a little later.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Unavailable(_) | Self::Closed)
    }
}

/// Codes of SQLite (primary result codes) and PostgreSQL (SQLSTATE) that say "no room" and "not now".
const FULL: &[&str] = &["13", "53100", "53200"];
const NOT_NOW: &[&str] =
    &["5", "6", "261", "517", "262", "55P03", "57P01", "57P03", "53300", "08000", "08006", "40P01", "40001"];

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        let text = error.to_string();
        if let Some(SqlErr::UniqueConstraintViolation(what)) = error.sql_err() {
            return Self::Duplicate(what);
        }
        match &error {
            DbErr::ConnectionAcquire(_) => return Self::Unavailable(text),
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => return Self::Corrupt(text),
            _ => {}
        }
        match code(&error).as_deref() {
            Some(code) if FULL.contains(&code) => Self::Full(text),
            Some(code) if NOT_NOW.contains(&code) => Self::Unavailable(text),
            Some(_) => Self::Database(text),
            None => Self::Unavailable(text),
        }
    }
}

/// The database's own error code; `None` when it was not the database that spoke, but the connection to it.
fn code(error: &DbErr) -> Option<String> {
    let (DbErr::Conn(RuntimeErr::SqlxError(source))
    | DbErr::Exec(RuntimeErr::SqlxError(source))
    | DbErr::Query(RuntimeErr::SqlxError(source))) = error
    else {
        return Some(String::new());
    };
    match source.as_database_error() {
        Some(database) => Some(database.code().map(|code| code.into_owned()).unwrap_or_default()),
        None => match source.as_ref() {
            sea_orm::sqlx::Error::Io(_)
            | sea_orm::sqlx::Error::PoolTimedOut
            | sea_orm::sqlx::Error::PoolClosed
            | sea_orm::sqlx::Error::WorkerCrashed => None,
            _ => Some(String::new()),
        },
    }
}

/// Whether PostgreSQL gave up a transaction that would succeed when run again: deadlock, serialisation failure.
pub(crate) fn is_conflict(error: &DbErr) -> bool {
    matches!(code(error).as_deref(), Some("40P01" | "40001"))
}
