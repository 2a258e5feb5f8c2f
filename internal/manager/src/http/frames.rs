//! Frames on the wire.

use flamenco_api::operations::FetchJobFramesQuery;
use flamenco_api::types;
use flamenco_domain::frame::{Frame, FrameFacts, FrameFilter, FrameReport, FrameState, JobFrameState};

use super::convert::same_names;
use crate::error::Error;

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
        },
    }
}

pub(super) fn filter(query: &FetchJobFramesQuery) -> Result<FrameFilter, Error> {
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
        states: query.state.iter().flatten().map(|state| from_job_state(*state)).collect(),
        after: after.transpose()?,
        limit: query.limit,
    })
}

pub(super) fn page((frames, next): (Vec<Frame>, Option<(i64, i64)>)) -> types::JobFrames {
    types::JobFrames {
        frames: frames.into_iter().map(frame).collect(),
        next_cursor: next.map(|(frame, id)| types::NextCursor(format!("{frame}:{id}"))),
    }
}

fn frame(frame: Frame) -> types::JobFrame {
    let Frame { seq, task, worker, name, attempt, report } = frame;
    let FrameFacts { render_ms, save_ms, peak_memory, file_size, width, height } = report.facts;
    let (worker, worker_name) = worker.unzip();
    types::JobFrame {
        id: seq,
        task: task.0,
        worker: worker.map(|id| id.0),
        worker_name,
        frame: report.frame,
        name,
        path: report.path,
        state: job_state(report.state.into()),
        attempt,
        rendered_at: report.rendered,
        render_ms,
        save_ms,
        peak_memory,
        file_size,
        width,
        height,
        output: None,
        platform_path: None,
        thumbnail: None,
    }
}
