//! The audit trail.

use flamenco_domain::audit::Entry;
use uuid::Uuid;

use super::select::{Column, Select};
use super::{Key, Page, Paging, Position};
use crate::db::{Reader, Row};
use crate::error::Error;

/// Which entries are wanted; what is empty or `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Only changes of this.
    pub object: Option<Uuid>,
    /// Only of people whose name has this text in it, without regard to case.
    pub name: String,
    /// Only this operation.
    pub operation: Option<String>,
}

/// An entry and its number, by which later ones are told from earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// The number.
    pub number: i64,
    /// The entry.
    pub entry: Entry,
}

/// The entries that are wanted, the newest first: at most `limit` of those with a smaller number than `before`.
///
/// # Errors
/// When the database cannot be read.
pub async fn audit(
    db: &Reader,
    filter: &AuditFilter,
    before: Option<i64>,
    limit: u32,
) -> Result<Page<Numbered>, Error> {
    let columns = "SELECT id, at, operation, object_kind, object_id, object_name, summary, role, name, address FROM \
                   audit WHERE 1 = 1";
    let mut select = Select::new(db, columns);
    select.one_of("object_id", filter.object.into_iter());
    select.one_of("operation", filter.operation.iter().map(String::as_str));
    select.contains("name", &filter.name);
    let paging = Paging { sort: (), descending: true, after: before.map(place), limit: Some(limit) };
    let column = Column { sql: "id".to_owned(), tie: None };
    select
        .read(db, &paging, &column, |row| {
            let numbered = numbered(row)?;
            let place = place(numbered.number);
            Ok((numbered, place))
        })
        .await
}

const fn place(number: i64) -> Position {
    Position { key: Key::Number(number), seq: number }
}

fn numbered(row: &Row) -> Result<Numbered, Error> {
    let entry = Entry {
        at: row.time("at")?,
        operation: row.get("operation")?,
        kind: row.parse("object_kind")?,
        object: row.get("object_id")?,
        object_name: row.get("object_name")?,
        summary: row.get("summary")?,
        role: row.parse("role")?,
        name: row.get("name")?,
        address: row.get("address")?,
    };
    Ok(Numbered { number: row.get("id")?, entry })
}
