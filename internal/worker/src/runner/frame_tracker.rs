//! Follows Blender's output and says which frames came out, and how. Pure: told what happens and when.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::blender_output::{RenderEvent, RenderStatus, number_in_name};
use super::last_words::LastWords;

/// When something happened: by the steady clock, and by the one on the wall.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub steady: Instant,
    pub wall: DateTime<Utc>,
}

impl Moment {
    pub fn now() -> Self {
        Self { steady: Instant::now(), wall: Utc::now() }
    }
}

/// A frame that came out, was there already, or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedFrame {
    /// Unknown when neither Blender nor the name of the picture tells it.
    pub number: Option<i64>,
    /// Empty when it failed before it had a name.
    pub path: String,
    pub outcome: Outcome,
    pub at: DateTime<Utc>,
    pub render: Option<Duration>,
    pub saving: Option<Duration>,
    pub peak_memory: Option<i64>,
    /// The renderer, as Blender calls it.
    pub engine: Option<String>,
    /// Samples for each pixel that it was to be rendered with.
    pub samples: Option<i64>,
    /// What Blender said when it failed.
    pub message: Option<String>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Saved,
    Existing,
    Failed,
}

/// The frames of one run of Blender.
#[derive(Debug, Default)]
pub struct FrameTracker {
    /// The frame that Blender said last it works on, until that is done.
    current: Option<i64>,
    began: Option<Instant>,
    peak_memory: Option<i64>,
    /// Pictures of the current frame.
    saved: Vec<(String, Moment)>,
    /// The number of the frame that pictures were saved for last.
    saved_number: Option<Option<i64>>,
    /// Done, without a picture, and how long it took: Blender says only afterwards why.
    unsaved: Option<TrackedFrame>,
    skipped: i64,
    timed: i64,
    saved_frames: i64,
    /// What the command line says about the renderer, for one that says nothing itself.
    asked_engine: Option<String>,
    /// What the renderer said last about the current frame, with the most of it that was done.
    status: Option<RenderStatus>,
    words: LastWords,
}

impl FrameTracker {
    /// Of a Blender that was told on its command line to use this renderer.
    pub fn with_engine(asked_engine: Option<String>) -> Self {
        Self { asked_engine, ..Self::default() }
    }

    /// Takes note of a line that tells nothing about frames; it may say why one fails.
    pub fn hear(&mut self, line: &str) {
        self.words.hear(line);
    }

    /// Takes note of why Blender has ended, which counts when it said nothing itself.
    pub fn hear_of_end(&mut self, reason: &str) {
        if self.words.is_empty() {
            self.words.hear(reason);
        }
    }

    /// The frame that is being rendered, and how much of it is done in percent, if that is known.
    pub fn progress(&self) -> Option<(i64, i64)> {
        self.current.zip(self.status.and_then(|status| status.percent))
    }

    /// How many frames are done or were left out. Not every Blender tells when a frame is done; then it is when its
    /// first picture is saved.
    pub fn done(&self) -> i64 {
        self.skipped + self.timed.max(self.saved_frames)
    }

    /// Takes note of what Blender printed; gives back the frames about which everything is known now.
    pub fn observe(&mut self, event: &RenderEvent, now: Moment) -> Vec<TrackedFrame> {
        match event {
            RenderEvent::Frame { number, peak_memory, status } => {
                let mut finished = Vec::new();
                if self.current != Some(*number) {
                    finished = self.finish(now, None, None);
                    self.current = Some(*number);
                    self.began = Some(now.steady);
                    (self.status, self.words) = (None, LastWords::default());
                }
                self.note_status(*status);
                self.peak_memory = self.peak_memory.max(*peak_memory);
                finished
            }
            RenderEvent::Saved(path) => self.save(path, now),
            RenderEvent::FrameDone { total, saving } => {
                self.timed += 1;
                let render = total.saturating_sub(saving.unwrap_or_default());
                self.finish(now, Some(render), *saving)
            }
            RenderEvent::FrameSkipped(path) => {
                self.skipped += 1;
                vec![TrackedFrame {
                    number: number_in_name(path),
                    path: path.clone(),
                    outcome: Outcome::Existing,
                    at: now.wall,
                    render: None,
                    saving: None,
                    peak_memory: None,
                    engine: None,
                    samples: None,
                    message: None,
                }]
            }
            RenderEvent::CannotSave(path) => self.fail(path.clone(), now),
        }
    }

