//! Frames that were rendered, as workers report them.

use chrono::{DateTime, Utc};

use crate::ids::{JobId, TaskId, WorkerId};
use crate::status::status_enum;

status_enum! {
    /// What became of a frame.
    FrameState, "frame" {
        /// The picture is there and can be read.
        Ok = "ok",
        /// The file has no content.
        Empty = "empty",
        /// Only part of the picture is there, or it cannot be read.
        Broken = "broken",
        /// Every pixel is black or transparent.
        Black = "black",
        /// The renderer says that it saved the file, but there is none.
        Missing = "missing",
        /// It was begun, and rendering ended with an error before it was saved.
        Failed = "failed",
    }
}

status_enum! {
    /// How a frame of a job is: what was reported, and what the manager adds.
    JobFrameState, "frame" {
        /// See [`FrameState::Ok`].
        Ok = "ok",
        /// See [`FrameState::Empty`].
        Empty = "empty",
        /// See [`FrameState::Broken`].
        Broken = "broken",
        /// See [`FrameState::Black`].
        Black = "black",
        /// See [`FrameState::Missing`].
        Missing = "missing",
        /// See [`FrameState::Failed`].
        Failed = "failed",
        /// The picture has another size than most frames of its output.
        DifferentSize = "different-size",
        /// It has not been rendered yet.
        Expected = "expected",
        /// Its task is running, and it has not come out of it yet.
        Rendering = "rendering",
    }
}

impl FrameState {
    /// Whether a picture came out, whatever it looks like.
    #[must_use]
    pub const fn came_out(self) -> bool {
        matches!(self, Self::Ok | Self::Black)
    }
}

impl From<FrameState> for JobFrameState {
    fn from(state: FrameState) -> Self {
        match state {
            FrameState::Ok => Self::Ok,
            FrameState::Empty => Self::Empty,
            FrameState::Broken => Self::Broken,
            FrameState::Black => Self::Black,
            FrameState::Missing => Self::Missing,
            FrameState::Failed => Self::Failed,
        }
    }
}

/// One file of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameReport {
    /// Frame number; may be negative.
    pub frame: i64,
    /// The file as the worker sees it; empty for a frame that failed.
    pub path: String,
    /// What became of it.
    pub state: FrameState,
    /// When it was saved, or found to have failed.
    pub rendered: DateTime<Utc>,
    /// It was there before the run that reports it, which says nothing about how it was rendered.
    pub existing: bool,
    /// What is known about it.
    pub facts: FrameFacts,
}

/// What may be known about a frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrameFacts {
    /// Time for rendering without saving, in milliseconds.
    pub render_ms: Option<i64>,
    /// Time for saving, in milliseconds.
    pub save_ms: Option<i64>,
    /// Most memory the renderer used, in bytes.
    pub peak_memory: Option<i64>,
    /// Size of the file in bytes.
    pub file_size: Option<i64>,
    /// Width in pixels.
    pub width: Option<i64>,
    /// Height in pixels.
    pub height: Option<i64>,
    /// The renderer, such as `CYCLES`.
    pub engine: Option<String>,
    /// Samples for each pixel that it was to be rendered with.
    pub samples: Option<i64>,
    /// The last line of the log that says why it failed.
    pub message: Option<String>,
}

/// How far a frame is that is being rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameProgress {
    /// Frame number; may be negative.
    pub frame: i64,
    /// How much of it is done, 0 to 100.
    pub percent: i64,
}

impl FrameReport {
    /// The name of the file, whichever platform its path is of.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit(['/', '\\']).next().unwrap_or_default()
    }
}

/// How the manager came to know about a file of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameSource {
    /// Its worker reported it.
    Report,
    /// The log of its task speaks of it.
    Log,
    /// Its picture came before anything else.
    Picture,
}

impl FrameSource {
    /// The word that is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Log => "log",
            Self::Picture => "picture",
        }
    }
}

/// What is stored of a file of a frame, as far as a new report about it needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownFrame {
    /// When it was rendered.
    pub rendered: DateTime<Utc>,
    /// The worker that rendered it, by its key.
    pub worker: Option<i64>,
    /// Whether its worker reported it.
    pub is_reported: bool,
}

/// What becomes of a report about a file of a frame that is known already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnReport {
    /// It says nothing new.
    Ignore,
    /// It says more about the rendering that is known.
    Complete,
    /// It is about a later rendering; the one before becomes history.
    NewAttempt,
    /// It says how the file is now, and nothing about how it was rendered.
    Look,
}

/// Decides about a report, see [`OnReport`]. Reports come more than once, late, and in any order; a log tells the same
/// as the report of a worker that reports, with another time.
#[must_use]
pub fn on_frame_report(
    known: KnownFrame,
    worker: i64,
    source: FrameSource,
    report: &FrameReport,
) -> OnReport {
    match source {
        _ if report.existing => OnReport::Look,
        FrameSource::Report if !known.is_reported && known.worker == Some(worker) => OnReport::Complete,
        FrameSource::Report if report.rendered > known.rendered => OnReport::NewAttempt,
        FrameSource::Report if report.rendered == known.rendered => OnReport::Complete,
        FrameSource::Log if known.is_reported && known.worker == Some(worker) => OnReport::Ignore,
        FrameSource::Log if report.rendered > known.rendered => OnReport::NewAttempt,
        FrameSource::Report | FrameSource::Log | FrameSource::Picture => OnReport::Ignore,
    }
}

