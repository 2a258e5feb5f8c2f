//! Checks of the database, and keeping its files small.

use std::os::unix::fs::FileExt;
use std::path::Path;

use flamenco_store::check::{Health, inspect};
use flamenco_store::testing::TestDatabase;
use flamenco_store::{Location, Store, deletion, jobs};
use tokio_util::sync::CancellationToken;

use crate::farm::{job, now, store_job, task, write};

fn path(database: &TestDatabase) -> &Path {
    match &database.location {
        Location::Sqlite(path) => path,
        Location::Postgres { .. } => panic!("this is about files"),
    }
}

fn size(path: &Path, suffix: &str) -> u64 {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    std::fs::metadata(name).map_or(0, |metadata| metadata.len())
}

/// A job whose row takes so many bytes.
async fn store_large_job(store: &Store, bytes: usize) -> flamenco_domain::ids::JobId {
    let mut new = job(50, vec![task("blender", 50, &[])]);
    new.metadata.insert("large".to_owned(), "x".repeat(bytes).into());
    store_job(store, new).await.summary.id
}

#[tokio::test]
async fn a_sound_database_is_said_to_be_sound() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        store_job(&store, job(50, vec![task("blender", 50, &[])])).await;
        let go_on = CancellationToken::new();
        assert_eq!(store.check(&go_on).await, Health::Sound, "{}", database.backend);
        assert_eq!(inspect(&database.location, &go_on).await.unwrap(), Health::Sound, "while it is open");
        store.close().await;
        assert_eq!(inspect(&database.location, &go_on).await.unwrap(), Health::Sound);
        database.remove().await;
    }
}

#[tokio::test]
async fn a_check_that_was_stopped_says_nothing_about_the_database() {
    let database = TestDatabase::sqlite();
    let store = database.open_quietly().await;
    for _ in 0..20 {
        store_job(&store, job(50, (0..500).map(|_| task("blender", 50, &[])).collect())).await;
    }
    let cancel = CancellationToken::new();
    cancel.cancel();
    assert!(matches!(store.check(&cancel).await, Health::NotChecked(_)));
    assert_eq!(store.check(&CancellationToken::new()).await, Health::Sound);
    store.close().await;
}

#[tokio::test]
async fn rows_that_refer_to_nothing_are_damage() {
    let database = TestDatabase::sqlite();
    let store = database.open_quietly().await;
    store_job(&store, job(50, vec![task("blender", 50, &[])])).await;
    store.close().await;
    database.execute("PRAGMA foreign_keys = OFF; DELETE FROM jobs").await;
    let Health::Damaged(problems) = inspect(&database.location, &CancellationToken::new()).await.unwrap()
    else {
        panic!("it is not sound");
    };
    assert!(problems.iter().any(|problem| problem.contains("tasks refers to a row of jobs")), "{problems:?}");
}

#[tokio::test]
async fn what_is_maintained_is_compared_too() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        store_job(&store, job(50, vec![task("blender", 50, &[])])).await;
        store.close().await;
        database.execute("UPDATE jobs SET tasks_queued = 7").await;
        let found = inspect(&database.location, &CancellationToken::new()).await.unwrap();
        assert!(matches!(&found, Health::Damaged(problems) if problems[0].contains("7")), "{found:?}");
        database.remove().await;
    }
}

#[tokio::test]
async fn a_damaged_file_is_not_opened_after_a_crash() {
    let database = TestDatabase::sqlite();
    let store = database.open_quietly().await;
    store_job(&store, job(50, (0..500).map(|_| task("blender", 50, &[])).collect())).await;
    assert!(store.checkpoint().await.unwrap(), "all is in the file");
    assert!(!store.was_left_open());
    let file = std::fs::File::options().write(true).open(path(&database)).unwrap();
    for page in (20..file.metadata().unwrap().len() / 4096).step_by(2) {
        file.write_all_at(&[0xff; 300], page * 4096).unwrap();
    }
    assert!(matches!(store.check(&CancellationToken::new()).await, Health::Damaged(_)));
    // Never closed: that is the crash.
    let error = Store::open(&database.location, std::sync::Arc::new(|_| {})).await.err().unwrap();
    assert!(matches!(error, flamenco_store::Error::Damaged(_)), "{error:?}");
    store.close().await;
}

#[tokio::test]
async fn a_clean_end_is_told_from_a_crash() {
    let database = TestDatabase::sqlite();
    let store = database.open_quietly().await;
    store_job(&store, job(50, vec![task("blender", 50, &[])])).await;
    let after_a_crash = database.open_quietly().await;
    assert!(after_a_crash.was_left_open());
    after_a_crash.close().await;
    store.close().await;
    let store = database.open_quietly().await;
    assert!(!store.was_left_open());
    store.close().await;
}

#[tokio::test]
async fn the_log_beside_the_database_is_emptied() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        store_large_job(&store, 1 << 20).await;
        if database.backend == "sqlite" {
            assert!(size(path(&database), "-wal") > 1 << 20);
        }
        assert!(store.checkpoint().await.unwrap(), "{}", database.backend);
        if database.backend == "sqlite" {
            assert_eq!(size(path(&database), "-wal"), 0);
        }
        store.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn a_mostly_empty_database_is_made_smaller() {
    let database = TestDatabase::sqlite();
    let store = database.open_quietly().await;
    assert!(!store.vacuum_when_mostly_empty().await.unwrap(), "there is nothing to gain");
    let kept = store_large_job(&store, 1000).await;
    let large = store_large_job(&store, 80 << 20).await;
    store.checkpoint().await.unwrap();
    assert!(!store.vacuum_when_mostly_empty().await.unwrap(), "it is full");
    write(&store, move |tx| {
        Box::pin(async move {
            let mut job = jobs::lock(tx, large).await?.unwrap();
            job.delete_requested = Some(now());
            jobs::save(tx, &job, true).await
        })
    })
    .await
    .unwrap();
    assert!(deletion::erase(&store, large).await.unwrap());
    assert!(store.vacuum_when_mostly_empty().await.unwrap());
    assert!(size(path(&database), "") < 1 << 20, "{}", size(path(&database), ""));
    assert!(jobs::find(store.read(), kept).await.unwrap().is_some());
    assert_eq!(store.check(&CancellationToken::new()).await, Health::Sound);
    store.close().await;
}
