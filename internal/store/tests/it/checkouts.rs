//! Which jobs use which checkouts.

use std::collections::HashSet;

use flamenco_domain::ids::JobId;
use flamenco_store::submit::submit;
use flamenco_store::testing::TestDatabase;
use flamenco_store::{Error, Store, checkouts, deletion, jobs};

use crate::farm::{job, now, store_job, task};

async fn job_with(store: &Store, checkout: &str) -> JobId {
    let mut new = job(50, vec![task("blender", 50, &[])]);
    new.shaman_checkout_id = checkout.into();
    store_job(store, new).await.summary.id
}

async fn mark(store: &Store, id: JobId) {
    let marked: Result<(), Error> = store
        .write(move |tx| {
            Box::pin(async move {
                let mut job = jobs::lock(tx, id).await?.expect("the job exists");
                job.delete_requested = Some(now());
                jobs::save(tx, &job, true).await
            })
        })
        .await;
    marked.unwrap();
}

#[tokio::test]
async fn a_checkout_goes_with_the_last_job_that_uses_it() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let none = job_with(&store, "").await;
        let (one, two, three) =
            (job_with(&store, "a").await, job_with(&store, "a").await, job_with(&store, "a").await);
        let alone = job_with(&store, "b").await;
        let all = checkouts::of_all_jobs(store.read()).await.unwrap();
        assert_eq!(all, HashSet::from(["a".to_owned(), "b".to_owned()]));
        let to_erase = async |id| checkouts::to_erase_with(store.read(), id).await.unwrap();
        assert_eq!(to_erase(none).await, None);
        assert_eq!(to_erase(alone).await.as_deref(), Some("b"));
        mark(&store, one).await;
        mark(&store, three).await;
        for id in [one, three] {
            assert_eq!(to_erase(id).await, None, "a job that stays uses it");
        }
        mark(&store, two).await;
        // In whatever order the marked ones are erased, exactly the last of them takes it along.
        assert_eq!((to_erase(one).await, to_erase(two).await), (None, None));
        assert_eq!(to_erase(three).await.as_deref(), Some("a"));
        assert!(deletion::erase(&store, three).await.unwrap());
        assert_eq!(to_erase(two).await.as_deref(), Some("a"));
    }
}

#[tokio::test]
async fn a_job_comes_too_late_for_a_checkout_that_is_being_erased() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let (old, other) = (job_with(&store, "a").await, job_with(&store, "a").await);
        mark(&store, old).await;
        let third = job_with(&store, "a").await;
        assert_eq!(checkouts::to_erase_with(store.read(), old).await.unwrap(), None);
        mark(&store, other).await;
        let fourth = job_with(&store, "a").await;
        mark(&store, third).await;
        mark(&store, fourth).await;
        for count in [1, 600] {
            let mut late = job(50, (0..count).map(|_| task("blender", 50, &[])).collect());
            late.shaman_checkout_id = "a".into();
            let refused = submit(&store, late.clone()).await;
            assert!(matches!(refused, Err(Error::CheckoutErased(id)) if id == "a"), "{count} tasks");
            assert_eq!(jobs::find(store.read(), late.id).await.unwrap(), None);
            late.shaman_checkout_id = String::new();
            submit(&store, late).await.unwrap();
        }
        for id in [old, other, third, fourth] {
            assert!(deletion::erase(&store, id).await.unwrap());
        }
        job_with(&store, "a").await;
    }
}
