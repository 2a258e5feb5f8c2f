//! Running statements: one text for both databases, with `$1`, `$2`, … for the values.

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement, StreamTrait, TryGetable,
    Value,
};

use crate::error::Error;

/// Something that named queries can run on: the readers of a [`crate::Store`], or a transaction of its writer.
pub trait Db: Sync {
    /// The connection behind it.
    #[doc(hidden)]
    type Connection: ConnectionTrait;
    /// The connection behind it.
    #[doc(hidden)]
    fn connection(&self) -> &Self::Connection;
    /// Called before anything is written, so that a transaction knows whether it must be rolled back.
    #[doc(hidden)]
    fn note_write(&self);
    /// Called with every error, so that a transaction knows whether it can go on.
    #[doc(hidden)]
    fn note_error(&self, error: &DbErr);
}

/// Read-only access through the pool.
#[derive(Clone)]
pub struct Reader(pub(crate) DatabaseConnection);

impl Db for Reader {
    type Connection = DatabaseConnection;

    fn connection(&self) -> &DatabaseConnection {
        &self.0
    }

    fn note_write(&self) {}

    fn note_error(&self, _: &DbErr) {}
}

/// A row of an answer.
pub(crate) struct Row(QueryResult);

impl Row {
    pub(crate) fn get<T: TryGetable>(&self, column: &str) -> Result<T, Error> {
        self.0.try_get("", column).map_err(Error::from)
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
    db.connection().get_database_backend() == DbBackend::Postgres
}

/// Refuses what only one of the databases could keep.
pub(crate) fn storable(text: &str) -> Result<(), Error> {
    if text.contains('\0') { Err(Error::Unstorable) } else { Ok(()) }
}

fn statement<D: Db>(db: &D, sql: &str, values: Vec<Value>) -> Result<Statement, Error> {
    for value in &values {
        if let Value::String(Some(text)) = value {
            storable(text)?;
        }
    }
    Ok(Statement::from_sql_and_values(db.connection().get_database_backend(), sql, values))
}

pub(crate) async fn query_all<D: Db>(db: &D, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
    let rows = db.connection().query_all_raw(statement(db, sql, values)?).await;
    Ok(rows.inspect_err(|error| db.note_error(error))?.into_iter().map(Row).collect())
}

/// Gives each row of an answer to `each` as it comes, so that a long answer is not held as rows.
pub(crate) async fn for_each_row(
    db: &Reader,
    sql: &str,
    values: Vec<Value>,
    mut each: impl FnMut(Row) -> Result<(), Error> + Send,
) -> Result<(), Error> {
    let mut rows = db.0.stream_raw(statement(db, sql, values)?).await?;
    while let Some(row) = rows.next().await {
        each(Row(row?))?;
    }
    Ok(())
}

pub(crate) async fn query_one<D: Db>(db: &D, sql: &str, values: Vec<Value>) -> Result<Option<Row>, Error> {
    let row = db.connection().query_one_raw(statement(db, sql, values)?).await;
    Ok(row.inspect_err(|error| db.note_error(error))?.map(Row))
}

/// Runs a statement that writes, and says how many rows it touched.
pub(crate) async fn execute<D: Db>(db: &D, sql: &str, values: Vec<Value>) -> Result<u64, Error> {
    db.note_write();
    let result = db.connection().execute_raw(statement(db, sql, values)?).await;
    Ok(result.inspect_err(|error| db.note_error(error))?.rows_affected())
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

/// Runs an insert made by the query builder, with the placeholders that the database is quick with.
pub(crate) async fn insert<D: Db>(
    db: &D,
    insert: &sea_orm::sea_query::InsertStatement,
) -> Result<Vec<Row>, Error> {
    db.note_write();
    let rows = db.connection().query_all(insert).await;
    Ok(rows.inspect_err(|error| db.note_error(error))?.into_iter().map(Row).collect())
}
