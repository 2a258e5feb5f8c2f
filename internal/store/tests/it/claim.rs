//! The claim query gives exactly what the pure rule gives.

use flamenco_domain::eligibility::{Asking, Candidate, is_eligible, order};
use flamenco_domain::ids::{TagId, TaskId};
use flamenco_domain::job::JobStatus;
use flamenco_domain::task::TaskStatus;
use flamenco_domain::worker::{Disabled, StatusRequest, Tag, Worker, WorkerStatus};
use flamenco_store::testing::TestDatabase;
use flamenco_store::{Store, blocklist, claim, jobs, tags, tasks, workers};
use proptest::prelude::*;

use crate::farm::{job, now, set_status, store_job, task, worker, write};

#[tokio::test]
async fn the_unfinished_task_is_found_whatever_else_there_is() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let node = worker(&store, &["blender"]).await;
        let new = job(10, vec![task("blender", 50, &[])]);
        let mine = new.tasks[0].id;
        store_job(&store, new).await;
        store_job(&store, job(90, vec![task("blender", 90, &[])])).await;
        let found = claim::peek(store.read(), &node).await.unwrap().unwrap();
        assert_ne!(found.task.summary.id, mine);
        set_status(&store, mine, TaskStatus::Active, Some(node.clone())).await;
        let found = claim::peek(store.read(), &node).await.unwrap().unwrap();
        assert_eq!((found.task.summary.id, found.worker_updated), (mine, node.updated));
    }
}

#[tokio::test]
async fn a_worker_without_types_gets_nothing() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let node = worker(&store, &[]).await;
        store_job(&store, job(50, vec![task("blender", 50, &[])])).await;
        assert_eq!(claim::peek(store.read(), &node).await.unwrap(), None);
    }
}

#[tokio::test]
async fn only_a_worker_that_is_awake_and_asked_for_nothing_gets_something() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let node = worker(&store, &["blender"]).await;
        store_job(&store, job(50, vec![task("blender", 50, &[])])).await;
        let asked = Some(StatusRequest { status: WorkerStatus::Asleep, lazy: true });
        for (status, requested, deleted, gets) in [
            (WorkerStatus::Awake, None, None, true),
            (WorkerStatus::Asleep, None, None, false),
            (WorkerStatus::Error, None, None, false),
            (WorkerStatus::Awake, asked, None, false),
            (WorkerStatus::Awake, None, Some(now()), false),
        ] {
            let changed = Worker { status, requested, deleted, ..node.clone() };
            write(&store, move |tx| {
                let changed = changed.clone();
                Box::pin(async move { workers::save_status(tx, &changed).await })
            })
            .await
            .unwrap();
            let found = claim::peek(store.read(), &node).await.unwrap();
            assert_eq!(found.is_some(), gets, "{status} {requested:?} {deleted:?}");
        }
    }
}

/// One random task: type, priority, status, whether the worker failed it, places it depends on.
type RandomTask = (usize, i64, usize, bool, Vec<prop::sample::Index>);
/// One random job: priority, status, tag, blocked types, whether it is being deleted, tasks.
type RandomJob = (i64, usize, usize, Vec<bool>, bool, Vec<RandomTask>);

const TYPES: &[&str] = &["blender", "ffmpeg", "misc"];
const JOB_STATUSES: &[JobStatus] = &[
    JobStatus::Queued,
    JobStatus::Active,
    JobStatus::Paused,
    JobStatus::Canceled,
    JobStatus::PauseRequested,
    JobStatus::Completed,
    JobStatus::Failed,
    JobStatus::Queued,
    JobStatus::Active,
];
const TASK_STATUSES: &[TaskStatus] = &[
    TaskStatus::Queued,
    TaskStatus::Queued,
    TaskStatus::SoftFailed,
    TaskStatus::Active,
    TaskStatus::Completed,
    TaskStatus::Failed,
    TaskStatus::Canceled,
    TaskStatus::Paused,
];

fn random_task() -> impl Strategy<Value = RandomTask> {
    let dependencies = prop::collection::vec(any::<prop::sample::Index>(), 0..3);
    (0..TYPES.len(), 49i64..52, 0..TASK_STATUSES.len(), prop::bool::weighted(0.2), dependencies)
}

fn random_job() -> impl Strategy<Value = RandomJob> {
    let blocked = prop::collection::vec(prop::bool::weighted(0.15), TYPES.len());
    let tasks = prop::collection::vec(random_task(), 1..7);
    (49i64..52, 0..JOB_STATUSES.len(), 0usize..3, blocked, prop::bool::weighted(0.1), tasks)
}

async fn add_tags(store: &Store) -> Vec<TagId> {
    let mut ids = Vec::new();
    for name in ["one", "two"] {
        let tag = Tag { id: TagId::random(), name: name.into(), description: String::new() };
        ids.push(tag.id);
        write(store, move |tx| {
            let tag = tag.clone();
            Box::pin(async move { tags::insert(tx, &tag, now()).await })
        })
        .await
        .unwrap();
    }
    ids
}

