use super::*;
use crate::frame::{FrameFacts, FrameReport, FrameState};
use crate::ids::JobId;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_770_000_000 + seconds, 0).unwrap()
}

#[test]
fn render_times_are_summed_up() {
    let spread = |min, mean, median, p95, max| Some(Spread { min, mean, median, p95, max });
    for (times, count, total, want) in [
        (vec![], 0, 0, None),
        (vec![7], 1, 7, spread(7, 7, 7, 7, 7)),
        (vec![3, 1], 2, 4, spread(1, 2, 1, 3, 3)),
        (vec![1, 2, 4], 3, 7, spread(1, 2, 2, 4, 4)),
        ((1..=100).rev().collect(), 100, 5050, spread(1, 51, 50, 95, 100)),
        ((1..=20).collect(), 20, 210, spread(1, 11, 10, 19, 20)),
    ] {
        assert_eq!(RenderTimes::of(times.clone()), RenderTimes { count, total, spread: want }, "{times:?}");
    }
}

fn frame(seq: i64, number: i64, task: TaskId, state: JobFrameState, is_stale: bool) -> Frame {
    Frame {
        seq,
        job: JobId(uuid::Uuid::nil()),
        task,
        worker: Some((WorkerId(uuid::Uuid::from_u128(9)), "w".to_owned())),
        platform: String::new(),
        name: String::new(),
        output: String::new(),
        attempt: 1,
        report: FrameReport {
            frame: number,
            path: String::new(),
            state: FrameState::Ok,
            rendered: at(seq),
            existing: false,
            facts: FrameFacts::default(),
        },
        state,
        is_stale,
        thumbnail: None,
    }
}

#[test]
fn every_frame_has_a_place() {
    use JobFrameState::{Expected, Failed, Ok, Rendering};
    let [running, waiting, done, gone] = [1, 2, 3, 4].map(|id| TaskId(uuid::Uuid::from_u128(id)));
    let task = |id, status, frames: &str| FrameTask {
        id,
        status,
        worker: Some(WorkerId(uuid::Uuid::from_u128(8))),
        frames: FrameRange::parse(frames).unwrap(),
    };
    let tasks = [
        task(waiting, TaskStatus::Queued, "4-5"),
        task(running, TaskStatus::Active, "1-3"),
        task(done, TaskStatus::Completed, "6-7"),
    ];
    let frames = [
        frame(1, 1, running, Ok, false),
        frame(2, 2, running, Ok, true),
        frame(3, 5, waiting, Failed, true),
        frame(4, 6, done, Failed, false),
        frame(5, 6, done, Ok, false),
        frame(6, 7, done, Ok, true),
        frame(7, 90, gone, Ok, false),
    ];
    let all = (i64::MIN, i64::MAX);
    let shown = |places: &[Place<'_>]| {
        places.iter().map(|place| (place.frame, place.state, place.files)).collect::<Vec<_>>()
    };
    let (places_of_all, next) = places(&tasks, &frames, all, &[], 100);
    let want = [
        (1, Ok, 1),
        (2, Rendering, 1),
        (3, Rendering, 0),
        (4, Expected, 0),
        (5, Expected, 1),
        (6, Ok, 2),
        // Asked for again, but its task is not going to do it.
        (7, Ok, 1),
        (90, Ok, 1),
    ];
    assert_eq!((shown(&places_of_all), next), (want.to_vec(), None));
    let workers: Vec<_> = places_of_all.iter().map(|place| place.worker.map(|id| id.0.as_u128())).collect();
    let want_workers = [Some(9), Some(8), Some(8), None, Some(9), Some(9), Some(9), Some(9)];
    assert_eq!(workers[..4], want_workers[..4]);
    assert_eq!(places_of_all[2].task, Some(running));

    for (window, states, limit, want, next) in [
        ((2, 4), vec![], 100, vec![2, 3, 4], None),
        (all, vec![], 3, vec![1, 2, 3], Some(4)),
        ((4, i64::MAX), vec![], 3, vec![4, 5, 6], Some(7)),
        (all, vec![Rendering, Expected], 3, vec![2, 3, 4], Some(5)),
        (all, vec![Failed], 3, vec![], None),
        ((5, 4), vec![], 3, vec![], None),
    ] {
        let (found, after) = places(&tasks, &frames, window, &states, limit);
        let numbers: Vec<_> = found.iter().map(|place| place.frame).collect();
        assert_eq!((numbers, after), (want, next), "{window:?} {states:?}");
    }
}

