//! The jobs of the farm.

use flamenco_domain::job::{Job, JobSummary};

use super::select::{Column, Select, folded};
use super::{JobFilter, JobSort, Key, Page, Paging, Position};
use crate::db::Reader;
use crate::error::Error;
use crate::jobs::{select_job, whole};

/// The jobs that are wanted, each turned into what is kept of it as it is read. Jobs that are still being stored are
/// left out: nobody was told that they exist.
///
/// # Errors
/// When the database cannot be read.
pub async fn jobs<T: Send>(
    db: &Reader,
    filter: &JobFilter,
    paging: &Paging<JobSort>,
    mut keep: impl FnMut(Job) -> T + Send,
) -> Result<Page<T>, Error> {
    let select = select(db, filter);
    let (sort, column) = (paging.sort, column(&select, paging.sort));
    select
        .read(db, paging, &column, |row| {
            let job = whole(row)?;
            let position = Position { key: key(sort, &job.summary), seq: job.summary.seq };
            Ok((keep(job), position))
        })
        .await
}

fn select(db: &Reader, filter: &JobFilter) -> Select {
    let mut select = Select::new(db, select_job!("WHERE j.status <> 'under-construction'"));
    select.one_of_words("j.status", filter.statuses.iter().map(|status| status.as_str()));
    select.one_of("j.job_type", filter.types.iter().map(String::as_str));
    select.contains("j.name", &filter.name);
    select.one_of("g.uuid", filter.tags.iter().map(|tag| tag.0));
    select.one_of_those(
        "j.id",
        "SELECT t.job_id FROM tasks t JOIN workers w ON w.id = t.worker_id WHERE w.uuid",
        filter.workers.iter().map(|worker| worker.0),
    );
    select.within("j.created_at", filter.created);
    select.within("j.updated_at", filter.updated);
    select
}

fn column(select: &Select, sort: JobSort) -> Column {
    let sql = match sort {
        // Keys are the order of submission.
        JobSort::Created => return Column { sql: "j.id".to_owned(), tie: None },
        JobSort::Updated => "j.updated_at".to_owned(),
        JobSort::Name => select.folded("j.name"),
        JobSort::Type => select.text("j.job_type"),
        JobSort::Status => select.text("j.status"),
        JobSort::Priority => "j.priority".to_owned(),
    };
    Column { sql, tie: Some("j.id") }
}

fn key(sort: JobSort, job: &JobSummary) -> Key {
    match sort {
        JobSort::Created => Key::Number(job.seq),
        JobSort::Updated => Key::Number(job.updated.timestamp_micros()),
        JobSort::Name => folded(&job.name),
        JobSort::Type => Key::Text(job.job_type.clone()),
        JobSort::Status => Key::Text(job.status.as_str().to_owned()),
        JobSort::Priority => Key::Number(job.priority),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestDatabase;

    #[tokio::test]
    async fn the_usual_orders_come_from_an_index() {
        let database = TestDatabase::sqlite();
        let store = database.open_quietly().await;
        for (sort, key, index) in [
            (JobSort::Created, Key::Number(7), "INTEGER PRIMARY KEY (rowid"),
            (JobSort::Updated, Key::Number(7), "INDEX ix_jobs_updated (updated_at"),
        ] {
            for descending in [false, true] {
                let after = Some(Position { key: key.clone(), seq: 7 });
                let paging = Paging { sort, descending, after, limit: Some(100) };
                let select = select(store.read(), &JobFilter::default());
                let column = column(&select, sort);
                let plan = select.plan(store.read(), &paging, &column).await;
                assert!(plan.contains(&format!("SEARCH j USING {index}")), "{sort:?}: {plan}");
                assert!(!plan.contains("TEMP B-TREE"), "{sort:?}: {plan}");
            }
        }
        store.close().await;
    }
}
