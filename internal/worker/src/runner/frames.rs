//! What is told about the frames that a task rendered: looks at their files, reports them, and offers their pictures.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use flamenco_api::types::FrameProgress;
use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};

use super::frame_tracker::{Outcome, TrackedFrame};
use super::picture;
use super::{CommandError, Context};
use crate::manager_api::Feature;
use crate::outbox::{FrameReport, FrameState};
use crate::pictures::{Picture, preview};

/// Frames that wait to be looked at. Blender waits for none of this: beyond that they are left out. It passes over
/// thousands of existing frames in a second, and a file on a network drive takes milliseconds to look at.
const WAITING: usize = 250_000;
/// The longest path that the manager takes, in characters.
const LONGEST_PATH: usize = 2000;
/// Frames that go into one report.
const BATCH: usize = 100;
/// Files that are looked at at the same time: on a network drive each is mostly waited for.
const LOOKERS: usize = 8;

/// Between two words about a frame that is being rendered; one that takes less time gets none.
const PACE: Duration = Duration::from_secs(2);

/// Takes frames from whoever reads Blender's output, without ever waiting.
#[derive(Debug)]
pub struct FrameSink {
    frames: mpsc::Sender<TrackedFrame>,
    /// The frame that is being rendered, and how much of it is done in percent.
    progress: watch::Sender<Option<(i64, i64)>>,
    /// How many frames there was no room for.
    left_out: Arc<AtomicU64>,
}

impl FrameSink {
    fn new(waiting: usize) -> (Self, mpsc::Receiver<TrackedFrame>) {
        let (frames, receiver) = mpsc::channel(waiting);
        (Self { frames, progress: watch::Sender::new(None), left_out: Arc::default() }, receiver)
    }

