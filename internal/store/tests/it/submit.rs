//! Storing jobs, small and large.

use flamenco_domain::ids::TaskId;
use flamenco_domain::job::JobStatus;
use flamenco_store::submit::{submit, submit_as_made};
use flamenco_store::testing::TestDatabase;
use flamenco_store::{Error, claim, jobs, recount, tasks};

use crate::farm::{job, now, store_job, task, worker, write};

#[tokio::test]
async fn a_job_round_trips_with_its_documents_and_tasks() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let mut new = job(70, vec![task("blender", 50, &[]), task("ffmpeg", 60, &[0])]);
        let settings = serde_json::json!({"zeta": 1, "alpha": {"b": [1, 2.5, null], "a": "ünï \"code\" {blender}"}, "kernel": true});
        new.settings = settings.as_object().unwrap().clone();
        new.metadata = serde_json::json!({"user.name": "someone"}).as_object().unwrap().clone();
        new.shaman_checkout_id = "Весы/Синтел".into();
        let stored = store_job(&store, new.clone()).await;
        assert_eq!(
            serde_json::to_string(&stored.settings).unwrap(),
            serde_json::to_string(&settings).unwrap(),
            "order is kept"
        );
        assert_eq!(stored.summary.steps_total, 4);
        assert_eq!((stored.summary.counts.queued, stored.summary.runnable), (2, 1));
        assert_eq!((stored.summary.created, stored.summary.updated), (now(), now()));
        assert_eq!(stored.summary.status, JobStatus::Queued);
        assert_eq!(jobs::find(store.read(), new.id).await.unwrap().as_ref(), Some(&stored));
        let list = tasks::of_job(store.read(), new.id).await.unwrap();
        assert_eq!(list.iter().map(|task| task.index_in_job).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(list.iter().map(|task| task.unmet_dependencies).collect::<Vec<_>>(), [0, 1]);
        let whole = tasks::find(store.read(), new.tasks[1].id).await.unwrap().unwrap();
        assert_eq!(whole.commands, new.tasks[1].commands);
        assert_eq!(recount::differences(store.read()).await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_job_is_complete_when_it_appears_and_invisible_before() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let node = worker(&store, &["blender", "ffmpeg"]).await;
        let mut list: Vec<_> = (0..3_500).map(|_| task("blender", 50, &[])).collect();
        list.push(task("ffmpeg", 50, &(0..3_500).collect::<Vec<_>>()));
        let new = job(50, list);
        let id = new.id;
        let submitting = tokio::spawn({
            let store = store.clone();
            async move { store_job(&store, new).await }
        });
        while !submitting.is_finished() {
            for seen in jobs::all(store.read()).await.unwrap() {
                assert_eq!(seen.summary.counts.queued, 3_501, "{}", database.backend);
                assert_eq!(tasks::of_job(store.read(), id).await.unwrap().len(), 3_501);
            }
        }
        let stored = submitting.await.unwrap();
        assert_eq!((stored.summary.counts.queued, stored.summary.runnable), (3_501, 3_500));
        assert_eq!(recount::differences(store.read()).await.unwrap(), Vec::<String>::new());
        let next = claim::peek(store.read(), &node).await.unwrap().unwrap().task;
        assert_eq!(next.summary.index_in_job, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looks_at_many_tasks_at_once_see_each() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let new = job(50, (0..600).map(|_| task("misc", 50, &[])).collect());
        let ids: Vec<_> = new.tasks.iter().map(|task| task.id).collect();
        store_job(&store, new).await;
        let looks = ids.iter().flat_map(|id| [*id, TaskId::random(), *id]).map(|id| {
            let store = store.clone();
            tokio::spawn(async move { (id, store.look_at_task(id).await.unwrap()) })
        });
        let looks: Vec<_> = looks.collect();
        for (place, look) in looks.into_iter().enumerate() {
            let (id, seen) = look.await.unwrap();
            assert_eq!(seen.is_some(), ids.contains(&id), "{}: look {place}", database.backend);
            if let Some((task, job)) = seen {
                assert_eq!((task.id, job), (id, JobStatus::Queued));
            }
        }
        store.close().await;
    }
}

#[tokio::test]
async fn nothing_remains_of_a_job_whose_tasks_cannot_all_be_made() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let kept = store_job(&store, job(50, vec![task("misc", 50, &[])])).await;
        for good in [0, 1, 3_500] {
            let tasks = (0..good).map(|_| Ok(task("blender", 50, &[])));
            let tasks = tasks.chain([Err(Error::Unstorable), Ok(task("blender", 50, &[]))]);
            let refused = submit_as_made(&store, job(50, Vec::new()), tasks).await;
            assert!(matches!(refused, Err(Error::Unstorable)), "after {good}: {refused:?}");
        }
        let waits_for_nobody = vec![task("misc", 50, &[7])];
        assert!(submit(&store, job(50, waits_for_nobody)).await.is_err());
        let left: Vec<_> =
            jobs::all(store.read()).await.unwrap().into_iter().map(|job| job.summary.id).collect();
        assert_eq!(left, [kept.summary.id]);
        store.close().await;
        let rows = database.rows().await;
        assert_eq!((rows["jobs"], rows["tasks"]), (1, 1), "{}: {rows:?}", database.backend);
    }
}

#[tokio::test]
async fn what_a_crash_left_half_stored_is_removed() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let kept = store_job(&store, job(50, vec![task("misc", 50, &[])])).await;
        let half = store_job(&store, job(50, vec![task("misc", 50, &[])])).await;
        write(&store, move |tx| {
            let mut half = half.summary.clone();
            half.status = JobStatus::UnderConstruction;
            Box::pin(async move { jobs::save(tx, &half, true).await })
        })
        .await
        .unwrap();
        assert_eq!(write(&store, |tx| Box::pin(jobs::remove_unfinished(tx))).await.unwrap(), 1);
        let left: Vec<_> =
            jobs::all(store.read()).await.unwrap().into_iter().map(|job| job.summary.id).collect();
        assert_eq!(left, [kept.summary.id]);
    }
}
