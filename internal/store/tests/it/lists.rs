//! Lists are what a filter and a sort in plain Rust give, whatever the filter, the order and the size of the pages.

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use flamenco_domain::ids::{JobId, TagId, WorkerId};
use flamenco_domain::job::{Job, JobStatus};
use flamenco_domain::task::{TaskStatus, TaskSummary, TaskWorker};
use flamenco_domain::worker::{Tag, Worker, WorkerStatus};
use flamenco_store::list::{
    JobFilter, JobSort, Page, Paging, Position, Span, TaskFilter, TaskSort, WorkerFilter, WorkerSort, jobs,
    tasks, workers,
};
use flamenco_store::testing::TestDatabase;
use flamenco_store::{Store, tags};
use proptest::prelude::*;

use crate::farm::{job, now, store_job, task, worker, write};

/// Names that differ in case, that sort differently in every language, or that mean something to a pattern.
const NAMES: &[&str] = &[
    "shot 10", "Shot 2", "SHOT 2", "Über", "über", "zebra", "Zebra", "a_b", "a%b", "axb", "a*b", "[a]",
    "a\\b", "ΣΑΣ", "σας", "影 7", "",
];
const PARTS: &[&str] =
    &["", "", "", "shot", "ÜBER", "B", "_", "%", "*", "[a", "\\", "ςα", "7", "nothing has this"];
const JOB_STATUSES: &[JobStatus] = &[
    JobStatus::Queued,
    JobStatus::Active,
    JobStatus::CancelRequested,
    JobStatus::Canceled,
    JobStatus::Completed,
];
const TASK_STATUSES: &[TaskStatus] = &[
    TaskStatus::Queued,
    TaskStatus::Active,
    TaskStatus::SoftFailed,
    TaskStatus::Failed,
    TaskStatus::Completed,
];
const WORKER_STATUSES: &[WorkerStatus] = &[WorkerStatus::Awake, WorkerStatus::Asleep, WorkerStatus::Error];
const TYPES: &[&str] = &["blender", "Blender", "ffmpeg", "misc"];
const VERSIONS: &[&str] = &["3.10.0", "3.9.0", ""];

fn some<T: Clone + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

/// Nothing mostly, else a few.
fn few<T: Clone + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = Vec<T>> {
    prop_oneof![Just(Vec::new()), prop::sample::subsequence(all, 1..all.len())]
}

fn moment() -> impl Strategy<Value = DateTime<Utc>> {
    (0i64..6).prop_map(|minute| now() + TimeDelta::minutes(minute))
}

fn span() -> impl Strategy<Value = Span> {
    let end = || prop::option::weighted(0.25, moment());
    (end(), end()).prop_map(|(since, before)| Span { since, before })
}

/// The same by the plain rule.
fn within(span: Span, moment: DateTime<Utc>) -> bool {
    span.since.is_none_or(|since| moment >= since) && span.before.is_none_or(|before| moment < before)
}

/// The same by the plain rule: some place in the name where every letter is the wanted one but for its case.
fn contains(name: &str, part: &str) -> bool {
    let fold = |text: &str| -> Vec<char> {
        let upper =
            |letter: char| letter.to_uppercase().next().filter(|_| letter.to_uppercase().count() == 1);
        text.chars().map(|letter| upper(letter).unwrap_or(letter)).collect()
    };
    let (name, part) = (fold(name), fold(part));
    part.is_empty() || name.windows(part.len()).any(|window| window == part)
}

fn any_of<T: PartialEq>(wanted: &[T], is: &T) -> bool {
    wanted.is_empty() || wanted.contains(is)
}

