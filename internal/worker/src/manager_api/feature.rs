//! What our manager offers beyond the common protocol, each by the name under which it says so.

/// Something that not every manager offers. It is used only when the manager lists its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Reports about frames.
    Frames,
    /// How far a frame is that is being rendered.
    FrameProgress,
    /// Reports about the machine.
    Machine,
    /// Pictures of single frames, transparent ones too.
    Thumbnails,
    /// Pieces of log that come twice are stored once.
    LogPosition,
    /// The end of the worker's own log.
    WorkerLog,
}

/// The manager has said what it offers, be it nothing.
pub(super) const LEARNED: u8 = 1 << 7;

impl Feature {
    pub(super) const ALL: [Self; 6] = [
        Self::Frames,
        Self::Machine,
        Self::Thumbnails,
        Self::LogPosition,
        Self::FrameProgress,
        Self::WorkerLog,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Machine => "machine",
            Self::Thumbnails => "thumbnails",
            Self::LogPosition => "log-position",
            Self::FrameProgress => "frame-progress",
            Self::WorkerLog => "worker-log",
        }
    }

    pub(super) const fn bit(self) -> u8 {
        match self {
            Self::Frames => 1,
            Self::Machine => 2,
            Self::Thumbnails => 4,
            Self::LogPosition => 8,
            Self::FrameProgress => 16,
            Self::WorkerLog => 32,
        }
    }
}
