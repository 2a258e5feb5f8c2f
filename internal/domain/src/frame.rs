//! Frames that were rendered, as workers report them.

use chrono::{DateTime, Utc};

use crate::ids::{TaskId, WorkerId};
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
}

impl FrameReport {
    /// The name of the file, whichever platform its path is of.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit(['/', '\\']).next().unwrap_or_default()
    }
}

/// A frame as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Its key in the database.
    pub seq: i64,
    /// The task that rendered it.
    pub task: TaskId,
    /// The worker that rendered it last, while that exists.
    pub worker: Option<(WorkerId, String)>,
    /// Name of the file.
    pub name: String,
    /// How often it was rendered.
    pub attempt: i64,
    /// What was reported.
    pub report: FrameReport,
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
    /// Only frames after this one: number and key.
    pub after: Option<(i64, i64)>,
    /// At most so many; all without it.
    pub limit: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

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