/// Walks all pages and compares what they give with `want`.
async fn walk<S: Copy, I: PartialEq + std::fmt::Debug>(
    paging: &Paging<S>,
    want: &[I],
    what: &str,
    mut read: impl AsyncFnMut(Paging<S>) -> Page<I>,
) {
    let mut got = Vec::new();
    let mut after: Option<Position> = None;
    loop {
        let page = read(Paging { after, ..paging.clone() }).await;
        let limit = paging.limit.map_or(usize::MAX, |limit| limit as usize);
        assert!(page.entries.len() <= limit, "{what}: a page of {}", page.entries.len());
        assert!(page.next.is_none() || page.entries.len() == limit, "{what}: a page that is not full");
        got.extend(page.entries);
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(got, want, "{what}");
}

fn sorted<T, I>(
    mut all: Vec<&T>,
    descending: bool,
    order: impl Fn(&T, &T) -> Ordering,
    id: impl Fn(&T) -> I,
) -> Vec<I> {
    all.sort_by(|one, other| if descending { order(other, one) } else { order(one, other) });
    all.into_iter().map(id).collect()
}

fn small(text: &str) -> String {
    text.to_ascii_lowercase()
}

async fn add_tags(store: &Store) -> Vec<TagId> {
    let tags: Vec<Tag> = ["one", "two"]
        .map(|name| Tag { id: TagId::random(), name: name.into(), description: String::new() })
        .into();
    let ids = tags.iter().map(|tag| tag.id).collect();
    write(store, move |tx| {
        let tags = tags.clone();
        Box::pin(async move {
            for tag in &tags {
                tags::insert(tx, tag, now()).await?;
            }
            Ok(())
        })
    })
    .await
    .unwrap();
    ids
}

/// Name, job type, status, priority, tag, created, updated.
type RandomJob = (&'static str, &'static str, JobStatus, i64, usize, DateTime<Utc>, DateTime<Utc>);

fn random_job() -> impl Strategy<Value = RandomJob> {
    (some(NAMES), some(TYPES), some(JOB_STATUSES), 49i64..52, 0usize..3, moment(), moment())
}

async fn add_jobs(store: &Store, farm: &[RandomJob], tag_ids: &[TagId]) -> Vec<Job> {
    let mut all = Vec::new();
    for (name, job_type, status, priority, tag, created, updated) in farm.iter().copied() {
        let mut new = job(priority, vec![task("misc", 50, &[])]);
        (new.name, new.job_type, new.created) = (name.into(), job_type.into(), created);
        new.worker_tag = tag.checked_sub(1).map(|place| tag_ids[place]);
        let mut stored = store_job(store, new).await;
        (stored.summary.status, stored.summary.updated) = (status, updated);
        let summary = stored.summary.clone();
        write(store, move |tx| {
            let summary = summary.clone();
            Box::pin(async move { flamenco_store::jobs::save(tx, &summary, true).await })
        })
        .await
        .unwrap();
        all.push(stored);
    }
    all
}

/// Statuses, types, name, number of tags, created, updated.
type RandomJobFilter = (Vec<JobStatus>, Vec<&'static str>, &'static str, usize, Span, Span);

fn job_filter(tag_ids: &[TagId], random: &RandomJobFilter) -> JobFilter {
    let (statuses, types, name, tags, created, updated) = random;
    JobFilter {
        statuses: statuses.clone(),
        types: types.iter().map(|&name| name.to_owned()).collect(),
        name: (*name).to_owned(),
        tags: tag_ids[..*tags].to_vec(),
        workers: Vec::new(),
        created: *created,
        updated: *updated,
    }
}

fn wanted_jobs(all: &[Job], filter: &JobFilter, paging: &Paging<JobSort>) -> Vec<JobId> {
    let fits = |job: &&Job| {
        let job = &job.summary;
        any_of(&filter.statuses, &job.status)
            && any_of(&filter.types, &job.job_type)
            && contains(&job.name, &filter.name)
            && (filter.tags.is_empty() || job.worker_tag.is_some_and(|tag| filter.tags.contains(&tag)))
            && within(filter.created, job.created)
            && within(filter.updated, job.updated)
    };
    let order = |one: &Job, other: &Job| {
        let (one, other) = (&one.summary, &other.summary);
        let first = match paging.sort {
            JobSort::Created => Ordering::Equal,
            JobSort::Updated => one.updated.cmp(&other.updated),
            JobSort::Name => small(&one.name).cmp(&small(&other.name)),
            JobSort::Type => one.job_type.cmp(&other.job_type),
            JobSort::Status => one.status.as_str().cmp(other.status.as_str()),
            JobSort::Priority => one.priority.cmp(&other.priority),
        };
        first.then(one.seq.cmp(&other.seq))
    };
    sorted(all.iter().filter(fits).collect(), paging.descending, order, |job| job.summary.id)
}

fn paging<S: Clone + std::fmt::Debug + 'static>(sorts: &'static [S]) -> impl Strategy<Value = Paging<S>> {
    (some(sorts), any::<bool>(), prop::option::weighted(0.8, 1u32..6))
        .prop_map(|(sort, descending, limit)| Paging { sort, descending, after: None, limit })
}