async fn disable(store: &Store, worker: &mut Worker) {
    worker.disabled = Some(Disabled { at: now(), reason: "fan".to_owned(), by: String::new() });
    let disabled = worker.clone();
    write(store, move |tx| {
        let disabled = disabled.clone();
        Box::pin(async move { workers::save_disabled(tx, &disabled).await })
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_disabled_worker_keeps_its_task_and_gets_no_other() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        let mut node = worker(&store, &["blender"]).await;
        let new = job(50, vec![task("blender", 50, &[]), task("blender", 50, &[])]);
        let mine = new.tasks[1].id;
        store_job(&store, new).await;
        set_status(&store, mine, TaskStatus::Active, Some(node.clone())).await;
        disable(&store, &mut node).await;
        let found = claim::peek(store.read(), &node).await.unwrap().unwrap();
        assert_eq!(found.task.summary.id, mine);
        set_status(&store, mine, TaskStatus::Completed, None).await;
        assert_eq!(claim::peek(store.read(), &node).await.unwrap(), None);
        let stored = workers::find(store.read(), node.id).await.unwrap().unwrap();
        assert_eq!(stored.disabled, node.disabled);
    }
}

/// Builds the farm and gives back the task that the pure rule chooses.
async fn build(
    store: &Store,
    farm: &[RandomJob],
    [node, stranger]: [&flamenco_domain::worker::Worker; 2],
    tag_ids: &[TagId],
    own: &[TagId],
) -> Option<TaskId> {
    let mut best = None;
    for (priority, status, tag, blocked, deleting, random_tasks) in farm {
        let mut list = Vec::new();
        for (place, (kind, task_priority, _, _, dependencies)) in random_tasks.iter().enumerate() {
            let mut on: Vec<usize> = if place == 0 {
                vec![]
            } else {
                dependencies.iter().map(|index| index.index(place)).collect()
            };
            on.sort_unstable();
            on.dedup();
            list.push(task(TYPES[*kind], *task_priority, &on));
        }
        let mut new = job(*priority, list.clone());
        new.worker_tag = tag.checked_sub(1).map(|place| tag_ids[place]);
        let job_tag = new.worker_tag;
        let stored = store_job(store, new).await;
        for (place, (kind, ..)) in random_tasks.iter().enumerate() {
            set_status(store, list[place].id, TASK_STATUSES[random_tasks[place].2], None).await;
            let (seq, failed, is_blocked, kind) =
                (node.seq, random_tasks[place].3, blocked[*kind], TYPES[*kind]);
            let (job_seq, id, stranger) = (stored.summary.seq, list[place].id, stranger.seq);
            write(store, move |tx| {
                Box::pin(async move {
                    let key = tasks::lock(tx, id).await?.unwrap().seq;
                    if failed {
                        blocklist::add_failure(tx, key, seq, now()).await?;
                    } else {
                        // What others failed is nothing to this worker.
                        blocklist::add_failure(tx, key, stranger, now()).await?;
                    }
                    if is_blocked {
                        blocklist::block(tx, job_seq, seq, kind, now()).await?;
                    } else {
                        blocklist::block(tx, job_seq, stranger, kind, now()).await?;
                    }
                    Ok(())
                })
            })
            .await
            .unwrap();
        }
        let (id, job_status, deleting) = (stored.summary.id, JOB_STATUSES[*status], *deleting);
        write(store, move |tx| {
            Box::pin(async move {
                let mut job = jobs::lock(tx, id).await?.unwrap();
                job.status = job_status;
                job.delete_requested = deleting.then(now);
                jobs::save(tx, &job, true).await
            })
        })
        .await
        .unwrap();
        for (place, (kind, task_priority, task_status, failed, _)) in random_tasks.iter().enumerate() {
            let unmet = list[place]
                .dependencies
                .iter()
                .filter(|on| TASK_STATUSES[random_tasks[**on].2] != TaskStatus::Completed);
            let candidate = Candidate {
                job_status,
                job_deleting: deleting,
                job_tag,
                job_priority: *priority,
                job_seq: stored.summary.seq,
                status: TASK_STATUSES[*task_status],
                task_type: TYPES[*kind],
                priority: *task_priority,
                index_in_job: place as i64 + 1,
                unmet_dependencies: unmet.count() as i64,
                failed_by_worker: *failed,
                blocked: (0..random_tasks.len())
                    .any(|other| random_tasks[other].0 == *kind && blocked[*kind]),
            };
            let asking = Asking { types: &node.task_types, tags: own, enabled: node.disabled.is_none() };
            if is_eligible(&candidate, asking) {
                let key = order(&candidate);
                if best.is_none_or(|(other, _)| key < other) {
                    best = Some((key, list[place].id));
                }
            }
        }
    }
    best.map(|(_, id)| id)
}

/// Cases on each database; `PROPTEST_CASES` overrules it.
fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    ProptestConfig::with_cases(cases.unwrap_or(96))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_query_agrees_with_the_rule(
        farm in prop::collection::vec(random_job(), 1..8),
        types in prop::sample::subsequence(TYPES.to_vec(), 0..=3),
        own in 0usize..4,
        disabled in prop::bool::weighted(0.1),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            for database in TestDatabase::each().await {
                let store = database.open_quietly().await;
                let mut node = worker(&store, &types).await;
                let mut stranger = worker(&store, TYPES).await;
                // That another one is disabled is nothing to this worker.
                disable(&store, if disabled { &mut node } else { &mut stranger }).await;
                let tag_ids = add_tags(&store).await;
                let own: Vec<TagId> = tag_ids.iter().enumerate().filter(|(n, _)| own & (1 << n) != 0).map(|(_, id)| *id).collect();
                let (seq, wanted) = (node.seq, own.clone());
                write(&store, move |tx| {
                    let wanted = wanted.clone();
                    Box::pin(async move { tags::set_of_worker(tx, seq, &wanted).await })
                }).await.unwrap();
                let want = build(&store, &farm, [&node, &stranger], &tag_ids, &own).await;
                let got = claim::peek(store.read(), &node).await.unwrap().map(|claim| claim.task.summary.id);
                let asking = node.clone();
                let locked = write(&store, move |tx| {
                    let asking = asking.clone();
                    Box::pin(async move { claim::next(tx, &asking).await })
                }).await.unwrap();
                assert_eq!(locked.map(|claim| claim.task.summary.id), got);
                assert_eq!(got, want, "{}: {farm:?}", database.backend);
                store.close().await;
            }
        });
    }
}