    /// Blender has ended; a frame that it was at has failed if Blender has.
    pub fn end(&mut self, failed: bool, now: Moment) -> Vec<TrackedFrame> {
        let mut finished = if self.saved.is_empty() { Vec::new() } else { self.finish(now, None, None) };
        if failed && (self.current.is_some() || self.unsaved.is_some()) {
            finished.extend(self.fail(String::new(), now));
        }
        finished
    }

    fn save(&mut self, path: &str, now: Moment) -> Vec<TrackedFrame> {
        let number = self.current.or_else(|| number_in_name(path));
        // Without word that a frame is done, the first picture of the next one tells.
        let is_next = self.saved_number != Some(number);
        let finished =
            if is_next && !self.saved.is_empty() { self.finish(now, None, None) } else { Vec::new() };
        if is_next || self.saved.is_empty() {
            self.saved_frames += 1;
        }
        self.saved_number = Some(number);
        self.saved.push((path.to_owned(), now));
        finished
    }

    /// The current frame is over, one way or the other.
    fn finish(
        &mut self,
        now: Moment,
        render: Option<Duration>,
        saving: Option<Duration>,
    ) -> Vec<TrackedFrame> {
        let (number, peak_memory, saved) =
            (self.current.take(), self.peak_memory.take(), std::mem::take(&mut self.saved));
        let status = self.status.take();
        let engine = self.engine(status);
        let end = saved.last().map_or(now.steady, |(_, at)| at.steady);
        let began = self.began.replace(end);
        // Blender did not say how long it took, but when it was done with the one before.
        let measured = began.map(|began| end.duration_since(began));
        let frame = |number, path, at| TrackedFrame {
            number,
            path,
            outcome: Outcome::Saved,
            at,
            render: render.or(measured),
            saving,
            peak_memory,
            engine: engine.clone(),
            samples: status.and_then(|status| status.samples),
            message: None,
        };
        if saved.is_empty() && number.is_some() && render.is_some() {
            self.unsaved = Some(frame(number, String::new(), now.wall));
        }
        let frames = saved.into_iter().map(|(path, at)| {
            let number = number.or_else(|| number_in_name(&path));
            frame(number, path, at.wall)
        });
        frames.collect()
    }

    fn fail(&mut self, path: String, now: Moment) -> Vec<TrackedFrame> {
        let known = self.unsaved.take();
        let number =
            known.as_ref().and_then(|frame| frame.number).or(self.current).or_else(|| number_in_name(&path));
        let peak_memory = known.as_ref().and_then(|frame| frame.peak_memory).or(self.peak_memory.take());
        let status = self.status.take();
        let engine = known.as_ref().map_or_else(|| self.engine(status), |frame| frame.engine.clone());
        let samples = known.as_ref().map_or(status.and_then(|status| status.samples), |frame| frame.samples);
        self.current = None;
        vec![TrackedFrame {
            number,
            path,
            outcome: Outcome::Failed,
            at: now.wall,
            render: known.and_then(|frame| frame.render),
            saving: None,
            peak_memory,
            engine,
            samples,
            message: self.words.take(),
        }]
    }

    fn note_status(&mut self, status: Option<RenderStatus>) {
        let Some(status) = status else { return };
        let before = self.status.replace(status);
        // At its end a picture is at no samples again.
        if let (Some(before), Some(now)) = (before, &mut self.status)
            && now.percent.is_none_or(|percent| percent == 0)
        {
            now.percent = before.percent;
        }
    }

    fn engine(&self, status: Option<RenderStatus>) -> Option<String> {
        status.map(|status| status.engine.to_owned()).or_else(|| self.asked_engine.clone())
    }
}

#[cfg(test)]
mod tests;