const JOB_SORTS: &[JobSort] =
    &[JobSort::Created, JobSort::Updated, JobSort::Name, JobSort::Type, JobSort::Status, JobSort::Priority];
const TASK_SORTS: &[TaskSort] = &[
    TaskSort::Index,
    TaskSort::Updated,
    TaskSort::Name,
    TaskSort::Type,
    TaskSort::Status,
    TaskSort::Priority,
    TaskSort::Worker,
];
const WORKER_SORTS: &[WorkerSort] =
    &[WorkerSort::Name, WorkerSort::Status, WorkerSort::Version, WorkerSort::LastSeen];

/// Name, type, status, priority, worker, updated.
type RandomTask = (&'static str, &'static str, TaskStatus, i64, usize, DateTime<Utc>);

fn random_task() -> impl Strategy<Value = RandomTask> {
    (some(NAMES), some(TYPES), some(TASK_STATUSES), 49i64..52, 0usize..4, moment())
}

/// One job with these tasks, and another that must not matter.
async fn add_tasks(store: &Store, farm: &[RandomTask], nodes: &[Worker]) -> (JobId, Vec<TaskSummary>) {
    let mut list = Vec::new();
    for (name, kind, _, priority, ..) in farm {
        let mut new = task(kind, *priority, &[]);
        new.name = (*name).into();
        list.push(new);
    }
    store_job(store, job(50, vec![task("misc", 50, &[])])).await;
    let new = job(50, list);
    let id = new.id;
    store_job(store, new).await;
    let mut all = flamenco_store::tasks::of_job(store.read(), id).await.unwrap();
    for (stored, (_, _, status, _, owner, updated)) in all.iter_mut().zip(farm.iter().copied()) {
        stored.status = status;
        stored.updated = updated;
        stored.worker = owner.checked_sub(1).map(|place| {
            let Worker { seq, id, name, address, .. } = nodes[place].clone();
            TaskWorker { seq, id, name, address }
        });
    }
    let rows = all.clone();
    write(store, move |tx| {
        let rows = rows.clone();
        Box::pin(async move {
            for row in &rows {
                flamenco_store::tasks::save(tx, row).await?;
            }
            Ok(())
        })
    })
    .await
    .unwrap();
    (id, all)
}

fn wanted_tasks(all: &[TaskSummary], filter: &TaskFilter, paging: &Paging<TaskSort>) -> Vec<i64> {
    let fits = |task: &&TaskSummary| {
        any_of(&filter.statuses, &task.status)
            && any_of(&filter.types, &task.task_type)
            && contains(&task.name, &filter.name)
            && (filter.workers.is_empty()
                || task.worker.as_ref().is_some_and(|worker| filter.workers.contains(&worker.id)))
            && within(filter.updated, task.updated)
    };
    let owner = |task: &TaskSummary| small(task.worker.as_ref().map_or("", |worker| &worker.name));
    let order = |one: &TaskSummary, other: &TaskSummary| {
        let first = match paging.sort {
            TaskSort::Index => Ordering::Equal,
            TaskSort::Updated => one.updated.cmp(&other.updated),
            TaskSort::Name => small(&one.name).cmp(&small(&other.name)),
            TaskSort::Type => one.task_type.cmp(&other.task_type),
            TaskSort::Status => one.status.as_str().cmp(other.status.as_str()),
            TaskSort::Priority => one.priority.cmp(&other.priority),
            TaskSort::Worker => owner(one).cmp(&owner(other)),
        };
        first.then(one.index_in_job.cmp(&other.index_in_job))
    };
    sorted(all.iter().filter(fits).collect(), paging.descending, order, |task| task.index_in_job)
}

