//! The writer: what is answered is stored, what fails leaves nothing, and one failure is one failure.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use flamenco_domain::event::Event;
use flamenco_domain::ids::TagId;
use flamenco_domain::worker::Tag;
use flamenco_store::testing::TestDatabase;
use flamenco_store::{Error, Store, tags};
use futures_util::FutureExt;

use crate::farm::{now, write};

fn tag(name: &str) -> Tag {
    Tag { id: TagId::random(), name: name.into(), description: String::new() }
}

async fn add(store: &Store, tag: Tag) -> Result<(), Error> {
    write(store, move |tx| {
        let tag = tag.clone();
        Box::pin(async move {
            tags::insert(tx, &tag, now()).await?;
            tx.announce(Event::Tag { tag, deleted: false });
            Ok(())
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_operation_of_a_batch_fails_alone_and_is_never_announced() {
    for database in TestDatabase::each().await {
        let events = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&events);
        let store = database.open(Arc::new(move |batch| sink.lock().unwrap().extend(batch))).await;
        add(&store, tag("taken")).await.unwrap();
        let attempts = (0..60).map(|n| {
            let name = if n % 7 == 3 { "taken".to_owned() } else { format!("tag {n}") };
            let store = store.clone();
            async move { (n, add(&store, tag(&name)).await) }
        });
        let results = futures_util::future::join_all(attempts).await;
        for (n, result) in &results {
            if n % 7 == 3 {
                assert!(matches!(result, Err(Error::Duplicate(_))), "{}: {n}: {result:?}", database.backend);
            } else {
                assert!(result.is_ok(), "{}: {n}: {result:?}", database.backend);
            }
        }
        let good = results.iter().filter(|(_, result)| result.is_ok()).count();
        assert_eq!(tags::all(store.read()).await.unwrap().len(), good + 1, "{}", database.backend);
        assert_eq!(events.lock().unwrap().len(), good + 1, "{}", database.backend);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_that_panics_after_writing_leaves_nothing() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let result: Result<(), Error> = write(&store, |tx| {
            Box::pin(async move {
                tags::insert(tx, &tag("half"), now()).await?;
                panic!("on purpose");
            })
        })
        .await;
        assert!(result.unwrap_err().to_string().contains("on purpose"));
        assert!(tags::all(store.read()).await.unwrap().is_empty());
        add(&store, tag("next")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_whose_caller_left_is_carried_through() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        // Polled once, the operation is in the writer's queue; dropping the future is the caller leaving.
        assert!(add(&store, tag("kept")).now_or_never().is_none());
        // Another operation is behind it in the same queue, so the first is done when the second is answered.
        add(&store, tag("second")).await.unwrap();
        let names: Vec<String> =
            tags::all(store.read()).await.unwrap().into_iter().map(|tag| tag.name).collect();
        assert_eq!(names, ["kept", "second"], "{}", database.backend);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_low_priority_flood_does_not_hold_up_the_others() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let low_done = Arc::new(AtomicUsize::new(0));
        let flood = (0..100).map(|n| {
            let (store, low_done) = (store.clone(), Arc::clone(&low_done));
            tokio::spawn(async move {
                let name = format!("low {n}");
                store
                    .write_low::<_, (), Error>(move |tx| {
                        let tag = tag(&name);
                        Box::pin(async move { tags::insert(tx, &tag, now()).await })
                    })
                    .await
                    .unwrap();
                low_done.fetch_add(1, Ordering::SeqCst);
            })
        });
        let flood: Vec<_> = flood.collect();
        tokio::task::yield_now().await;
        add(&store, tag("urgent")).await.unwrap();
        let done_before_urgent = low_done.load(Ordering::SeqCst);
        futures_util::future::join_all(flood).await;
        assert!(done_before_urgent < 50, "{}: {done_before_urgent} slices went first", database.backend);
        assert_eq!(tags::all(store.read()).await.unwrap().len(), 101);
    }
}

#[tokio::test]
async fn what_was_answered_is_there_after_reopening() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        add(&store, tag("kept")).await.unwrap();
        store.close().await;
        let store = database.open_quietly().await;
        assert_eq!(tags::all(store.read()).await.unwrap()[0].name, "kept");
    }
}

#[tokio::test]
async fn closing_finishes_what_was_accepted_and_refuses_the_rest() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let other = store.clone();
        let mut accepted: Vec<_> = (0..50).map(|n| Box::pin(add(&other, tag(&format!("tag {n}"))))).collect();
        for operation in &mut accepted {
            assert!(operation.now_or_never().is_none(), "it is in the queue");
        }
        store.close().await;
        for operation in accepted {
            operation.await.unwrap();
        }
        assert!(matches!(add(&other, tag("late")).await, Err(Error::Closed)), "{}", database.backend);
        let store = database.open_quietly().await;
        assert_eq!(tags::all(store.read()).await.unwrap().len(), 50);
    }
}
