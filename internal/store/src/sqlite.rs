//! SQLite without a thread of its own: statements run where they are called.
//!
//! The driver that comes with `sea-orm` sends each statement to a thread and waits for it, which takes longer than what
//! most statements do (20 to 60 µs against 2 to 10, `reference/store.md`). So the writer has a thread, on which it runs
//! its statements itself, and readers run theirs where they are called when one row is wanted, or on a thread for
//! blocking work when there may be many. Statements and values are the same as on PostgreSQL.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, Value as Stored, ValueRef};
use rusqlite::{CachedStatement, OpenFlags, ToSql};
use sea_orm::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::error::Error;

/// How long a connection waits for a lock that somebody else holds.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(20);
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 200;
/// Rows that are handed over at once, and how many such portions may wait.
const PORTION: usize = 256;
const PORTIONS: usize = 4;

/// A row of an answer.
pub(crate) struct SqliteRow {
    columns: Arc<[Box<str>]>,
    values: Vec<Stored>,
}

impl SqliteRow {
    pub(crate) fn get(&self, column: &str) -> Result<&Stored, Error> {
        let place = self.columns.iter().position(|name| **name == *column);
        place
            .and_then(|place| self.values.get(place))
            .ok_or_else(|| Error::Corrupt(format!("there is no column {column}")))
    }
}

/// A connection. One that writes is in a transaction whenever statements run on it.
pub(crate) struct Connection(Mutex<rusqlite::Connection>);

impl Connection {
    pub(crate) fn open(path: &Path, write: bool) -> Result<Self, Error> {
        let mut flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags |= if write {
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
        } else {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        };
        let connection = rusqlite::Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        if write {
            // The mode answers with a row.
            connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
            connection.query_row("PRAGMA wal_autocheckpoint = 2000", [], |_| Ok(()))?;
        }
        connection.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -16000",
        )?;
        // Without them, deleting a job would leave its tasks behind.
        if connection.query_row("PRAGMA foreign_keys", [], |row| row.get(0)) != Ok(1_i64) {
            return Err(Error::Database("this SQLite cannot enforce foreign keys".to_owned()));
        }
        Ok(Self(Mutex::new(connection)))
    }

    fn lock(&self) -> MutexGuard<'_, rusqlite::Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a transaction. One that need not last is committed without waiting for the disk: a later one that must
    /// last takes it along.
    pub(crate) fn begin(&self, lasting: bool) -> Result<(), Error> {
        let connection = self.lock();
        connection.execute_batch(if lasting {
            "PRAGMA synchronous = FULL; BEGIN IMMEDIATE"
        } else {
            "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE"
        })?;
        Ok(())
    }

    pub(crate) fn commit(&self) -> Result<(), Error> {
        let connection = self.lock();
        insist_on_transaction(&connection)?;
        Ok(connection.execute_batch("COMMIT")?)
    }

    /// Ends the transaction, unless it has ended by itself.
    pub(crate) fn roll_back(&self) -> Result<(), Error> {
        let connection = self.lock();
        if connection.is_autocommit() { Ok(()) } else { Ok(connection.execute_batch("ROLLBACK")?) }
    }

    /// Runs a statement of a transaction that answers with rows.
    pub(crate) fn query_in_transaction(&self, sql: &str, values: &[Value]) -> Result<Vec<SqliteRow>, Error> {
        let connection = self.lock();
        insist_on_transaction(&connection)?;
        collect(&connection, sql, values, usize::MAX)
    }

    /// Runs a statement of a transaction, and says how many rows it touched.
    pub(crate) fn execute_in_transaction(&self, sql: &str, values: &[Value]) -> Result<u64, Error> {
        let connection = self.lock();
        insist_on_transaction(&connection)?;
        let mut statement = connection.prepare_cached(sql)?;
        bind(&mut statement, values)?;
        Ok(statement.raw_execute()? as u64)
    }

    /// Runs a statement of a transaction whose values are `?`, in their order.
    pub(crate) fn execute_in_order<'a>(
        &self,
        sql: &str,
        values: impl Iterator<Item = &'a Value>,
    ) -> Result<(), Error> {
        let connection = self.lock();
        insist_on_transaction(&connection)?;
        let mut statement = connection.prepare_cached(sql)?;
        for (place, value) in (1..).zip(values) {
            statement.raw_bind_parameter(place, Bound(value))?;
        }
        statement.raw_execute()?;
        Ok(())
    }

    pub(crate) fn close(self) -> Result<(), Error> {
        let connection = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        connection.close().map_err(|(_, error)| Error::from(error))
    }
}

/// When the disk is full, SQLite ends the transaction by itself. What came after would be stored statement by statement.
fn insist_on_transaction(connection: &rusqlite::Connection) -> Result<(), Error> {
    if connection.is_autocommit() {
        return Err(Error::Unavailable("the database has given up the transaction".to_owned()));
    }
    Ok(())
}