/// The pictures that show a frame in lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// What their files are called, up to the size and the extension.
    pub stem: String,
    /// `jpg` or `webp`.
    pub extension: String,
    /// Whether the large one is still there.
    pub has_large: bool,
}

/// A frame as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its key in the database.
    pub seq: i64,
    /// The job it belongs to.
    pub job: JobId,
    /// The task that rendered it.
    pub task: TaskId,
    /// The worker that rendered it last, while that exists.
    pub worker: Option<(WorkerId, String)>,
    /// The platform of that worker, or nothing.
    pub platform: String,
    /// Name of the file.
    pub name: String,
    /// Which output it belongs to, see [`crate::frame_log::output`].
    pub output: String,
    /// How often it was rendered.
    pub attempt: i64,
    /// What was reported.
    pub report: FrameReport,
    /// How it is.
    pub state: JobFrameState,
    /// Whether it is to be rendered again.
    pub is_stale: bool,
    /// What shows it.
    pub thumbnail: Option<Thumbnail>,
}

/// One time that a file of a frame was rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameAttempt {
    /// Key of the file in the database.
    pub frame: i64,
    /// The how-manieth time it was.
    pub attempt: i64,
    /// The worker that rendered it, while that exists.
    pub worker: Option<(WorkerId, String)>,
    /// What became of it.
    pub state: JobFrameState,
    /// When.
    pub rendered: DateTime<Utc>,
    /// What is known about it.
    pub facts: FrameFacts,
}

/// Which frames of a job are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameFilter {
    /// The first frame number.
    pub from: i64,
    /// The last frame number.
    pub to: i64,
    /// Only frames in one of these states; all without any.
    pub states: Vec<JobFrameState>,
    /// Only frames of this task.
    pub task: Option<TaskId>,
    /// Only frames that one of these workers rendered last; all without any.
    pub workers: Vec<WorkerId>,
    /// Only frames of this output.
    pub output: Option<String>,
    /// Only frames that took longer to render, in milliseconds.
    pub slower_than: Option<i64>,
    /// Only frames after this one: number and key.
    pub after: Option<(i64, i64)>,
    /// At most so many; all without it.
    pub limit: Option<i64>,
}

impl Default for FrameFilter {
    fn default() -> Self {
        Self {
            from: i64::MIN,
            to: i64::MAX,
            states: Vec::new(),
            task: None,
            workers: Vec::new(),
            output: None,
            slower_than: None,
            after: None,
            limit: None,
        }
    }
}

/// How far the frames of a job are.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameCounts {
    /// How many its commands name, if they do.
    pub total: Option<i64>,
    /// How many have come out.
    pub done: i64,
    /// How often one did not come out.
    pub failures: i64,
    /// How many render times are known.
    pub timed: i64,
    /// These times together, in milliseconds.
    pub render_ms: i64,
    /// When the newest was rendered.
    pub last_rendered: Option<DateTime<Utc>>,
    /// What shows the newest.
    pub thumbnail: Option<Thumbnail>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_report_about_a_known_file_does() {
        use FrameSource::{Log, Picture, Report};
        use OnReport::{Complete, Ignore, Look, NewAttempt};
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let (same, other) = (1, 2);
        // Known: rendered at 10 by worker 1, reported or not.
        for (is_reported, worker, source, rendered, existing, want) in [
            (true, same, Report, 10, false, Complete),
            (true, same, Report, 11, false, NewAttempt),
            (true, same, Report, 9, false, Ignore),
            (true, other, Report, 11, false, NewAttempt),
            (true, same, Report, 11, true, Look),
            (true, same, Log, 11, false, Ignore),
            (true, other, Log, 11, false, NewAttempt),
            (true, other, Log, 10, false, Ignore),
            (false, same, Report, 9, false, Complete),
            (false, same, Report, 11, false, Complete),
            (false, other, Report, 11, false, NewAttempt),
            (false, same, Log, 11, false, NewAttempt),
            (false, same, Log, 10, false, Ignore),
            (true, same, Picture, 11, false, Ignore),
        ] {
            let known = KnownFrame { rendered: at(10), worker: Some(same), is_reported };
            let report = FrameReport {
                frame: 1,
                path: "/a".to_owned(),
                state: FrameState::Ok,
                rendered: at(rendered),
                existing,
                facts: FrameFacts::default(),
            };
            let case = format!("{source:?} of {worker} at {rendered}, known reported: {is_reported}");
            assert_eq!(on_frame_report(known, worker, source, &report), want, "{case}");
        }
    }

    #[test]
    fn names_of_files_on_every_platform() {
        for (path, name) in [
            ("/mnt/a/0001.png", "0001.png"),
            (r"S:\a\0001.png", "0001.png"),
            ("0001.png", "0001.png"),
            ("", ""),
        ] {
            let report = FrameReport {
                frame: 1,
                path: path.to_owned(),
                state: FrameState::Ok,
                rendered: DateTime::UNIX_EPOCH,
                existing: false,
                facts: FrameFacts::default(),
            };
            assert_eq!(report.name(), name);
        }
    }
}
