//! What frames that were rendered say about a job: how it is, how long it takes, and when it will be done.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use crate::frame::{Frame, JobFrameState};
use crate::frame_range::FrameRange;
use crate::ids::{TaskId, WorkerId};
use crate::task::TaskStatus;

/// Render times, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RenderTimes {
    /// How many are known.
    pub count: i64,
    /// All together.
    pub total: i64,
    /// What is said about them; `None` when none is known.
    pub spread: Option<Spread>,
}

/// How numbers are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// The smallest.
    pub min: i64,
    /// The mean, rounded.
    pub mean: i64,
    /// The smallest that half of them do not exceed.
    pub median: i64,
    /// The smallest that 95 of 100 do not exceed.
    pub p95: i64,
    /// The largest.
    pub max: i64,
}

impl RenderTimes {
    /// Of some times in any order.
    #[must_use]
    pub fn of(mut times: Vec<i64>) -> Self {
        times.sort_unstable();
        let (count, total) = (i64::try_from(times.len()).unwrap_or(i64::MAX), times.iter().sum::<i64>());
        let at = |percent: usize| times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        let spread = (|| {
            Some(Spread {
                min: *times.first()?,
                mean: (total + count / 2) / count,
                median: at(50)?,
                p95: at(95)?,
                max: *times.last()?,
            })
        })();
        Self { count, total, spread }
    }
}

/// A task as far as it says which frames are still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameTask {
    /// The task.
    pub id: TaskId,
    /// Its status.
    pub status: TaskStatus,
    /// The worker it is or was with.
    pub worker: Option<WorkerId>,
    /// The frames that it renders.
    pub frames: FrameRange,
}

/// A frame number of a job with what is there of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Place<'a> {
    /// The number.
    pub frame: i64,
    /// How it is.
    pub state: JobFrameState,
    /// How many files it has.
    pub files: i64,
    /// The newest file.
    pub newest: Option<&'a Frame>,
    /// The task that renders it.
    pub task: Option<TaskId>,
    /// The worker that rendered it, or is rendering it.
    pub worker: Option<WorkerId>,
}

/// The places of all frames of a job from `from` to `to`, by number: those of its tasks, and those of its files. At most
/// `limit`, and where to go on.
#[must_use]
pub fn places<'a>(
    tasks: &[FrameTask],
    frames: &'a [Frame],
    (from, to): (i64, i64),
    states: &[JobFrameState],
    limit: usize,
) -> (Vec<Place<'a>>, Option<i64>) {
    let mut by_number: BTreeMap<i64, Vec<&Frame>> = BTreeMap::new();
    for frame in frames.iter().filter(|frame| (from..=to).contains(&frame.report.frame)) {
        by_number.entry(frame.report.frame).or_default().push(frame);
    }
    let by_id: HashMap<TaskId, &FrameTask> = tasks.iter().map(|task| (task.id, task)).collect();
    let mut expected: Vec<&FrameTask> = tasks.iter().filter(|task| !task.frames.is_empty()).collect();
    expected.sort_by_key(|task| task.frames.first());
    let mut owner: BTreeMap<i64, &FrameTask> = BTreeMap::new();
    let window = FrameRange::parse(&format!("{from}..{to}")).unwrap_or_default();
    for task in expected {
        for number in task.frames.intersection(&window).iter() {
            owner.entry(number).or_insert(task);
        }
    }
    let numbers: std::collections::BTreeSet<i64> = owner.keys().chain(by_number.keys()).copied().collect();
    let mut found = Vec::new();
    for number in numbers {
        let files = by_number.get(&number).map_or(&[][..], Vec::as_slice);
        let place = place(number, files, owner.get(&number).copied(), &by_id);
        if !states.is_empty() && !states.contains(&place.state) {
            continue;
        }
        if found.len() == limit {
            return (found, Some(number));
        }
        found.push(place);
    }
    (found, None)
}

fn place<'a>(
    number: i64,
    files: &[&'a Frame],
    owner: Option<&FrameTask>,
    by_id: &HashMap<TaskId, &FrameTask>,
) -> Place<'a> {
    // A file before a failure that has none, then the newest.
    let newest = files.iter().max_by_key(|frame| (frame.report.rendered, frame.seq)).copied();
    let task = newest.and_then(|frame| by_id.get(&frame.task).copied()).or(owner);
    let is_running = task.is_some_and(|task| task.status == TaskStatus::Active);
    let is_waiting = task.is_some_and(|task| task.status.is_schedulable());
    let state = match newest {
        Some(frame) if frame.is_stale && is_running => JobFrameState::Rendering,
        Some(frame) if frame.is_stale && is_waiting => JobFrameState::Expected,
        Some(frame) => frame.state,
        None if is_running => JobFrameState::Rendering,
        None => JobFrameState::Expected,
    };
    let worker = match newest {
        Some(frame) if state != JobFrameState::Rendering => frame.worker.as_ref().map(|(id, _)| *id),
        _ => task.filter(|_| is_running).and_then(|task| task.worker),
    };
    Place {
        frame: number,
        state,
        files: i64::try_from(files.len()).unwrap_or(i64::MAX),
        newest,
        task: newest.map(|frame| frame.task).or(owner.map(|task| task.id)),
        worker,
    }
}

