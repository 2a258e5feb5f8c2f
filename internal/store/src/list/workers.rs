//! The workers of the farm.

use flamenco_domain::worker::Worker;

use super::select::{Column, Select, folded};
use super::{Key, Page, Paging, Position, Span, WorkerFilter, WorkerSort};
use crate::db::{Reader, micros};
use crate::error::Error;
use crate::workers::{select_worker, worker};

/// The workers that are wanted and not deleted, each turned into what is kept of it as it is read.
///
/// # Errors
/// When the database cannot be read.
pub async fn workers<T: Send>(
    db: &Reader,
    filter: &WorkerFilter,
    paging: &Paging<WorkerSort>,
    mut keep: impl FnMut(Worker) -> T + Send,
) -> Result<Page<T>, Error> {
    let mut select = Select::new(db, select_worker!("WHERE w.deleted_at IS NULL"));
    select.one_of_words("w.status", filter.statuses.iter().map(|status| status.as_str()));
    supports_one_of(&mut select, &filter.types);
    select.contains("w.name", &filter.name);
    has_one_of(&mut select, filter);
    seen(&mut select, filter.seen);
    let (sort, column) = (paging.sort, column(&select, paging.sort));
    select
        .read(db, paging, &column, |row| {
            let worker = worker(row)?;
            let position = Position { key: key(sort, &worker), seq: worker.seq };
            Ok((keep(worker), position))
        })
        .await
}

/// Task types are stored as one text with commas.
fn supports_one_of(select: &mut Select, types: &[String]) {
    let find = if select.postgres { "strpos" } else { "instr" };
    let mut conditions = Vec::with_capacity(types.len());
    for name in types {
        let place = select.bind(format!(",{name},"));
        conditions.push(format!("{find}(',' || w.task_types || ',', {place}) > 0"));
    }
    if !conditions.is_empty() {
        select.and(&format!("({})", conditions.join(" OR ")));
    }
}

fn has_one_of(select: &mut Select, filter: &WorkerFilter) {
    let places: Vec<String> = filter.tags.iter().map(|tag| select.bind(tag.0)).collect();
    if !places.is_empty() {
        select.and(&format!(
            "EXISTS (SELECT 1 FROM worker_tag_membership m JOIN worker_tags g ON g.id = m.worker_tag_id \
             WHERE m.worker_id = w.id AND g.uuid IN ({}))",
            places.join(", ")
        ));
    }
}

/// Never is before everything.
fn seen(select: &mut Select, span: Span) {
    select.within("w.last_seen_at", Span { since: span.since, before: None });
    if let Some(moment) = span.before {
        let place = select.bind(micros(moment));
        select.and(&format!("(w.last_seen_at IS NULL OR w.last_seen_at < {place})"));
    }
}

fn column(select: &Select, sort: WorkerSort) -> Column {
    let sql = match sort {
        WorkerSort::Name => select.folded("w.name"),
        WorkerSort::Status => select.text("w.status"),
        WorkerSort::Version => select.text("w.software"),
        WorkerSort::LastSeen => "COALESCE(w.last_seen_at, 0)".to_owned(),
    };
    Column { sql, tie: Some("w.id") }
}

fn key(sort: WorkerSort, worker: &Worker) -> Key {
    match sort {
        WorkerSort::Name => folded(&worker.name),
        WorkerSort::Status => Key::Text(worker.status.as_str().to_owned()),
        WorkerSort::Version => Key::Text(worker.software.clone()),
        WorkerSort::LastSeen => Key::Number(worker.last_seen.map_or(0, |seen| seen.timestamp_micros())),
    }
}
