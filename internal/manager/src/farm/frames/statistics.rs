//! What the frames of a job, and those of the whole farm, say in numbers.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use flamenco_domain::frame::{Frame, FrameFilter, JobFrameState};
use flamenco_domain::frame_statistics::{Done, Estimate, FrameTask, RenderTimes, frames_per_hour, places};
use flamenco_domain::ids::{JobId, WorkerId};
use flamenco_domain::task::TaskStatus;
use flamenco_store::frames::{self, FrameHour};
use flamenco_store::{blocklist, jobs};

use crate::error::{Error, Result};
use crate::farm::Farm;

/// How the frames of a job are doing.
#[derive(Debug, Clone)]
pub struct Summary {
    /// How many the commands of the job name, if they do.
    pub total: Option<i64>,
    /// How many have come out.
    pub done: i64,
    /// How many are still to come, if that is known.
    pub left: Option<i64>,
    /// How many are in which state.
    pub states: BTreeMap<&'static str, i64>,
    /// How often frames were rendered.
    pub attempts: i64,
    /// How often one did not come out.
    pub failures: i64,
    /// Render times.
    pub times: RenderTimes,
    /// Pace of the last frames.
    pub per_hour: Option<f64>,
    /// Workers that are on it.
    pub active: i64,
    /// When it will be done.
    pub estimate: Option<(DateTime<Utc>, Estimate)>,
    /// Who rendered, most frames first.
    pub workers: Vec<OfWorker>,
}

/// What a worker rendered of a job.
#[derive(Debug, Clone)]
pub struct OfWorker {
    /// The worker with its name, while it exists.
    pub worker: Option<(WorkerId, String)>,
    /// Files that came out.
    pub frames: i64,
    /// Files that did not.
    pub failures: i64,
    /// Render times.
    pub times: RenderTimes,
}

/// How far back statistics go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// 24 hours, by the hour.
    Day,
    /// 30 days, by the day.
    Month,
}

/// Sums over a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Frames that came out.
    pub frames: i64,
    /// Frames that did not.
    pub failures: i64,
    /// Render times that are known.
    pub timed: i64,
    /// These together, in milliseconds.
    pub render_ms: i64,
}

impl Sums {
    fn add(&mut self, hour: &FrameHour) {
        self.frames += hour.frames;
        self.failures += hour.failures;
        self.timed += hour.timed;
        self.render_ms += hour.render_ms;
    }
}

/// A worker, nobody when it is gone, with its sums and how many tasks it has failed.
pub type WorkerSums = (Option<(WorkerId, String)>, Sums, i64);

/// What the farm rendered.
#[derive(Debug, Clone)]
pub struct FarmStatistics {
    /// Frames of the last 60 minutes that still exist.
    pub last_hour: i64,
    /// Hours or days with when they began, oldest first.
    pub periods: Vec<(DateTime<Utc>, Sums)>,
    /// Workers, most frames first.
    pub workers: Vec<WorkerSums>,
}

impl Farm {
    /// How the frames of a job are doing.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn frame_summary(&self, id: JobId) -> Result<Summary> {
        if jobs::find(self.store.read(), id).await?.is_none() {
            return Err(Error::not_found("job", id));
        }
        let all = frames::tasks_of_job(self.store.read(), id).await?;
        let files = frames::of_job(self.store.read(), id, &FrameFilter::default()).await?;
        let counts = frames::of_jobs(self.store.read(), &[id]).await?.remove(&id);
        let total = counts.as_ref().and_then(|counts| counts.total);
        let failures = counts.map_or(0, |counts| counts.failures);
        let mut summary = summary(&all, &files, total, failures, self.now());
        let active = [(id, summary.active)];
        summary.estimate = self.estimates(&active).await?.remove(&id);
        Ok(summary)
    }

    /// What the farm, or one worker, rendered lately.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn frame_statistics(&self, span: Span, worker: Option<WorkerId>) -> Result<FarmStatistics> {
        let now = self.now();
        let starts = period_starts(span, now);
        let since = starts.first().copied().unwrap_or(now);
        let hours = frames::hours(self.store.read(), since, worker).await?;
        let failed = blocklist::failures_since(self.store.read(), since).await?;
        let last_hour = frames::rendered_since(self.store.read(), now - TimeDelta::hours(1), worker).await?;
        let failed: HashMap<_, _> =
            failed.into_iter().filter(|((id, _), _)| worker.is_none_or(|wanted| wanted == *id)).collect();
        Ok(FarmStatistics {
            last_hour,
            periods: by_period(&starts, &hours),
            workers: by_worker(&hours, failed),
        })
    }
}

fn summary(
    tasks: &[FrameTask],
    files: &[Frame],
    total: Option<i64>,
    failures: i64,
    now: DateTime<Utc>,
) -> Summary {
    let (places, _) = places(tasks, files, (i64::MIN, i64::MAX), &[], usize::MAX);
    let mut states = BTreeMap::new();
    for place in &places {
        *states.entry(place.state.as_str()).or_default() += 1;
    }
    let count = |state: JobFrameState| states.get(state.as_str()).copied().unwrap_or(0);
    let waiting = count(JobFrameState::Expected) + count(JobFrameState::Rendering);
    let left = total.map(|_| waiting);
    let good: HashSet<i64> =
        files.iter().filter(|file| file.report.state.came_out()).map(|file| file.report.frame).collect();
    let pace = pace(files);
    let active: HashSet<WorkerId> = tasks
        .iter()
        .filter(|task| task.status == TaskStatus::Active)
        .filter_map(|task| task.worker)
        .collect();
    let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    Summary {
        total,
        done: whole(good.len()),
        left,
        states,
        attempts: files.iter().map(|file| file.attempt).sum(),
        failures,
        times: RenderTimes::of(times(files)),
        per_hour: frames_per_hour(&pace, now),
        active: whole(active.len()),
        estimate: None,
        workers: of_workers(files),
    }
}

