//! Frames on the wire.

use chrono::{DateTime, TimeDelta, Utc};
use flamenco_api::operations::{FetchJobFramesQuery, TaskOutputProducedQuery};
use flamenco_api::types;
use flamenco_domain::frame::{
    Frame, FrameAttempt, FrameCounts, FrameFacts, FrameFilter, FrameProgress, FrameReport, FrameState,
    JobFrameState, Thumbnail,
};
use flamenco_domain::frame_statistics::{Estimate, RenderTimes};
use flamenco_domain::ids::{JobId, TaskId, WorkerId};
use flamenco_store::frames::PictureOf;

use super::convert::same_names;
use crate::error::Error;
use crate::farm::frames::preview::{Preview, PreviewSize};
use crate::farm::frames::statistics::{FarmStatistics, OfWorker, Span, Summary};
use crate::farm::frames::{FrameDetails, FramePlace, Requeued, thumbnail_urls};

const fn from_state(state: types::FrameState) -> FrameState {
    match state {
        types::FrameState::Ok => FrameState::Ok,
        types::FrameState::Empty => FrameState::Empty,
        types::FrameState::Broken => FrameState::Broken,
        types::FrameState::Black => FrameState::Black,
        types::FrameState::Missing => FrameState::Missing,
        types::FrameState::Failed => FrameState::Failed,
    }
}

same_names!(
    job_state,
    from_job_state,
    JobFrameState,
    JobFrameState { Ok, Empty, Broken, Black, Missing, Failed, DifferentSize, Expected, Rendering }
);

pub(super) fn from_report(report: types::FrameReport) -> FrameReport {
    FrameReport {
        frame: report.frame,
        path: report.path,
        state: from_state(report.state),
        rendered: report.rendered_at,
        existing: report.existing.unwrap_or(false),
        facts: FrameFacts {
            render_ms: report.render_ms,
            save_ms: report.save_ms,
            peak_memory: report.peak_memory,
            file_size: report.file_size,
            width: report.width,
            height: report.height,
            engine: report.engine,
            samples: report.samples,
            message: report.message,
        },
    }
}

pub(super) fn filter(query: FetchJobFramesQuery) -> Result<FrameFilter, Error> {
    let after = query.cursor.as_deref().map(|text| {
        let numbers =
            text.split_once(':').and_then(|(frame, id)| Some((frame.parse().ok()?, id.parse().ok()?)));
        numbers.ok_or_else(|| {
            Error::Invalid(format!("cursor: {text:?} is not the next_cursor of a page of frames"))
        })
    });
    Ok(FrameFilter {
        from: query.from.unwrap_or(i64::MIN),
        to: query.to.unwrap_or(i64::MAX),
        states: states(query.state),
        task: query.task.map(TaskId),
        workers: query.worker.into_iter().flatten().map(WorkerId).collect(),
        output: query.output,
        slower_than: query.slower_than_ms,
        after: after.transpose()?,
        limit: query.limit,
    })
}

pub(super) fn states(states: Option<Vec<types::JobFrameState>>) -> Vec<JobFrameState> {
    states.into_iter().flatten().map(from_job_state).collect()
}

/// What a picture is of, if its sender says.
pub(super) fn picture_of(query: TaskOutputProducedQuery) -> Result<Option<PictureOf>, Error> {
    let TaskOutputProducedQuery { frame, path, rendered_at } = query;
    match frame {
        Some(frame) => Ok(Some(PictureOf { frame, path: path.unwrap_or_default(), rendered: rendered_at })),
        None if path.is_some() || rendered_at.is_some() => {
            Err(Error::Invalid("path and rendered_at need frame; send the number of the frame".to_owned()))
        }
        None => Ok(None),
    }
}

pub(super) fn page(
    (frames, next): (Vec<Frame>, Option<(i64, i64)>),
    path: impl Fn(&Frame) -> Option<String>,
) -> types::JobFrames {
    types::JobFrames {
        frames: frames.into_iter().map(|found| with_path(found, &path)).collect(),
        next_cursor: next.map(|(frame, id)| types::NextCursor(format!("{frame}:{id}"))),
    }
}

fn with_path(found: Frame, path: impl Fn(&Frame) -> Option<String>) -> types::JobFrame {
    let path = path(&found);
    frame(found, path)
}

fn thumbnail(job: JobId, thumbnail: &Thumbnail) -> types::FrameThumbnail {
    let (small, large) = thumbnail_urls(job, thumbnail);
    types::FrameThumbnail { small, large }
}