/// Name, version, status, types, tags as bits, last seen, deleted.
type RandomWorker =
    (&'static str, &'static str, WorkerStatus, Vec<&'static str>, usize, Option<DateTime<Utc>>, bool);

fn random_worker() -> impl Strategy<Value = RandomWorker> {
    let seen = prop::option::weighted(0.8, moment());
    let types = prop::sample::subsequence(TYPES, 0..=TYPES.len());
    (some(NAMES), some(VERSIONS), some(WORKER_STATUSES), types, 0usize..4, seen, prop::bool::weighted(0.1))
}

async fn add_workers(store: &Store, farm: &[RandomWorker], tag_ids: &[TagId]) -> Vec<(Worker, Vec<TagId>)> {
    let mut all = Vec::new();
    for (name, version, status, types, bits, seen, deleted) in farm {
        let mut node = worker(store, types).await;
        (node.name, node.software) = ((*name).to_owned(), (*version).to_owned());
        (node.status, node.last_seen, node.deleted) = (*status, *seen, deleted.then(now));
        let has: Vec<TagId> =
            tag_ids.iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, id)| *id).collect();
        let (row, wanted) = (node.clone(), has.clone());
        write(store, move |tx| {
            let (row, wanted) = (row.clone(), wanted.clone());
            Box::pin(async move {
                flamenco_store::workers::save_identity(tx, &row).await?;
                flamenco_store::workers::save_status(tx, &row).await?;
                tags::set_of_worker(tx, row.seq, &wanted).await
            })
        })
        .await
        .unwrap();
        all.push((node, has));
    }
    all
}

fn wanted_workers(
    all: &[(Worker, Vec<TagId>)],
    filter: &WorkerFilter,
    paging: &Paging<WorkerSort>,
) -> Vec<WorkerId> {
    let fits = |(worker, has): &&(Worker, Vec<TagId>)| {
        worker.deleted.is_none()
            && any_of(&filter.statuses, &worker.status)
            && (filter.types.is_empty() || filter.types.iter().any(|name| worker.task_types.contains(name)))
            && contains(&worker.name, &filter.name)
            && (filter.tags.is_empty() || filter.tags.iter().any(|tag| has.contains(tag)))
            && filter.seen.since.is_none_or(|since| worker.last_seen.is_some_and(|seen| seen >= since))
            && filter.seen.before.is_none_or(|before| worker.last_seen.is_none_or(|seen| seen < before))
    };
    let order = |(one, _): &(Worker, Vec<TagId>), (other, _): &(Worker, Vec<TagId>)| {
        let first = match paging.sort {
            WorkerSort::Name => small(&one.name).cmp(&small(&other.name)),
            WorkerSort::Status => one.status.as_str().cmp(other.status.as_str()),
            WorkerSort::Version => one.software.cmp(&other.software),
            WorkerSort::LastSeen => one.last_seen.cmp(&other.last_seen),
        };
        first.then(one.seq.cmp(&other.seq))
    };
    sorted(all.iter().filter(fits).collect(), paging.descending, order, |(worker, _)| worker.id)
}

