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
    /// The worker tag of a job was deleted while the job was made.
    #[error("the worker tag {0} was deleted; choose one of the existing tags or none")]
    TagDeleted(String),
    /// A stored value cannot be read: a bug, or somebody else's writing.
    #[error("the database holds a value that cannot be read: {0}")]
    Corrupt(String),
    /// The file of the database is damaged, or is none.
    #[error("the database is damaged: {0}")]
    Damaged(String),
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

/// Codes of PostgreSQL (SQLSTATE) that say "no room" and "not now".
const FULL: &[&str] = &["53100", "53200"];
const NOT_NOW: &[&str] = &["55P03", "57P01", "57P03", "53300", "08000", "08006", "40P01", "40001"];

/// The kind of an error of SQLite; its codes have the details in the higher bits. `None` for PostgreSQL's, which have
/// five characters.
pub(crate) fn primary_code(code: &str) -> Option<u32> {
    let number: u32 = code.parse().ok().filter(|_| code.len() < 5)?;
    Some(number & 0xff)
}

/// What a code of SQLite means.
fn of_sqlite(code: u32, text: String) -> Error {
    match code {
        // No room, or the limit to the number of pages.
        13 => Error::Full(text),
        // Busy, locked, no memory, interrupted, a disk that does not read or write, a file that does not open, a
        // changed schema: the transaction is gone and nothing of it is stored.
        5 | 6 | 7 | 9 | 10 | 14 | 15 | 17 => Error::Unavailable(text),
        11 | 26 => Error::Damaged(text),
        _ => Error::Database(text),
    }
}

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
        let code = code(&error);
        if let Some(code) = code.as_deref().and_then(primary_code) {
            return of_sqlite(code, text);
        }
        match code.as_deref() {
            Some(code) if FULL.contains(&code) => Self::Full(text),
            Some(code) if NOT_NOW.contains(&code) => Self::Unavailable(text),
            Some(_) => Self::Database(text),
            None => Self::Unavailable(text),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ffi;
        let text = error.to_string();
        let rusqlite::Error::SqliteFailure(ffi::Error { extended_code, .. }, _) = &error else {
            return Self::Database(text);
        };
        match *extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => Self::Duplicate(text),
            code => of_sqlite(code.unsigned_abs() & 0xff, text),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_details_of_a_code_do_not_change_its_kind() {
        for (code, want) in [
            ("13", "no room"),
            ("5", "not available"),
            ("517", "not available"),
            // Writing, syncing, and making the shared memory larger.
            ("778", "not available"),
            ("1034", "not available"),
            ("4874", "not available"),
            ("11", "damaged"),
            ("779", "damaged"),
            ("26", "damaged"),
            ("1", "database error"),
        ] {
            let error = of_sqlite(primary_code(code).unwrap(), "text".to_owned());
            assert!(error.to_string().contains(want), "{code}: {error}");
        }
        for code in ["53100", "40001", "42P01", ""] {
            assert_eq!(primary_code(code), None, "{code:?} is not SQLite's");
        }
    }
}
