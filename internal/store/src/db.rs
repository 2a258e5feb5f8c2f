//! Running statements: one text for both databases, with `$1`, `$2`, … for the values.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use rusqlite::types::Value as Stored;
use sea_orm::sea_query::{Alias, Expr, Query};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement,
    StreamTrait, TryGetable, Value,
};
use uuid::Uuid;

use crate::error::{Error, is_conflict};
use crate::sqlite::{Connection, Readers, SqliteRow};

/// Something that named queries can run on: the readers of a [`crate::Store`], or a transaction of its writer.
pub trait Db: Sync {
    /// The connection behind it.
    #[doc(hidden)]
    fn link(&self) -> Link<'_>;
    /// Called before anything is written, so that a transaction knows whether it must be rolled back.
    #[doc(hidden)]
    fn note_write(&self);
    /// Called with every error, so that a transaction knows whether it can go on: `conflict` is true when it would
    /// succeed when run again.
    #[doc(hidden)]
    fn note_error(&self, conflict: bool);
}

/// The ways to a database.
#[doc(hidden)]
pub struct Link<'a>(pub(crate) Way<'a>);

pub(crate) enum Way<'a> {
    /// A transaction of the writer.
    Sqlite(&'a Connection),
    SqliteReaders(&'a Arc<Readers>),
    Postgres(&'a DatabaseTransaction),
    PostgresReaders(&'a DatabaseConnection),
}

/// Read-only access through the pool.
#[derive(Clone)]
pub struct Reader(pub(crate) Pool);

#[derive(Clone)]
pub(crate) enum Pool {
    Sqlite(Arc<Readers>),
    Postgres(DatabaseConnection),
}

impl Db for Reader {
    fn link(&self) -> Link<'_> {
        Link(match &self.0 {
            Pool::Sqlite(readers) => Way::SqliteReaders(readers),
            Pool::Postgres(connection) => Way::PostgresReaders(connection),
        })
    }

    fn note_write(&self) {}

    fn note_error(&self, _: bool) {}
}

/// A row of an answer.
pub(crate) struct Row(Answer);

enum Answer {
    Sqlite(SqliteRow),
    Postgres(QueryResult),
}

/// What can be read from a column.
pub(crate) trait Field: TryGetable {
    /// From what SQLite keeps; `None` when it is something else.
    fn from_sqlite(value: &Stored) -> Option<Self>;
}

impl Field for i64 {
    fn from_sqlite(value: &Stored) -> Option<Self> {
        if let Stored::Integer(number) = value { Some(*number) } else { None }
    }
}

impl Field for i32 {
    fn from_sqlite(value: &Stored) -> Option<Self> {
        i64::from_sqlite(value).and_then(|number| number.try_into().ok())
    }
}

impl Field for f64 {
    fn from_sqlite(value: &Stored) -> Option<Self> {
        match value {
            Stored::Real(number) => Some(*number),
            // A whole number, in a column without a type.
            Stored::Integer(number) => Some(*number as Self),
            _ => None,
        }
    }
}

impl Field for String {
    fn from_sqlite(value: &Stored) -> Option<Self> {
        if let Stored::Text(text) = value { Some(text.clone()) } else { None }
    }
}

impl Field for Uuid {
    fn from_sqlite(value: &Stored) -> Option<Self> {
        if let Stored::Blob(bytes) = value { Self::from_slice(bytes).ok() } else { None }
    }
}

impl<T: Field> Field for Option<T> {
    fn from_sqlite(value: &Stored) -> Option<Self> {
        if matches!(value, Stored::Null) { Some(None) } else { T::from_sqlite(value).map(Some) }
    }
}

impl Row {
    pub(crate) fn get<T: Field>(&self, column: &str) -> Result<T, Error> {
        match &self.0 {
            Answer::Sqlite(row) => T::from_sqlite(row.get(column)?)
                .ok_or_else(|| Error::Corrupt(format!("column {column} is of another type"))),
            Answer::Postgres(row) => row.try_get("", column).map_err(Error::from),
        }
    }

    /// A column that holds microseconds since 1970.
    pub(crate) fn time(&self, column: &str) -> Result<DateTime<Utc>, Error> {
        from_micros(self.get(column)?)
    }

    pub(crate) fn optional_time(&self, column: &str) -> Result<Option<DateTime<Utc>>, Error> {
        self.get::<Option<i64>>(column)?.map(from_micros).transpose()
    }

    /// A column that holds the name of something with [`std::str::FromStr`].
    pub(crate) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        column: &str,
    ) -> Result<T, Error> {
        let text: String = self.get(column)?;
        text.parse().map_err(|error| Error::Corrupt(format!("column {column}: {error}")))
    }

    /// A column that holds JSON text.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, Error> {
        let text: String = self.get(column)?;
        serde_json::from_str(&text).map_err(|error| Error::Corrupt(format!("column {column}: {error}")))
    }
}