/// A frame, with its file as whoever asks sees it.
pub(crate) fn frame(frame: Frame, platform_path: Option<String>) -> types::JobFrame {
    let thumbnail = frame.thumbnail.as_ref().map(|shown| thumbnail(frame.job, shown));
    let FrameFacts { render_ms, save_ms, peak_memory, file_size, width, height, engine, samples, message } =
        frame.report.facts;
    let (worker, worker_name) = frame.worker.unzip();
    types::JobFrame {
        id: frame.seq,
        task: frame.task.0,
        worker: worker.map(|id| id.0),
        worker_name,
        frame: frame.report.frame,
        name: frame.name,
        path: frame.report.path,
        state: job_state(frame.state),
        attempt: frame.attempt,
        rendered_at: frame.report.rendered,
        render_ms,
        save_ms,
        peak_memory,
        file_size,
        width,
        height,
        engine,
        samples,
        message,
        output: Some(frame.output),
        platform_path,
        original: None,
        thumbnail,
    }
}

pub(super) fn grid((places, next_from): (Vec<FramePlace>, Option<i64>)) -> types::JobFrameGrid {
    types::JobFrameGrid { places: places.into_iter().map(place).collect(), next_from }
}

fn place(place: FramePlace) -> types::FramePlace {
    let newest = place.newest.as_ref();
    types::FramePlace {
        frame: place.frame,
        state: job_state(place.state),
        files: place.files,
        id: newest.map(|frame| frame.seq),
        task: place.task.map(|id| id.0),
        worker: place.worker.map(|id| id.0),
        render_ms: newest.and_then(|frame| frame.report.facts.render_ms),
        rendered_at: newest.map(|frame| frame.report.rendered),
        attempt: newest.map(|frame| frame.attempt),
        engine: newest.and_then(|frame| frame.report.facts.engine.clone()),
        samples: newest.and_then(|frame| frame.report.facts.samples),
        progress: place.percent,
        message: newest.and_then(|frame| frame.report.facts.message.clone()),
        thumbnail: newest.and_then(|frame| Some(thumbnail(frame.job, frame.thumbnail.as_ref()?))),
    }
}

pub(super) fn details(
    details: FrameDetails,
    path: impl Fn(&Frame) -> Option<String>,
) -> types::JobFrameDetails {
    let FrameDetails { place, files, attempts, mut originals } = details;
    let with_original = |found: Frame| {
        let original = originals.remove(&found.seq);
        types::JobFrame { original, ..with_path(found, &path) }
    };
    types::JobFrameDetails {
        frame: place.frame,
        state: job_state(place.state),
        task: place.task.map(|id| id.0),
        files: files.into_iter().map(with_original).collect(),
        attempts: attempts.into_iter().map(attempt).collect(),
    }
}

fn attempt(attempt: FrameAttempt) -> types::FrameAttempt {
    let FrameFacts { render_ms, save_ms, peak_memory, file_size, width, height, engine, samples, message } =
        attempt.facts;
    let (worker, worker_name) = attempt.worker.unzip();
    types::FrameAttempt {
        file: attempt.frame,
        attempt: attempt.attempt,
        state: job_state(attempt.state),
        worker: worker.map(|id| id.0),
        worker_name,
        rendered_at: attempt.rendered,
        render_ms,
        save_ms,
        peak_memory,
        file_size,
        width,
        height,
        engine,
        samples,
        message,
    }
}

pub(crate) fn progress(progress: &FrameProgress) -> types::FrameProgress {
    types::FrameProgress { frame: progress.frame, percent: progress.percent }
}

pub(super) fn latest(
    (found, job_name, frames_total): (Frame, String, Option<i64>),
    path: impl Fn(&Frame) -> Option<String>,
) -> types::LatestFrame {
    types::LatestFrame { job: found.job.0, job_name, frames_total, frame: with_path(found, path) }
}

fn times(times: RenderTimes) -> types::RenderTimes {
    let spread = times.spread;
    types::RenderTimes {
        count: times.count,
        total_ms: times.total,
        min_ms: spread.map(|spread| spread.min),
        mean_ms: spread.map(|spread| spread.mean),
        median_ms: spread.map(|spread| spread.median),
        p95_ms: spread.map(|spread| spread.p95),
        max_ms: spread.map(|spread| spread.max),
    }
}

