//! Building the statement of a list, and reading its rows.

use sea_orm::Value;

use super::name;
use super::{Key, Page, Paging, Position, Span};
use crate::db::{Reader, Row, for_each_row, is_postgres, micros};
use crate::error::Error;

/// A statement in the making: a `SELECT … WHERE …` that conditions are added to.
pub(super) struct Select {
    sql: String,
    values: Vec<Value>,
    pub(super) postgres: bool,
}

/// What a list is sorted by, as SQL.
pub(super) struct Column {
    pub(super) sql: String,
    /// The column that breaks ties; none when there are none.
    pub(super) tie: Option<&'static str>,
}

impl Select {
    pub(super) fn new(db: &Reader, start: &str) -> Self {
        Self { sql: start.to_owned(), values: Vec::new(), postgres: is_postgres(db) }
    }

    /// Adds a value and gives its placeholder.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    pub(super) fn and(&mut self, condition: &str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
    }

    /// One of our own words, or any when there are none. They stand in the text, so that partial indexes match.
    pub(super) fn one_of_words(&mut self, column: &str, words: impl Iterator<Item = &'static str>) {
        let words: Vec<String> = words.map(|word| format!("'{word}'")).collect();
        match words.as_slice() {
            [] => {}
            // Not as a list of one, in which SQLite does not recognise the condition of a partial index.
            [word] => self.and(&format!("{column} = {word}")),
            words => self.and(&format!("{column} IN ({})", words.join(", "))),
        }
    }

    /// One of some values, or any when there are none.
    pub(super) fn one_of<V: Into<Value>>(&mut self, column: &str, values: impl Iterator<Item = V>) {
        let places: Vec<String> = values.map(|value| self.bind(value)).collect();
        if !places.is_empty() {
            self.and(&format!("{column} IN ({})", places.join(", ")));
        }
    }

    /// One of the keys that `select` finds, which ends with the column that is one of some values; any when there are no
    /// values.
    pub(super) fn one_of_those<V: Into<Value>>(
        &mut self,
        column: &str,
        select: &str,
        values: impl Iterator<Item = V>,
    ) {
        let places: Vec<String> = values.map(|value| self.bind(value)).collect();
        if !places.is_empty() {
            self.and(&format!("{column} IN ({select} IN ({}))", places.join(", ")));
        }
    }

    pub(super) fn contains(&mut self, column: &str, part: &str) {
        if !part.is_empty() {
            let place = format!("${}", self.values.len() + 1);
            let (condition, pattern) = name::contains(column, &place, part, self.postgres);
            self.bind(pattern);
            self.and(&condition);
        }
    }

    pub(super) fn within(&mut self, column: &str, span: Span) {
        for (sign, moment) in [(">=", span.since), ("<", span.before)] {
            if let Some(moment) = moment {
                let place = self.bind(micros(moment));
                self.and(&format!("{column} {sign} {place}"));
            }
        }
    }

    /// Sorts by the bytes of a text.
    pub(super) fn text(&self, column: &str) -> String {
        if self.postgres { format!("{column} COLLATE \"C\"") } else { column.to_owned() }
    }

    /// As [`Self::text`], with the letters A to Z as if they were small; see [`folded`].
    pub(super) fn folded(&self, column: &str) -> String {
        format!("lower({})", self.text(column))
    }

    /// Reads the rows of a page. `entry` turns a row into what is kept of it, and its place.
    pub(super) async fn read<T: Send, S>(
        self,
        db: &Reader,
        paging: &Paging<S>,
        column: &Column,
        mut entry: impl FnMut(&Row) -> Result<(T, Position), Error> + Send,
    ) -> Result<Page<T>, Error> {
        let limit = paging.limit.map_or(usize::MAX, |limit| limit as usize);
        let (sql, values) = self.page(paging, column);
        let (mut entries, mut last, mut more) = (Vec::new(), None, false);
        for_each_row(db, &sql, values, |row| {
            if entries.len() == limit {
                more = true;
                return Ok(());
            }
            let (kept, position) = entry(&row)?;
            entries.push(kept);
            last = Some(position);
            Ok(())
        })
        .await?;
        Ok(Page { entries, next: last.filter(|_| more) })
    }

    /// The whole statement: starts after a place, sorts, and ends in time.
    fn page<S>(mut self, paging: &Paging<S>, column: &Column) -> (String, Vec<Value>) {
        let descending = paging.descending;
        let sql = &column.sql;
        if let Some(Position { key, seq }) = &paging.after {
            let sign = if descending { "<" } else { ">" };
            let key = match key {
                Key::Number(number) => self.bind(*number),
                Key::Text(text) => self.bind(text.as_str()),
            };
            match column.tie {
                None => self.and(&format!("{sql} {sign} {key}")),
                Some(tie) => {
                    let seq = self.bind(*seq);
                    self.and(&format!("({sql}, {tie}) {sign} ({key}, {seq})"));
                }
            }
        }
        let direction = if descending { "DESC" } else { "ASC" };
        self.sql.push_str(&format!(" ORDER BY {sql} {direction}"));
        if let Some(tie) = column.tie {
            self.sql.push_str(&format!(", {tie} {direction}"));
        }
        if let Some(limit) = paging.limit {
            // One more than is wanted tells whether there are more.
            let place = self.bind(i64::from(limit) + 1);
            self.sql.push_str(&format!(" LIMIT {place}"));
        }
        (self.sql, self.values)
    }

    /// How SQLite goes about a page, one step a line.
    #[cfg(test)]
    pub(super) async fn plan<S>(self, db: &Reader, paging: &Paging<S>, column: &Column) -> String {
        let (sql, values) = self.page(paging, column);
        let mut steps = String::new();
        for_each_row(db, &format!("EXPLAIN QUERY PLAN {sql}"), values, |row| {
            steps.push_str(&row.get::<String>("detail")?);
            steps.push('\n');
            Ok(())
        })
        .await
        .expect("SQLite explains itself");
        steps
    }
}

/// What `lower` makes of a text on both databases.
pub(super) fn folded(text: &str) -> Key {
    Key::Text(text.to_ascii_lowercase())
}