/// Frames that an estimate looks back at.
const RECENT: usize = 20;
/// Fewer say too little.
const ENOUGH: usize = 3;
/// A frame whose worker did something else, or slept, since the frame before says nothing about its pace: it counts as
/// long as it took to render.
const LONGEST_PAUSE_FACTOR: i64 = 3;
const LONGEST_PAUSE: i64 = 60_000;

/// A frame that came out, as an estimate looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// When it came out.
    pub at: DateTime<Utc>,
    /// The worker that rendered it.
    pub worker: Option<WorkerId>,
    /// How long rendering and saving took, in milliseconds, if known.
    pub took: Option<i64>,
}

/// When a job will be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Most likely, in milliseconds from now.
    pub left: i64,
    /// If what is left is on the quick side, in milliseconds from now.
    pub earliest: i64,
    /// If what is left is on the slow side, in milliseconds from now.
    pub latest: i64,
}

/// What each of the last frames cost its worker, in milliseconds: the time since the worker's frame before, so that
/// loading the scene counts, or the render time where that is not known or has a pause in it. Newest last.
#[must_use]
pub fn recent_costs(done: &[Done]) -> Vec<i64> {
    let mut sorted = done.to_vec();
    sorted.sort_by_key(|frame| frame.at);
    let mut before: HashMap<Option<WorkerId>, DateTime<Utc>> = HashMap::new();
    let mut costs = Vec::new();
    for frame in sorted {
        let since = before.insert(frame.worker, frame.at).map(|at| (frame.at - at).num_milliseconds());
        let cost = match (frame.took, since) {
            (Some(took), Some(since))
                if since >= took && since <= took.saturating_mul(LONGEST_PAUSE_FACTOR) + LONGEST_PAUSE =>
            {
                Some(since)
            }
            (Some(took), _) => Some(took),
            (None, since) => since,
        };
        costs.extend(cost);
    }
    let start = costs.len().saturating_sub(RECENT);
    costs.split_off(start)
}

/// How long the rest of a job takes: `left` frames that cost as much as the last ones, shared by `workers`. `None` when
/// nobody is on it, nothing is left, or too few frames are done to say.
///
/// The range covers both that the mean of the last frames is only known so well, and that the frames to come differ:
/// two standard deviations of their sum.
#[must_use]
pub fn estimate(costs: &[i64], left: u64, workers: u64) -> Option<Estimate> {
    if workers == 0 || left == 0 || costs.len() < ENOUGH {
        return None;
    }
    let (n, seen) = (left as f64, costs.len() as f64);
    let mean = costs.iter().sum::<i64>() as f64 / seen;
    let variance = costs.iter().map(|cost| (*cost as f64 - mean).powi(2)).sum::<f64>() / (seen - 1.0);
    let deviation = (n * n * variance / seen + n * variance).sqrt();
    // More workers than frames do not help, and the last frame is not shared.
    let lanes = n.min(workers as f64);
    let rounds = (n / lanes).ceil();
    let quickest = costs.iter().copied().min().unwrap_or_default() as f64;
    let total = n * mean;
    let millis = |sum: f64| (sum.max(n * quickest.min(mean)) / lanes) as i64;
    let likely = (total / lanes).max(rounds * mean.min(total)) as i64;
    Some(Estimate {
        left: likely,
        earliest: millis(total - 2.0 * deviation).min(likely),
        latest: (((total + 2.0 * deviation) / lanes) as i64).max(likely),
    })
}

/// Frames per hour over the last frames that came out. `None` when there are too few, or the last one is so long ago
/// that the pace is a thing of the past.
#[must_use]
pub fn frames_per_hour(done: &[Done], now: DateTime<Utc>) -> Option<f64> {
    let mut times: Vec<DateTime<Utc>> = done.iter().map(|frame| frame.at).collect();
    times.sort_unstable();
    let last = times.split_off(times.len().saturating_sub(RECENT));
    let (first, newest) = (*last.first()?, *last.last()?);
    let span = newest - first;
    let is_old = now - newest > span.max(TimeDelta::minutes(10));
    if last.len() < ENOUGH || span <= TimeDelta::zero() || is_old {
        return None;
    }
    let hours = span.num_milliseconds() as f64 / 3_600_000.0;
    Some((last.len() - 1) as f64 / hours)
}

/// The frame that stands for a job when nobody has chosen one: the middle one of those that can be shown.
#[must_use]
pub fn middle<T: Copy>(shown: &[T]) -> Option<T> {
    shown.get(shown.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
#[path = "frame_statistics_test.rs"]
mod tests;