pub(super) fn summary(summary: Summary) -> types::JobFrameSummary {
    let estimate = summary.estimate.and_then(|(now, estimate)| {
        let at = |millis| now.checked_add_signed(TimeDelta::try_milliseconds(millis)?);
        Some(types::EndEstimate {
            end: at(estimate.left)?,
            earliest: at(estimate.earliest)?,
            latest: at(estimate.latest)?,
            left_ms: estimate.left,
        })
    });
    let states = summary.states.into_iter().map(|(state, count)| (state.to_owned(), count)).collect();
    types::JobFrameSummary {
        frames_total: summary.total,
        frames_done: summary.done,
        frames_left: summary.left,
        states: types::FrameStateCounts(states),
        attempts: summary.attempts,
        failures: summary.failures,
        render_time: times(summary.times),
        frames_per_hour: summary.per_hour,
        workers_active: summary.active,
        estimate,
        workers: summary.workers.into_iter().map(of_worker).collect(),
    }
}

fn of_worker(of: OfWorker) -> types::WorkerFrames {
    let (worker, name) = of.worker.unzip();
    types::WorkerFrames {
        worker: worker.map(|id| id.0),
        name,
        frames: of.frames,
        failures: of.failures,
        render_time: times(of.times),
    }
}

/// How far the frames of a job are, for a list of jobs, with when it will be done.
pub(super) fn counts(
    job: JobId,
    counts: &FrameCounts,
    estimate: Option<&(DateTime<Utc>, Estimate)>,
) -> types::JobFrameCounts {
    types::JobFrameCounts {
        total: counts.total,
        done: counts.done,
        failures: counts.failures,
        mean_ms: (counts.timed > 0).then(|| counts.render_ms / counts.timed),
        total_ms: (counts.timed > 0).then_some(counts.render_ms),
        last_rendered_at: counts.last_rendered,
        thumbnail: counts.thumbnail.as_ref().map(|shown| thumbnail(job, shown)),
        estimated_end: estimate
            .and_then(|(at, estimate)| at.checked_add_signed(TimeDelta::try_milliseconds(estimate.left)?)),
    }
}

pub(super) fn requeued(requeued: &Requeued) -> types::FrameRequeueResult {
    let left = requeued.left_alone.iter().flat_map(|left| {
        left.frames.iter().map(|frame| types::FrameLeftAlone { frame, reason: left.reason.clone() })
    });
    types::FrameRequeueResult {
        frames: requeued.frames.iter().collect(),
        tasks: requeued.tasks.iter().map(|id| id.0).collect(),
        left_alone: left.collect(),
    }
}

pub(super) const fn preview_size(size: Option<types::ThumbnailSize>) -> PreviewSize {
    match size {
        Some(types::ThumbnailSize::Large) => PreviewSize::Large,
        Some(types::ThumbnailSize::Small) | None => PreviewSize::Small,
    }
}

pub(super) fn preview(job: JobId, preview: Preview) -> types::JobPreview {
    let (first_frame, last_frame) = preview.ends.unzip();
    types::JobPreview {
        still_frame: preview.still.as_ref().map(|(frame, _)| *frame),
        still: preview.still.as_ref().map(|(_, shown)| thumbnail(job, shown)),
        still_chosen: preview.still.as_ref().map(|_| preview.is_chosen),
        animation: preview.animation,
        video: preview.video,
        first_frame,
        last_frame,
        step: preview.step,
        frames: preview.pictures,
        missing: preview.missing,
        fps: preview.rate,
    }
}

pub(super) const fn span(span: Option<types::FrameSpan>) -> Span {
    match span {
        Some(types::FrameSpan::Month) => Span::Month,
        Some(types::FrameSpan::Day) | None => Span::Day,
    }
}

pub(super) fn statistics(statistics: FarmStatistics) -> types::FrameStatistics {
    let periods = statistics.periods.into_iter().map(|(from, sums)| types::FramePeriod {
        from,
        frames: sums.frames,
        failures: sums.failures,
        render_ms: sums.render_ms,
    });
    let workers = statistics.workers.into_iter().map(|(who, sums, failed_tasks)| {
        let (worker, name) = who.unzip();
        types::WorkerFrameStatistics {
            worker: worker.map(|id| id.0),
            name,
            frames: sums.frames,
            failures: sums.failures,
            render_ms: sums.render_ms,
            mean_ms: (sums.timed > 0).then(|| sums.render_ms / sums.timed),
            failed_tasks,
        }
    });
    types::FrameStatistics {
        frames_last_hour: statistics.last_hour,
        periods: periods.collect(),
        workers: workers.collect(),
    }
}