fn from_micros(micros: i64) -> Result<DateTime<Utc>, Error> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| Error::Corrupt(format!("{micros} is no time")))
}

/// A time as it is stored: microseconds since 1970, UTC.
pub(crate) fn micros(time: DateTime<Utc>) -> Value {
    Value::BigInt(Some(time.timestamp_micros()))
}

pub(crate) fn optional_micros(time: Option<DateTime<Utc>>) -> Value {
    Value::BigInt(time.map(|time| time.timestamp_micros()))
}

/// JSON as it is stored: text, which keeps the order of keys on both databases.
pub(crate) fn json_text<T: serde::Serialize>(value: &T) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Error::Database(format!("cannot be written as JSON: {error}")))
}

pub(crate) fn is_postgres<D: Db>(db: &D) -> bool {
    matches!(db.link().0, Way::Postgres(_) | Way::PostgresReaders(_))
}

/// Refuses what only one of the databases could keep.
pub(crate) fn storable(text: &str) -> Result<(), Error> {
    if text.contains('\0') { Err(Error::Unstorable) } else { Ok(()) }
}

fn statement(sql: &str, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

fn all_storable(values: &[Value]) -> Result<(), Error> {
    values.iter().try_for_each(|value| match value {
        Value::String(Some(text)) => storable(text),
        _ => Ok(()),
    })
}

/// Tells a transaction what went wrong in it.
fn failed<D: Db, T>(db: &D, result: Result<T, Error>) -> Result<T, Error> {
    result.inspect_err(|_| db.note_error(false))
}

fn failed_postgres<D: Db, T>(db: &D, result: Result<T, DbErr>) -> Result<T, Error> {
    Ok(result.inspect_err(|error| db.note_error(is_conflict(error)))?)
}

fn sqlite_rows(rows: Vec<SqliteRow>) -> Vec<Row> {
    rows.into_iter().map(|row| Row(Answer::Sqlite(row))).collect()
}

fn postgres_rows(rows: Vec<QueryResult>) -> Vec<Row> {
    rows.into_iter().map(|row| Row(Answer::Postgres(row))).collect()
}

pub(crate) async fn query_all<D: Db>(db: &D, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
    all_storable(&values)?;
    match db.link().0 {
        Way::Sqlite(tx) => failed(db, tx.query_in_transaction(sql, &values)).map(sqlite_rows),
        Way::SqliteReaders(readers) => readers.all(sql, values).await.map(sqlite_rows),
        Way::Postgres(tx) => {
            failed_postgres(db, tx.query_all_raw(statement(sql, values)).await).map(postgres_rows)
        }
        Way::PostgresReaders(pool) => {
            failed_postgres(db, pool.query_all_raw(statement(sql, values)).await).map(postgres_rows)
        }
    }
}

/// Gives each row of an answer to `each` as it comes, so that a long answer is not held as rows.
pub(crate) async fn for_each_row(
    db: &Reader,
    sql: &str,
    values: Vec<Value>,
    mut each: impl FnMut(Row) -> Result<(), Error> + Send,
) -> Result<(), Error> {
    all_storable(&values)?;
    match &db.0 {
        Pool::Sqlite(readers) => readers.each(sql, values, |row| each(Row(Answer::Sqlite(row)))).await,
        Pool::Postgres(pool) => {
            let mut rows = pool.stream_raw(statement(sql, values)).await?;
            while let Some(row) = rows.next().await {
                each(Row(Answer::Postgres(row?)))?;
            }
            Ok(())
        }
    }
}

/// The first row of an answer. Readers of SQLite look for it on the calling thread: it must be found by an index.
pub(crate) async fn query_one<D: Db>(db: &D, sql: &str, values: Vec<Value>) -> Result<Option<Row>, Error> {
    all_storable(&values)?;
    match db.link().0 {
        Way::Sqlite(tx) => Ok(failed(db, tx.query_in_transaction(sql, &values))?
            .into_iter()
            .next()
            .map(|row| Row(Answer::Sqlite(row)))),
        Way::SqliteReaders(readers) => {
            Ok(readers.first(sql, &values).await?.map(|row| Row(Answer::Sqlite(row))))
        }
        Way::Postgres(tx) => {
            let row = failed_postgres(db, tx.query_one_raw(statement(sql, values)).await)?;
            Ok(row.map(|row| Row(Answer::Postgres(row))))
        }
        Way::PostgresReaders(pool) => {
            let row = failed_postgres(db, pool.query_one_raw(statement(sql, values)).await)?;
            Ok(row.map(|row| Row(Answer::Postgres(row))))
        }
    }
}

/// Runs a statement that writes, and says how many rows it touched.
pub(crate) async fn execute<D: Db>(db: &D, sql: &str, values: Vec<Value>) -> Result<u64, Error> {
    all_storable(&values)?;
    db.note_write();
    match db.link().0 {
        Way::Sqlite(tx) => failed(db, tx.execute_in_transaction(sql, &values)),
        Way::Postgres(tx) => {
            Ok(failed_postgres(db, tx.execute_raw(statement(sql, values)).await)?.rows_affected())
        }
        Way::SqliteReaders(_) | Way::PostgresReaders(_) => Err(read_only()),
    }
}

fn read_only() -> Error {
    Error::Database("a statement that writes needs a transaction".to_owned())
}

/// Runs a statement that writes and answers with rows (`RETURNING`).
pub(crate) async fn execute_returning<D: Db>(
    db: &D,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<Row>, Error> {
    db.note_write();
    query_all(db, sql, values).await
}

/// Rows of one statement. PostgreSQL, to which each is a journey, takes at most 65,535 values.
const ROWS_POSTGRES: usize = 500;
const ROWS_SQLITE: usize = 20;

/// Inserts rows: those in `shared` have the same value in all of them, `columns` come with each.
pub(crate) async fn insert<D: Db>(
    db: &D,
    table: &str,
    shared: &[(&str, Value)],
    columns: &[&str],
    rows: &[Vec<Value>],
) -> Result<(), Error> {
    for row in rows {
        all_storable(row)?;
    }
    db.note_write();
    let names = || shared.iter().map(|(name, _)| *name).chain(columns.iter().copied());
    let values = |row| shared.iter().map(|(_, value)| value).chain(row);
    match db.link().0 {
        Way::Sqlite(tx) => {
            // Few texts, so that their statements stay prepared.
            let text = |rows: usize| {
                let row = format!("({})", vec!["?"; names().count()].join(", "));
                let names: Vec<_> = names().collect();
                format!("INSERT INTO {table} ({}) VALUES {}", names.join(", "), vec![row; rows].join(", "))
            };
            let (many, rest) = rows.as_chunks::<ROWS_SQLITE>();
            let sql = text(ROWS_SQLITE);
            for rows in many {
                failed(db, tx.execute_in_order(&sql, rows.iter().flat_map(values)))?;
            }
            let sql = text(1);
            rest.iter().try_for_each(|row| failed(db, tx.execute_in_order(&sql, values(row))))
        }
        Way::Postgres(tx) => {
            for rows in rows.chunks(ROWS_POSTGRES) {
                let mut statement = Query::insert();
                statement.into_table(Alias::new(table)).columns(names().map(Alias::new));
                for row in rows {
                    statement.values_panic(values(row).cloned().map(Expr::val));
                }
                failed_postgres(db, tx.execute(&statement).await)?;
            }
            Ok(())
        }
        Way::SqliteReaders(_) | Way::PostgresReaders(_) => Err(read_only()),
    }
}