/// A value as SQLite keeps it, borrowed.
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let integer = |number: Option<i64>| number.map_or(ValueRef::Null, ValueRef::Integer);
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Bool(value) => integer(value.map(i64::from)),
            Value::TinyInt(value) => integer(value.map(i64::from)),
            Value::SmallInt(value) => integer(value.map(i64::from)),
            Value::Int(value) => integer(value.map(i64::from)),
            Value::BigInt(value) => integer(*value),
            Value::Unsigned(value) => integer(value.map(i64::from)),
            Value::Double(value) => value.map_or(ValueRef::Null, ValueRef::Real),
            Value::String(value) => {
                value.as_ref().map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()))
            }
            Value::Bytes(value) => value.as_ref().map_or(ValueRef::Null, |bytes| ValueRef::Blob(bytes)),
            Value::Uuid(value) => value.as_ref().map_or(ValueRef::Null, |id| ValueRef::Blob(id.as_bytes())),
            other => {
                let message = format!("{other:?} has no form in SQLite");
                return Err(rusqlite::Error::ToSqlConversionFailure(message.into()));
            }
        }))
    }
}

/// Binds `$1`, `$2`, … to the values in their order, whichever comes first in the text, and `?` one after the other.
fn bind(statement: &mut CachedStatement<'_>, values: &[Value]) -> Result<(), Error> {
    for place in 1..=statement.parameter_count() {
        let number = match statement.parameter_name(place) {
            Some(name) => name.get(1..).and_then(|digits| digits.parse().ok()).unwrap_or(0),
            None => place,
        };
        let value = number.checked_sub(1).and_then(|index| values.get(index));
        let value = value.ok_or_else(|| Error::Database(format!("a statement has no value {number}")))?;
        statement.raw_bind_parameter(place, Bound(value))?;
    }
    Ok(())
}

/// Gives each row of an answer to `each`, until that has enough.
fn walk(
    connection: &rusqlite::Connection,
    sql: &str,
    values: &[Value],
    mut each: impl FnMut(SqliteRow) -> bool,
) -> Result<(), Error> {
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    let count = statement.column_count();
    let mut columns: Option<Arc<[Box<str>]>> = None;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let columns =
            columns.get_or_insert_with(|| row.as_ref().column_names().into_iter().map(Box::from).collect());
        let values = (0..count).map(|column| Ok(row.get_ref(column)?.try_into()?));
        let values = values.collect::<Result<_, rusqlite::Error>>()?;
        if !each(SqliteRow { columns: Arc::clone(columns), values }) {
            break;
        }
    }
    Ok(())
}

fn collect(
    connection: &rusqlite::Connection,
    sql: &str,
    values: &[Value],
    limit: usize,
) -> Result<Vec<SqliteRow>, Error> {
    let mut rows = Vec::new();
    walk(connection, sql, values, |row| {
        rows.push(row);
        rows.len() < limit
    })?;
    Ok(rows)
}

/// Connections that only read. They never wait for the writer.
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    size: u32,
}

/// A connection on loan.
struct Loan {
    readers: Arc<Readers>,
    connection: Option<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.readers.idle().push(connection);
        }
    }
}

impl Loan {
    fn run<T>(&self, work: impl FnOnce(&rusqlite::Connection) -> Result<T, Error>) -> Result<T, Error> {
        self.connection.as_ref().map_or(Err(Error::Closed), |connection| work(&connection.lock()))
    }
}

