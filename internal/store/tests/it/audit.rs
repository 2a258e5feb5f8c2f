//! The audit trail: pages, filters, and that it is forgotten in time.

use chrono::{TimeDelta, Utc};
use flamenco_domain::audit::{Entry, ObjectKind};
use flamenco_domain::role::Role;
use flamenco_store::list::{self, AuditFilter};
use flamenco_store::testing::TestDatabase;
use flamenco_store::{Store, audit, jobs};
use uuid::Uuid;

use crate::farm::{job, now, store_job, task, worker, write};

fn entry(minute: i64, operation: &str, object: Option<Uuid>, name: &str) -> Entry {
    Entry {
        at: now() + TimeDelta::minutes(minute),
        operation: operation.to_owned(),
        kind: ObjectKind::Job,
        object,
        object_name: "shot 7".to_owned(),
        summary: "status: canceled".to_owned(),
        role: Role::Artist,
        name: name.to_owned(),
        address: "10.0.0.7".to_owned(),
    }
}

async fn add(store: &Store, entry: Entry) {
    write(store, move |tx| {
        let entry = entry.clone();
        Box::pin(async move { audit::add(tx, &entry).await })
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_trail_is_read_page_by_page_and_filtered() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let (one, two) = (Uuid::new_v4(), Uuid::new_v4());
        let all = [
            entry(0, "setJobStatus", Some(one), "Lighting"),
            entry(1, "setJobPriority", Some(two), "ÜBER"),
            entry(2, "setJobStatus", None, ""),
            entry(3, "setJobStatus", Some(two), "lighting_2"),
            entry(4, "deleteJob", Some(one), "Wrangler"),
        ];
        for entry in &all {
            add(&store, entry.clone()).await;
        }
        let page = async |filter: AuditFilter, before: Option<i64>, limit: u32| {
            list::audit(store.read(), &filter, before, limit).await.unwrap()
        };
        let whole = page(AuditFilter::default(), None, 500).await;
        assert!(whole.next.is_none());
        let numbers: Vec<i64> = whole.entries.iter().map(|numbered| numbered.number).collect();
        assert!(numbers.is_sorted_by(|a, b| a > b), "the newest first: {numbers:?}");
        let entries: Vec<_> = whole.entries.iter().map(|numbered| numbered.entry.clone()).rev().collect();
        assert_eq!(entries, all, "what is read is what was written");

        let first = page(AuditFilter::default(), None, 2).await;
        assert_eq!(first.entries, whole.entries[..2]);
        assert_eq!(first.next.unwrap().seq, numbers[1]);
        let rest = page(AuditFilter::default(), Some(numbers[1]), 3).await;
        assert_eq!((rest.entries.as_slice(), rest.next), (&whole.entries[2..], None));

        let filter = |object, name: &str, operation: &str| AuditFilter {
            object,
            name: name.to_owned(),
            operation: Some(operation.to_owned()).filter(|operation| !operation.is_empty()),
        };
        for (filter, want) in [
            (filter(Some(one), "", ""), vec![4, 0]),
            (filter(None, "LIGHTING", ""), vec![3, 0]),
            (filter(None, "über", ""), vec![1]),
            (filter(None, "g_", ""), vec![3]),
            (filter(None, "%", ""), vec![]),
            (filter(None, "", "setJobStatus"), vec![3, 2, 0]),
            (filter(Some(two), "g", "setJobStatus"), vec![3]),
            (filter(Some(Uuid::new_v4()), "", ""), vec![]),
        ] {
            let found = page(filter.clone(), None, 500).await;
            let found: Vec<_> = found.entries.iter().map(|numbered| &numbered.entry).collect();
            assert_eq!(found, want.iter().map(|index| &all[*index]).collect::<Vec<_>>(), "{filter:?}");
        }
    }
}

#[tokio::test]
async fn old_entries_are_forgotten() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        for minute in 0..5 {
            add(&store, entry(minute, "setJobStatus", None, "")).await;
        }
        assert_eq!(audit::prune(&store, now() + TimeDelta::minutes(3)).await.unwrap(), 3);
        let left = list::audit(store.read(), &AuditFilter::default(), None, 500).await.unwrap();
        let minutes: Vec<_> =
            left.entries.iter().map(|numbered| (numbered.entry.at - now()).num_minutes()).collect();
        assert_eq!(minutes, [4, 3]);
        assert_eq!(audit::prune(&store, now()).await.unwrap(), 0);
        // Numbers are never given again, so that `before` keeps its meaning.
        assert_eq!(audit::prune(&store, Utc::now() + TimeDelta::days(36_500)).await.unwrap(), 2);
        add(&store, entry(0, "setJobStatus", None, "")).await;
        let again = list::audit(store.read(), &AuditFilter::default(), None, 500).await.unwrap();
        assert!(again.entries[0].number > left.entries[0].number);
    }
}

#[tokio::test]
async fn what_has_a_name_is_known_by_it() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let made = store_job(&store, job(50, vec![task("blender", 50, &[])])).await;
        let job = jobs::find(store.read(), made.summary.id).await.unwrap().unwrap();
        let worker = worker(&store, &["blender"]).await;
        let name = async |kind, id: Uuid| audit::name_of(store.read(), kind, id).await.unwrap();
        assert_eq!(name(ObjectKind::Job, job.summary.id.0).await.as_deref(), Some(job.summary.name.as_str()));
        assert_eq!(name(ObjectKind::Worker, worker.id.0).await.as_deref(), Some("node"));
        assert_eq!(name(ObjectKind::Task, job.summary.id.0).await, None, "another kind has other ids");
        assert_eq!(name(ObjectKind::Configuration, job.summary.id.0).await, None);
    }
}