#[test]
fn what_a_frame_costs_its_worker() {
    let worker = |id| Some(WorkerId(uuid::Uuid::from_u128(id)));
    let done = |seconds, id, took| Done { at: at(seconds), worker: worker(id), took };
    for (frames, want) in [
        (vec![], vec![]),
        (vec![done(10, 1, Some(4000))], vec![4000]),
        // Loading the scene counts.
        (vec![done(10, 1, Some(4000)), done(16, 1, Some(4000))], vec![4000, 6000]),
        // Not in order, and of two workers.
        (
            vec![done(16, 2, Some(4000)), done(10, 1, Some(3000)), done(17, 1, Some(3000))],
            vec![3000, 4000, 7000],
        ),
        // It slept in between.
        (vec![done(10, 1, Some(4000)), done(10_000, 1, Some(4000))], vec![4000, 4000]),
        // Several files of one frame at the same moment.
        (vec![done(10, 1, Some(4000)), done(10, 1, Some(4000))], vec![4000, 4000]),
        // Only the moments are known.
        (vec![done(10, 1, None), done(15, 1, None)], vec![5000]),
    ] {
        assert_eq!(recent_costs(&frames), want, "{frames:?}");
    }
    let many: Vec<_> = (0..50).map(|n| done(n * 10, 1, Some(n))).collect();
    assert_eq!(recent_costs(&many), vec![10_000; 20]);
}

#[test]
fn the_end_is_estimated_with_a_range() {
    for (costs, left, workers, want) in [
        (vec![1000, 1000], 10, 1, None),
        (vec![1000; 3], 10, 0, None),
        (vec![1000; 3], 0, 1, None),
        (vec![1000; 20], 10, 1, Some((10_000, 10_000, 10_000))),
        (vec![1000; 20], 10, 2, Some((5000, 5000, 5000))),
        // Three frames take two workers two rounds.
        (vec![1000; 20], 3, 2, Some((1500, 2000, 2000))),
        (vec![1000; 20], 1, 8, Some((1000, 1000, 1000))),
    ] {
        let found = estimate(&costs, left, workers).map(|found| (found.earliest, found.left, found.latest));
        assert_eq!(found, want, "{costs:?}, {left} left, {workers} workers");
    }
    let narrow = estimate(&[900, 1000, 1100, 1000, 900, 1100], 100, 2).unwrap();
    let wide = estimate(&[200, 1800, 500, 1500, 200, 1800], 100, 2).unwrap();
    assert_eq!((narrow.left, wide.left), (50_000, 50_000));
    assert!(wide.earliest < narrow.earliest && narrow.earliest < 50_000);
    assert!(wide.latest > narrow.latest && narrow.latest > 50_000);
    // However spread, no frame is quicker than the quickest.
    assert!(estimate(&[1, 1, 1000], 10, 1).unwrap().earliest >= 10);
}

/// The promise of the range: about 19 of 20 jobs end within it. Frame times are drawn from a fixed sequence that is
/// spread widely.
#[test]
fn the_range_holds_what_it_promises() {
    let mut state: u64 = 1;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        500 + i64::try_from((state >> 33) % 2000).unwrap()
    };
    let (mut inside, rounds) = (0, 1000);
    for _ in 0..rounds {
        let costs: Vec<i64> = (0..20).map(|_| draw()).collect();
        let end: i64 = (0..100).map(|_| draw()).sum();
        let found = estimate(&costs, 100, 1).unwrap();
        inside += i32::from((found.earliest..=found.latest).contains(&end));
    }
    assert!((930..=990).contains(&inside), "{inside} of {rounds}");
}

#[test]
fn the_pace_of_a_job() {
    let done = |seconds| Done { at: at(seconds), worker: None, took: None };
    for (times, now, want) in [
        (vec![], 0, None),
        (vec![0, 10], 20, None),
        (vec![0, 10, 20], 25, Some(360.0)),
        (vec![0, 0, 0], 5, None),
        (vec![20, 0, 10], 20 + 601, None),
        (vec![20, 0, 10], 20 + 600, Some(360.0)),
        // Slow jobs are given time in proportion.
        (vec![0, 3600, 7200], 7200 + 3600, Some(1.0)),
    ] {
        let frames: Vec<_> = times.iter().map(|seconds| done(*seconds)).collect();
        assert_eq!(frames_per_hour(&frames, at(now)), want, "{times:?} at {now}");
    }
}

#[test]
fn the_middle_of_what_can_be_shown() {
    for (shown, want) in [(vec![], None), (vec![1], Some(1)), (vec![1, 2], Some(1)), (vec![1, 2, 3], Some(2))]
    {
        assert_eq!(middle(&shown), want);
    }
}