impl Readers {
    /// Opens one connection; others follow when they are needed, `size` at most.
    pub(crate) fn open(path: &Path, size: u32) -> Result<Self, Error> {
        let first = Connection::open(path, false)?;
        let permits = Arc::new(Semaphore::new(size as usize));
        Ok(Self { path: path.to_owned(), idle: Mutex::new(vec![first]), permits, size })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn lend(self: &Arc<Self>) -> Result<Loan, Error> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::Closed)?;
        let idle = self.idle().pop();
        let connection = idle.map_or_else(|| Connection::open(&self.path, false), Ok)?;
        Ok(Loan { readers: Arc::clone(self), connection: Some(connection), _permit: permit })
    }

    /// The first row of an answer, which is found quickly: the calling thread does it.
    pub(crate) async fn first(
        self: &Arc<Self>,
        sql: &str,
        values: &[Value],
    ) -> Result<Option<SqliteRow>, Error> {
        let loan = self.lend().await?;
        Ok(loan.run(|connection| collect(connection, sql, values, 1))?.pop())
    }

    pub(crate) async fn all(
        self: &Arc<Self>,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<SqliteRow>, Error> {
        let loan = self.lend().await?;
        let sql = sql.to_owned();
        let work = move || loan.run(|connection| collect(connection, &sql, &values, usize::MAX));
        tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)?
    }

    /// Gives each row of an answer to `each` as it comes, so that a long answer is not held as rows.
    pub(crate) async fn each(
        self: &Arc<Self>,
        sql: &str,
        values: Vec<Value>,
        mut each: impl FnMut(SqliteRow) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        let loan = self.lend().await?;
        let sql = sql.to_owned();
        let (sender, mut portions) = mpsc::channel::<Vec<SqliteRow>>(PORTIONS);
        let work = tokio::task::spawn_blocking(move || {
            loan.run(|connection| {
                let mut portion = Vec::new();
                walk(connection, &sql, &values, |row| {
                    portion.push(row);
                    // Nobody waits for the rest when the receiver is gone.
                    portion.len() < PORTION || sender.blocking_send(std::mem::take(&mut portion)).is_ok()
                })?;
                drop(sender.blocking_send(portion));
                Ok(())
            })
        });
        while let Some(portion) = portions.recv().await {
            for row in portion {
                each(row)?;
            }
        }
        work.await.map_err(|_| Error::Closed)?
    }

    /// Closes the connections, when those on loan are back.
    pub(crate) async fn close(&self) {
        if let Ok(all) = self.permits.acquire_many(self.size).await {
            all.forget();
        }
        self.permits.close();
        for connection in std::mem::take(&mut *self.idle()) {
            if let Err(error) = connection.close() {
                tracing::warn!(%error, "closing the database");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> (tempfile::TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(&folder.path().join("x.sqlite"), true).unwrap();
        connection.begin(true).unwrap();
        (folder, connection)
    }

    fn number(row: &SqliteRow, column: &str) -> i64 {
        match row.get(column).unwrap() {
            Stored::Integer(number) => *number,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbered_values_go_where_their_number_is() {
        let (_folder, connection) = connection();
        let values = [1_i64.into(), 2_i64.into(), 3_i64.into()];
        let rows = connection.query_in_transaction("SELECT $3 AS a, $1 AS b, $3 + $2 AS c", &values).unwrap();
        assert_eq!(["a", "b", "c"].map(|column| number(&rows[0], column)), [3, 1, 5]);
        let rows = connection.query_in_transaction("SELECT ? AS a, ? AS b", &values).unwrap();
        assert_eq!(["a", "b"].map(|column| number(&rows[0], column)), [1, 2]);
        let missing = connection.query_in_transaction("SELECT $4 AS a", &values);
        assert!(matches!(missing, Err(Error::Database(text)) if text.contains("value 4")));
    }

    #[test]
    fn a_transaction_that_ended_by_itself_takes_no_more_statements() {
        let (_folder, connection) = connection();
        let run = |sql: &str| connection.execute_in_transaction(sql, &[]);
        run("CREATE TABLE t (a INTEGER UNIQUE)").unwrap();
        run("INSERT INTO t VALUES (1)").unwrap();
        connection.commit().unwrap();
        connection.begin(true).unwrap();
        run("INSERT INTO t VALUES (2)").unwrap();
        assert!(matches!(run("INSERT OR ROLLBACK INTO t VALUES (1)"), Err(Error::Duplicate(_))));
        assert!(matches!(run("INSERT INTO t VALUES (3)"), Err(Error::Unavailable(_))));
        assert!(matches!(connection.commit(), Err(Error::Unavailable(_))));
        connection.roll_back().unwrap();
        connection.begin(true).unwrap();
        let rows = connection.query_in_transaction("SELECT a FROM t", &[]).unwrap();
        assert_eq!(rows.iter().map(|row| number(row, "a")).collect::<Vec<_>>(), [1]);
    }

    #[tokio::test]
    async fn a_long_answer_comes_in_order_and_stops_when_nobody_wants_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.sqlite");
        let writer = Connection::open(&path, true).unwrap();
        let readers = Arc::new(Readers::open(&path, 2).unwrap());
        let sql =
            "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n WHERE a < 2000) SELECT a FROM n";
        let mut seen = Vec::new();
        let mut keep = |row: SqliteRow| {
            seen.push(number(&row, "a"));
            Ok(())
        };
        readers.each(sql, vec![], &mut keep).await.unwrap();
        assert_eq!(seen, (1..=2000).collect::<Vec<_>>());
        let endless = "WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) SELECT a FROM n";
        let stopped = readers.each(endless, vec![], |_| Err(Error::Closed)).await;
        assert!(matches!(stopped, Err(Error::Closed)));
        assert_eq!(readers.all(sql, vec![]).await.unwrap().len(), 2000);
        readers.close().await;
        assert!(matches!(readers.first(sql, &[]).await, Err(Error::Closed)));
        writer.close().unwrap();
    }
}