fn on_each_database(check: impl AsyncFn(&Store, &'static str)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        for database in TestDatabase::each().await {
            let store = database.open_quietly().await;
            check(&store, database.backend).await;
            store.close().await;
            database.remove().await;
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn jobs_are_listed_as_by_the_rule(
        farm in prop::collection::vec(random_job(), 0..16),
        queries in prop::collection::vec((
            (few(JOB_STATUSES), few(TYPES), some(PARTS), 0usize..3, span(), span()),
            paging(JOB_SORTS),
        ), 16),
    ) {
        on_each_database(async |store, backend| {
            let tag_ids = add_tags(store).await;
            let all = add_jobs(store, &farm, &tag_ids).await;
            for (random, paging) in &queries {
                let filter = job_filter(&tag_ids, random);
                let want = wanted_jobs(&all, &filter, paging);
                walk(paging, &want, &format!("{backend} {filter:?} {paging:?}"), async |paging| {
                    jobs(store.read(), &filter, &paging, |job| job.summary.id).await.unwrap()
                }).await;
            }
        });
    }

    #[test]
    fn tasks_are_listed_as_by_the_rule(
        farm in prop::collection::vec(random_task(), 1..24),
        queries in prop::collection::vec((
            (few(TASK_STATUSES), few(TYPES), some(PARTS), 0usize..3, span()),
            paging(TASK_SORTS),
        ), 16),
    ) {
        on_each_database(async |store, backend| {
            let specs = ["Node b", "node a", "gone"].map(|name| (name, "", WorkerStatus::Awake, vec![], 0, None, name == "gone"));
            let mut nodes: Vec<Worker> = add_workers(store, &specs, &[]).await.into_iter().map(|(node, _)| node).collect();
            // What is shown of a worker that was deleted.
            nodes[2].name.clear();
            let (job, all) = add_tasks(store, &farm, &nodes).await;
            for ((statuses, types, name, workers, updated), paging) in &queries {
                let filter = TaskFilter {
                    statuses: statuses.clone(),
                    types: types.iter().map(|&name| name.to_owned()).collect(),
                    name: (*name).to_owned(),
                    workers: nodes[..*workers].iter().map(|node| node.id).collect(),
                    tags: Vec::new(),
                    updated: *updated,
                };
                let want = wanted_tasks(&all, &filter, paging);
                walk(paging, &want, &format!("{backend} {filter:?} {paging:?}"), async |paging| {
                    tasks(store.read(), job, &filter, &paging, |task| task.index_in_job).await.unwrap()
                }).await;
            }
        });
    }

    #[test]
    fn workers_are_listed_as_by_the_rule(
        farm in prop::collection::vec(random_worker(), 0..12),
        queries in prop::collection::vec((
            (few(WORKER_STATUSES), few(TYPES), some(PARTS), 0usize..3, span()),
            paging(WORKER_SORTS),
        ), 16),
    ) {
        on_each_database(async |store, backend| {
            let tag_ids = add_tags(store).await;
            let all = add_workers(store, &farm, &tag_ids).await;
            for ((statuses, types, name, tags, seen), paging) in &queries {
                let filter = WorkerFilter {
                    statuses: statuses.clone(),
                    types: types.iter().map(|&name| name.to_owned()).collect(),
                    name: (*name).to_owned(),
                    tags: tag_ids[..*tags].to_vec(),
                    seen: *seen,
                };
                let want = wanted_workers(&all, &filter, paging);
                walk(paging, &want, &format!("{backend} {filter:?} {paging:?}"), async |paging| {
                    workers(store.read(), &filter, &paging, |worker| worker.id).await.unwrap()
                }).await;
            }
        });
    }
}

/// Jobs that come and go, and change what they are not sorted by, between the pages: those that were there the whole
/// time are given once each, in order.
#[tokio::test]
async fn pages_do_not_shift_when_the_farm_changes() {
    for database in TestDatabase::each().await {
        let store = database.open_quietly().await;
        for sort in JOB_SORTS.iter().copied() {
            for descending in [false, true] {
                let random: Vec<RandomJob> = (0..12)
                    .map(|n| {
                        let at = |minute: usize| now() + TimeDelta::minutes(minute as i64);
                        (
                            NAMES[n % NAMES.len()],
                            TYPES[n % 3],
                            JOB_STATUSES[n % 4],
                            (n % 3) as i64,
                            0,
                            at(n % 5),
                            at(n % 4),
                        )
                    })
                    .collect();
                let staying = add_jobs(&store, &random, &[]).await;
                let mut going = add_jobs(&store, &random[..6], &[]).await;
                let filter = JobFilter::default();
                let (mut got, mut after) = (Vec::new(), None);
                loop {
                    let paging = Paging { sort, descending, after, limit: Some(3) };
                    let page = jobs(store.read(), &filter, &paging, |job| job.summary.id).await.unwrap();
                    got.extend(page.entries);
                    if let Some(gone) = going.pop() {
                        assert!(flamenco_store::deletion::erase(&store, gone.summary.id).await.unwrap());
                    }
                    // It may end up before the place where we are, or after it.
                    add_jobs(&store, &random[got.len() % 12..][..1], &[]).await;
                    match page.next {
                        Some(next) if got.len() < 200 => after = Some(next),
                        _ => break,
                    }
                }
                let paging = Paging { sort, descending, after: None, limit: None };
                let want = wanted_jobs(&staying, &filter, &paging);
                got.retain(|id| want.contains(id));
                assert_eq!(got, want, "{} {sort:?} {descending}", database.backend);
                for job in jobs(store.read(), &filter, &paging, |job| job.summary.id).await.unwrap().entries {
                    flamenco_store::deletion::erase(&store, job).await.unwrap();
                }
            }
        }
        store.close().await;
        database.remove().await;
    }
}
