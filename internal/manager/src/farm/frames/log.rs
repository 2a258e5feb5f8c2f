//! Frames of workers that do not report them: what the logs of their tasks say, and which of them a picture shows.
//!
//! A stock worker uploads pictures without saying of what. It saves a frame, sends its picture at once, and the lines of
//! its log a little later. So a picture belongs to the earliest frame of its task that has none yet, and waits when
//! there is none. What waits is kept in memory only: the manager makes the thumbnail from the file itself where it can.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flamenco_domain::frame::{FrameFacts, FrameReport, FrameSource, FrameState};
use flamenco_domain::frame_log::saved_frames;
use flamenco_domain::ids::{TaskId, WorkerId};
use flamenco_domain::worker::Worker;
use flamenco_store::frames::SetThumbnail;

use crate::farm::Farm;

/// Pictures that wait for a line of a log, over all tasks.
const MOST_WAITING: usize = 256;

/// What is known of such workers.
#[derive(Debug, Default)]
pub(crate) struct FrameLogs(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Workers that report frames themselves.
    reporting: HashSet<WorkerId>,
    waiting: HashMap<TaskId, VecDeque<SetThumbnail>>,
}

impl FrameLogs {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a worker reports frames, so its logs need not be read.
    pub(crate) fn reports_frames(&self, worker: WorkerId) {
        self.lock().reporting.insert(worker);
    }

    /// Keeps a picture until the log says of what it is. False when there is no room.
    pub(crate) fn wait(&self, task: TaskId, picture: SetThumbnail) -> bool {
        let mut inner = self.lock();
        let waiting: usize = inner.waiting.values().map(VecDeque::len).sum();
        if waiting >= MOST_WAITING {
            return false;
        }
        inner.waiting.entry(task).or_default().push_back(picture);
        true
    }

    fn next(&self, task: TaskId) -> Option<SetThumbnail> {
        let mut inner = self.lock();
        let pictures = inner.waiting.get_mut(&task)?;
        let first = pictures.pop_front();
        if pictures.is_empty() {
            inner.waiting.remove(&task);
        }
        first
    }
}

impl Farm {
    /// Looks for frames in what a worker has added to the log of its task. What goes wrong is no reason to refuse the
    /// log, which is stored already.
    pub(crate) async fn frames_of_log(&self, worker: &Worker, task: TaskId, text: &str) {
        if !text.contains("Saved: ") || self.frame_logs.lock().reporting.contains(&worker.id) {
            return;
        }
        let now = self.now();
        let reports: Vec<FrameReport> = saved_frames(text)
            .into_iter()
            .filter(|saved| saved.path.chars().count() <= 2000 && !saved.path.contains('\0'))
            .map(|saved| FrameReport {
                frame: saved.frame,
                path: saved.path,
                state: FrameState::Ok,
                rendered: now,
                existing: false,
                facts: FrameFacts {
                    render_ms: saved.render.and_then(|time| i64::try_from(time.as_millis()).ok()),
                    save_ms: saved.save.and_then(|time| i64::try_from(time.as_millis()).ok()),
                    ..FrameFacts::default()
                },
            })
            .collect();
        for some in reports.chunks(500) {
            let stored = self.store_frames(worker.seq, task, FrameSource::Log, some.to_vec()).await;
            if let Err(error) = stored {
                tracing::warn!(task.id = %task, %error, "cannot store the frames that a log speaks of");
                return;
            }
        }
        while let Some(picture) = self.frame_logs.next(task) {
            match self.give_to_logged_frame(task, worker.seq, &picture).await {
                Ok(true) => {}
                Ok(false) => {
                    // More pictures than frames: the next lines will tell.
                    self.frame_logs.wait(task, picture);
                    return;
                }
                Err(error) => tracing::warn!(task.id = %task, %error, "cannot store a thumbnail"),
            }
        }
    }
}