fn times<'a>(files: impl IntoIterator<Item = &'a Frame>) -> Vec<i64> {
    let came_out = files.into_iter().filter(|file| file.report.state.came_out());
    came_out.filter_map(|file| file.report.facts.render_ms).collect()
}

/// The frames that came out, each once however many files it has.
fn pace(files: &[Frame]) -> Vec<Done> {
    let mut by_number: HashMap<i64, Done> = HashMap::new();
    for file in files.iter().filter(|file| file.report.state.came_out()) {
        let facts = &file.report.facts;
        let done = Done {
            at: file.report.rendered,
            worker: file.worker.as_ref().map(|(id, _)| *id),
            took: facts.render_ms.map(|render| render + facts.save_ms.unwrap_or(0)),
        };
        let newest = by_number.entry(file.report.frame).or_insert(done);
        if newest.at < done.at {
            *newest = done;
        }
    }
    by_number.into_values().collect()
}

fn of_workers(files: &[Frame]) -> Vec<OfWorker> {
    let mut by_worker: HashMap<Option<WorkerId>, Vec<&Frame>> = HashMap::new();
    for file in files {
        by_worker.entry(file.worker.as_ref().map(|(id, _)| *id)).or_default().push(file);
    }
    let mut workers: Vec<OfWorker> = by_worker
        .into_values()
        .map(|files| {
            let frames = files.iter().filter(|file| file.report.state.came_out()).count();
            let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
            OfWorker {
                worker: files.first().and_then(|file| file.worker.clone()),
                frames: whole(frames),
                failures: whole(files.len() - frames),
                times: RenderTimes::of(times(files.iter().copied())),
            }
        })
        .collect();
    workers.sort_by_key(|worker| (std::cmp::Reverse(worker.frames), worker.worker.clone()));
    workers
}

/// When the hours or days of a span began, oldest first; the last one is going on.
fn period_starts(span: Span, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let (length, count) = match span {
        Span::Day => (TimeDelta::hours(1), 24),
        Span::Month => (TimeDelta::days(1), 30),
    };
    let current = now.duration_trunc(length).unwrap_or(now);
    (0..=count).rev().map(|ago| current - length * ago).collect()
}

fn by_period(starts: &[DateTime<Utc>], hours: &[FrameHour]) -> Vec<(DateTime<Utc>, Sums)> {
    let mut periods: Vec<(DateTime<Utc>, Sums)> =
        starts.iter().map(|start| (*start, Sums::default())).collect();
    for hour in hours {
        let after = periods.partition_point(|(start, _)| *start <= hour.hour);
        if let Some((_, sums)) = after.checked_sub(1).and_then(|at| periods.get_mut(at)) {
            sums.add(hour);
        }
    }
    periods
}

type Who = Option<(WorkerId, String)>;

fn by_worker(hours: &[FrameHour], failed: HashMap<(WorkerId, String), i64>) -> Vec<(Who, Sums, i64)> {
    let mut workers: BTreeMap<Who, (Sums, i64)> = BTreeMap::new();
    for hour in hours {
        workers.entry(hour.worker.clone()).or_default().0.add(hour);
    }
    for (who, count) in failed {
        workers.entry(Some(who)).or_default().1 = count;
    }
    let mut sorted: Vec<(Who, Sums, i64)> =
        workers.into_iter().map(|(who, (sums, failed))| (who, sums, failed)).collect();
    sorted.sort_by_key(|(_, sums, _)| std::cmp::Reverse(sums.frames));
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use flamenco_domain::frame::FrameState;

    #[test]
    fn periods_are_whole_hours_and_days() {
        let now: DateTime<Utc> = "2026-02-03T14:25:06Z".parse().unwrap();
        for (span, count, first, last) in [
            (Span::Day, 25, "2026-02-02T14:00:00Z", "2026-02-03T14:00:00Z"),
            (Span::Month, 31, "2026-01-04T00:00:00Z", "2026-02-03T00:00:00Z"),
        ] {
            let starts = period_starts(span, now);
            let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
            assert_eq!(
                (starts.len(), starts[0], starts[count - 1]),
                (count, at(first), at(last)),
                "{span:?}"
            );
        }
        let hour = |text: &str, frames| FrameHour {
            hour: text.parse().unwrap(),
            worker: None,
            frames,
            failures: 1,
            timed: frames,
            render_ms: 10,
        };
        let hours = [
            hour("2026-02-01T00:00:00Z", 1),
            hour("2026-02-01T23:00:00Z", 2),
            hour("2026-02-03T14:00:00Z", 4),
        ];
        let periods = by_period(&period_starts(Span::Month, now), &hours);
        let counts: Vec<i64> = periods.iter().rev().take(3).map(|(_, sums)| sums.frames).collect();
        assert_eq!(counts, [4, 0, 3]);
    }

    #[test]
    fn a_state_that_came_out_is_one_that_can_be_shown() {
        for (state, want) in [
            (FrameState::Ok, true),
            (FrameState::Black, true),
            (FrameState::Empty, false),
            (FrameState::Broken, false),
            (FrameState::Missing, false),
            (FrameState::Failed, false),
        ] {
            assert_eq!(state.came_out(), want, "{state}");
        }
    }
}