    pub fn send(&self, frames: Vec<TrackedFrame>) {
        for frame in frames {
            if self.frames.try_send(frame).is_err() {
                self.left_out.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Sets the frame that is being rendered, and how much of it is done in percent.
    pub fn set_progress(&self, now: Option<(i64, i64)>) {
        self.progress.send_if_modified(|known| std::mem::replace(known, now) != now);
    }
}

/// Runs `work` with a sink for frames beside it; ends when the work is done and every frame is on its way.
pub async fn reporting<F>(
    context: &Context<'_>,
    work: impl FnOnce(FrameSink) -> F,
) -> Result<(), CommandError>
where
    F: Future<Output = Result<(), CommandError>>,
{
    let (sink, receiver) = FrameSink::new(WAITING);
    let (watched, left_out) = (sink.progress.subscribe(), sink.left_out.clone());
    let work = async { tokio::join!(work(sink), report(context, receiver)) };
    tokio::pin!(work);
    let result = tokio::select! {
        (result, ()) = &mut work => result,
        // Nothing more is coming.
        () = tell_progress(context, watched) => work.await.0,
    };
    let left_out = left_out.load(Ordering::Relaxed);
    if left_out > 0 {
        tracing::warn!(left_out, "frames came faster than they could be looked at");
        context
            .reporter
            .log(&format!("WARNING: {left_out} frames are not listed: there were too many at once"));
    }
    result
}

/// Tells how far frames are that take their time. What gets lost is followed by the next.
async fn tell_progress(context: &Context<'_>, mut progress: watch::Receiver<Option<(i64, i64)>>) {
    while progress.changed().await.is_ok() {
        tokio::time::sleep(PACE).await;
        let now = *progress.borrow_and_update();
        let Some((frame, percent)) = now.filter(|_| context.manager.offers(Feature::FrameProgress)) else {
            continue;
        };
        let body = FrameProgress { frame, percent };
        if let Err(error) = context.manager.report_frame_progress(context.reporter.task(), &body).await {
            tracing::debug!(%error, "the manager did not take how far a frame is");
        }
    }
}

async fn report(context: &Context<'_>, mut frames: mpsc::Receiver<TrackedFrame>) {
    let mut batch = Vec::new();
    while frames.recv_many(&mut batch, BATCH).await > 0 {
        let tracked = std::mem::take(&mut batch);
        let looked_at = look_at_all(tracked).await;
        let reports: Vec<_> = looked_at.iter().filter_map(|(_, report)| report.clone()).collect();
        if context.manager.offers(Feature::Frames) && !reports.is_empty() {
            context.reporter.frames(reports).await;
        }
        let task = context.reporter.task();
        for (frame, report) in looked_at {
            let path = PathBuf::from(frame.path);
            if frame.outcome != Outcome::Saved {
                continue;
            }
            if let Some(folder) = path.parent() {
                context.supervision.watched.set_output(folder.to_owned());
            }
            if report.as_ref().is_none_or(|report| report.state == FrameState::Ok) {
                context.pictures.offer(Picture { task, path, report });
            }
        }
    }
}

/// Looks at several at the same time; gives them back in their order.
async fn look_at_all(tracked: Vec<TrackedFrame>) -> Vec<(TrackedFrame, Option<FrameReport>)> {
    let each = tracked.len().div_ceil(LOOKERS).max(1);
    let shares = tracked.chunks(each).map(<[_]>::to_vec);
    let lookers = shares
        .map(|share| tokio::task::spawn_blocking(|| share.into_iter().map(look_at).collect::<Vec<_>>()));
    // A share only ends early when the worker does.
    let looked_at = join_all(lookers).await.into_iter().map(Result::unwrap_or_default);
    looked_at.flatten().collect()
}

/// What a file tells about its frame. Blocks.
fn look_at(frame: TrackedFrame) -> (TrackedFrame, Option<FrameReport>) {
    let millis =
        |time: Option<std::time::Duration>| time.and_then(|time| i64::try_from(time.as_millis()).ok());
    let file =
        if frame.path.is_empty() { FileFacts::default() } else { FileFacts::of(Path::new(&frame.path)) };
    let state = if frame.outcome == Outcome::Failed { FrameState::Failed } else { file.state() };
    let rendered_at = match frame.outcome {
        Outcome::Existing => file.modified.unwrap_or(frame.at),
        Outcome::Saved | Outcome::Failed => frame.at,
    };
    let number = frame.number.filter(|_| frame.path.chars().count() <= LONGEST_PATH);
    let report = number.map(|number| FrameReport {
        frame: number,
        path: frame.path.clone(),
        state,
        rendered_at,
        existing: frame.outcome == Outcome::Existing,
        render_ms: millis(frame.render),
        save_ms: millis(frame.saving),
        peak_memory: frame.peak_memory,
        engine: frame.engine.clone(),
        samples: frame.samples,
        message: frame.message.clone(),
        file_size: file.size,
        width: file.dimensions.map(|(width, _)| i64::from(width)),
        height: file.dimensions.map(|(_, height)| i64::from(height)),
    });
    (frame, report)
}

/// What is seen of a file without reading it whole.
#[derive(Debug, Default, PartialEq, Eq)]
struct FileFacts {
    /// `None` when there is no file.
    size: Option<i64>,
    modified: Option<DateTime<Utc>>,
    is_cut_short: bool,
    dimensions: Option<(u32, u32)>,
}

impl FileFacts {
    fn of(path: &Path) -> Self {
        let Ok(metadata) = path.metadata() else { return Self::default() };
        let dimensions = preview::dimensions(path);
        let is_damaged = dimensions.as_ref().is_err_and(flamenco_pictures::PictureError::is_damage);
        Self {
            size: i64::try_from(metadata.len()).ok(),
            modified: metadata.modified().ok().and_then(to_utc),
            is_cut_short: is_damaged || picture::is_cut_short(path).unwrap_or(false),
            dimensions: dimensions.ok(),
        }
    }

    fn state(&self) -> FrameState {
        match self.size {
            None => FrameState::Missing,
            Some(0) => FrameState::Empty,
            Some(_) if self.is_cut_short => FrameState::Broken,
            Some(_) => FrameState::Ok,
        }
    }
}

fn to_utc(time: SystemTime) -> Option<DateTime<Utc>> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    DateTime::from_timestamp(i64::try_from(since.as_secs()).ok()?, since.subsec_nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(path: &Path, outcome: Outcome) -> TrackedFrame {
        TrackedFrame {
            number: Some(3),
            path: path.to_str().unwrap().to_owned(),
            outcome,
            at: DateTime::UNIX_EPOCH,
            render: Some(Duration::from_millis(1500)),
            saving: None,
            peak_memory: Some(7),
            engine: Some("CYCLES".to_owned()),
            samples: Some(4),
            message: None,
        }
    }

    #[test]
    fn the_file_tells_the_state() {
        let folder = tempfile::tempdir().unwrap();
        let png = std::fs::read(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pkg/pictures/fixtures/transparent.png"),
        )
        .unwrap();
        for (name, content, state, size) in [
            ("whole.png", Some(&png[..]), FrameState::Ok, Some((24, 16))),
            ("half.png", Some(&png[..png.len() / 2]), FrameState::Broken, Some((24, 16))),
            ("start.png", Some(&png[..12]), FrameState::Broken, None),
            ("empty.png", Some(&b""[..]), FrameState::Empty, None),
            ("other.xyz", Some(&b"what only somebody else can read"[..]), FrameState::Ok, None),
            ("missing.png", None, FrameState::Missing, None),
        ] {
            let path = folder.path().join(name);
            if let Some(content) = content {
                std::fs::write(&path, content).unwrap();
            }
            let report = look_at(frame(&path, Outcome::Saved)).1.unwrap();
            assert_eq!(report.state, state, "{name}");
            assert_eq!(report.width.zip(report.height), size, "{name}");
            assert_eq!(
                report.file_size,
                content.map(|content| i64::try_from(content.len()).unwrap()),
                "{name}"
            );
            assert_eq!((report.frame, report.render_ms, report.save_ms), (3, Some(1500), None), "{name}");
            assert_eq!(report.rendered_at, DateTime::<Utc>::UNIX_EPOCH, "{name}");
        }
    }

    #[tokio::test]
    async fn a_whole_chunk_that_is_passed_over_at_once_is_kept() {
        let one = frame(Path::new("/no/such/file.png"), Outcome::Existing);
        let (sink, mut frames) = FrameSink::new(WAITING);
        for number in 0..50_000 {
            sink.send(vec![TrackedFrame { number: Some(number), ..one.clone() }]);
        }
        drop(sink);
        let (mut batch, mut numbers) = (Vec::new(), Vec::new());
        while frames.recv_many(&mut batch, BATCH).await > 0 {
            let looked_at = look_at_all(std::mem::take(&mut batch)).await;
            numbers.extend(looked_at.into_iter().map(|(frame, _)| frame.number.unwrap()));
        }
        assert_eq!(numbers, (0..50_000).collect::<Vec<_>>());

        let (sink, _frames) = FrameSink::new(2);
        sink.send(vec![one; 5]);
        assert_eq!(sink.left_out.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn an_existing_frame_has_the_time_of_its_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let report = look_at(frame(file.path(), Outcome::Existing)).1.unwrap();
        assert!(
            report.existing && report.rendered_at > DateTime::UNIX_EPOCH + chrono::TimeDelta::days(10_000)
        );
    }

    #[test]
    fn a_failed_frame_has_no_file() {
        let report = look_at(frame(Path::new(""), Outcome::Failed)).1.unwrap();
        assert_eq!((report.state, report.path.as_str(), report.file_size), (FrameState::Failed, "", None));
    }
}
