//! Counters, dependencies and queue heads equal a recount after whatever happens to tasks.

use flamenco_domain::ids::{JobId, TaskId};
use flamenco_domain::job::MassChange;
use flamenco_domain::task::TaskStatus as T;
use flamenco_store::testing::TestDatabase;
use flamenco_store::{Error, Store, Tx, jobs, recount, tasks};
use proptest::prelude::*;

use crate::farm::{job, now, set_status, store_job, task, write};

async fn assert_sound(store: &Store, when: &str) {
    let differences = recount::differences(store.read()).await.unwrap();
    assert!(differences.is_empty(), "{when}: {differences:#?}");
}

#[tokio::test]
async fn dependants_are_released_by_the_last_completion_and_held_again_by_a_requeue() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let new =
            job(50, vec![task("blender", 50, &[]), task("blender", 50, &[]), task("ffmpeg", 50, &[0, 1])]);
        let ids: Vec<_> = new.tasks.iter().map(|task| task.id).collect();
        let stored = store_job(&store, new).await;
        let runnable =
            || async { jobs::find(store.read(), stored.summary.id).await.unwrap().unwrap().summary.runnable };
        for (place, to, want) in [
            (0, T::Active, 1),
            (0, T::Completed, 1),
            (1, T::Active, 0),
            (1, T::Completed, 1),
            (1, T::Queued, 1),
            (1, T::Completed, 1),
            (2, T::Active, 0),
            (0, T::Queued, 1),
            (2, T::Queued, 1),
            (0, T::Completed, 1),
        ] {
            set_status(&store, ids[place], to, None).await;
            assert_sound(&store, &format!("{}: task {place} {to}", database.backend)).await;
            assert_eq!(runnable().await, want, "{}: task {place} {to}", database.backend);
        }
    }
}

#[tokio::test]
async fn a_single_change_keeps_steps_in_line() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let new = job(50, vec![task("misc", 50, &[]), task("misc", 50, &[])]);
        let id = new.tasks[0].id;
        let stored = store_job(&store, new).await;
        set_status(&store, id, T::Completed, None).await;
        let steps =
            jobs::find(store.read(), stored.summary.id).await.unwrap().unwrap().summary.steps_completed;
        assert_eq!(steps, 2);
        set_status(&store, id, T::Queued, None).await;
        let steps =
            jobs::find(store.read(), stored.summary.id).await.unwrap().unwrap().summary.steps_completed;
        assert_eq!(steps, 0);
    }
}

const MASS: &[MassChange] = &[
    MassChange { from: &[T::Active, T::Queued, T::SoftFailed, T::Paused], to: T::Canceled },
    MassChange { from: &[T::Queued, T::SoftFailed], to: T::Paused },
    MassChange { from: &[T::Canceled, T::Failed, T::Paused, T::SoftFailed], to: T::Queued },
    MassChange {
        from: &[T::Completed, T::Canceled, T::Failed, T::Paused, T::SoftFailed, T::Active],
        to: T::Queued,
    },
];

#[derive(Debug, Clone)]
enum Change {
    One(usize, T),
    Mass(usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let one = (0usize..6, prop::sample::select(T::ALL.to_vec())).prop_map(|(task, to)| Change::One(task, to));
    let mass = (0..MASS.len()).prop_map(Change::Mass);
    prop::collection::vec(prop_oneof![4 => one, 1 => mass], 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn counters_equal_a_recount_after_any_changes(changes in changes()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            for database in TestDatabase::each().await {
                let store = database.open_quietly().await;
                let new = job(50, vec![
                    task("blender", 50, &[]),
                    task("blender", 60, &[]),
                    task("blender", 50, &[0]),
                    task("misc", 50, &[0, 1]),
                    task("ffmpeg", 50, &[0, 1, 2, 3]),
                    task("misc", 50, &[]),
                ]);
                let ids: Vec<_> = new.tasks.iter().map(|task| task.id).collect();
                let id = store_job(&store, new).await.summary.id;
                for change in &changes {
                    match change {
                        Change::One(place, to) => set_status(&store, ids[*place], *to, None).await,
                        Change::Mass(which) => {
                            let change = MASS[*which];
                            write(&store, move |tx| Box::pin(async move {
                                let mut job = jobs::lock(tx, id).await?.unwrap();
                                tasks::mass_change(tx, &mut job, change, "for a test", now()).await?;
                                jobs::save(tx, &job, false).await
                            })).await.unwrap();
                        }
                    }
                    assert_sound(&store, &format!("{}: {change:?}", database.backend)).await;
                }
                store.close().await;
            }
        });
    }
}

/// What runs at the same time as others: a change, whether it is a hot operation, and whether it fails after it.
type Racing = (Change, bool, bool);

fn racing() -> impl Strategy<Value = Vec<Racing>> {
    let one = (0usize..6, prop::sample::select(T::ALL.to_vec())).prop_map(|(task, to)| Change::One(task, to));
    let mass = (0..MASS.len()).prop_map(Change::Mass);
    let change = prop_oneof![8 => one, 1 => mass];
    prop::collection::vec((change, prop::bool::weighted(0.7), prop::bool::weighted(0.1)), 2..40)
}

async fn apply(tx: &Tx, ids: Vec<TaskId>, job: JobId, (change, _, fails): Racing) -> Result<(), Error> {
    let mut job = jobs::lock(tx, job).await?.unwrap();
    match change {
        Change::One(place, to) => {
            let mut task = tasks::lock(tx, ids[place]).await?.unwrap();
            tasks::change_status(tx, &mut job, &mut task, to).await?;
            tasks::save(tx, &task).await?;
            tasks::touch(tx, task.seq, now()).await?;
        }
        Change::Mass(which) => tasks::mass_change(tx, &mut job, MASS[which], "for a test", now()).await?,
    }
    jobs::save(tx, &job, false).await?;
    if fails { Err(Error::Database("as the test wants".into())) } else { Ok(()) }
}

async fn race(store: &Store, ids: Vec<TaskId>, job: JobId, one: Racing) -> Result<(), Error> {
    if one.1 {
        store.write_hot(move |tx| Box::pin(apply(tx, ids.clone(), job, one.clone()))).await
    } else {
        store.write(move |tx| Box::pin(apply(tx, ids.clone(), job, one.clone()))).await
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Operations of one batch, of which some leave their counters to its end and some fail.
    #[test]
    fn counters_equal_a_recount_whatever_shares_a_batch(all in racing()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            for database in TestDatabase::each().await {
                let store = database.open_quietly().await;
                let new = job(50, vec![
                    task("blender", 50, &[]),
                    task("blender", 60, &[]),
                    task("blender", 50, &[0]),
                    task("misc", 50, &[0, 1]),
                    task("ffmpeg", 50, &[0, 1, 2, 3]),
                    task("misc", 50, &[]),
                ]);
                let ids: Vec<_> = new.tasks.iter().map(|task| task.id).collect();
                let id = store_job(&store, new).await.summary.id;
                let racing = all.iter().map(|one| race(&store, ids.clone(), id, one.clone()));
                let results = futures_util::future::join_all(racing).await;
                for (result, (_, _, fails)) in results.into_iter().zip(&all) {
                    assert_eq!(result.is_err(), *fails, "{result:?}");
                }
                assert_sound(&store, &format!("{}: {all:?}", database.backend)).await;
                store.close().await;
            }
        });
    }
}
