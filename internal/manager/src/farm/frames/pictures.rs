//! Pictures that workers send: the newest of a job is what was rendered last, and each is the thumbnail of its frame.
//!
//! A picture is decoded, scaled and on disk before its upload is answered. Few are worked on at a time, since each takes
//! memory, and few may wait.

use std::path::{Path, PathBuf};

use flamenco_domain::event::Event;
use flamenco_domain::frame::Thumbnail;
use flamenco_domain::ids::{JobId, TaskId, WorkerId};
use flamenco_domain::task::{TaskSummary, TaskWorker};
use flamenco_store::frames::{self, NotedThumbnail, PictureOf, SetThumbnail};
use flamenco_store::{last_rendered as last, tasks};
use image::DynamicImage;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::spool::Spool;
use super::thumbnail::{Thumbnails, file_names};
use crate::error::{Error, Result};
use crate::farm::Farm;
use crate::farm::last_rendered::{decode, replace, save_sizes};

/// A picture that a worker may send, and its place among those that are on their way.
pub struct ExpectedPicture {
    task: TaskSummary,
    owner: TaskWorker,
    place: OwnedSemaphorePermit,
}

impl Farm {
    /// Whether a worker may send a picture of what it rendered. Until the picture has come it takes nothing but a
    /// place, so that a slow worker keeps nobody from their turn.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::TaskReport`] when the task is not this worker's, [`Error::Busy`] when too many
    /// wait.
    pub async fn expect_picture(&self, worker: WorkerId, id: TaskId) -> Result<ExpectedPicture> {
        let task =
            tasks::find(self.store.read(), id).await?.ok_or_else(|| Error::not_found("task", id))?.summary;
        let owner = task.worker.clone().filter(|owner| owner.id == worker);
        let Some(owner) = owner else { return Err(flamenco_domain::task::ReportDenied::NotYours.into()) };
        Ok(ExpectedPicture { task, owner, place: self.pictures.place_for_frame()? })
    }

    /// Where a picture is kept until it is its turn.
    pub fn picture_spool(&self) -> Spool {
        Spool::in_folder(&self.live().config.local_storage)
    }

    /// A picture came of what a worker rendered, which may have said of which frame. It is taken also when the worker
    /// hangs up now.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is no picture that can be read.
    pub async fn output_produced(
        &self,
        expected: ExpectedPicture,
        of: Option<PictureOf>,
        picture: Spool,
    ) -> Result<()> {
        let farm = self.clone();
        self.left_behind.carry(async move { farm.take_picture(expected, of, picture).await }).await
    }

    async fn take_picture(
        &self,
        expected: ExpectedPicture,
        of: Option<PictureOf>,
        picture: Spool,
    ) -> Result<()> {
        let ExpectedPicture { task, owner, place } = expected;
        let arrived = self.pictures.arrived(task.job_id);
        let content = picture.finish().await?;
        let turn = self.pictures.turn().await?;
        let folder = self.logs.job_directory(task.job_id.0);
        let identity = match &of {
            Some(PictureOf { frame, path, .. }) => format!("{}/{frame}/{path}", task.id),
            None => format!("{}/{}", task.id, Uuid::new_v4()),
        };
        let made = tokio::task::spawn_blocking(move || -> Result<(SetThumbnail, bool)> {
            // They stay with the work, which goes on when the client leaves.
            let _held = (place, turn);
            let picture = decode(content)?;
            std::fs::create_dir_all(&folder)
                .map_err(Error::io(format!("cannot make the folder {}", folder.display())))?;
            let made = save_thumbnails(&picture, &identity, &folder)?;
            // Of several of a job only the newest is what was rendered last; all of them are frames.
            let is_last = arrived.is_newest() && arrived.write(|| save_sizes(picture, &folder))?;
            Ok((made, is_last))
        });
        let made = made.await.map_err(|error| Error::Internal(format!("scaling a picture: {error}")))?;
        let (made, is_last) = made?;
        if is_last {
            self.set_last_rendered(&task).await?;
        }
        match of {
            Some(of) => self.set_thumbnail(task.id, owner.seq, of, &made).await,
            None => self.keep_for_log(&task, &owner, made).await,
        }
    }

    async fn set_last_rendered(&self, task: &TaskSummary) -> Result<()> {
        let (now, seq, job) = (self.now(), task.job_seq, task.job_id);
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    last::set(tx, seq, now).await?;
                    tx.announce(Event::LastRendered { job });
                    Ok(())
                })
            })
            .await
    }

    async fn keep_for_log(&self, task: &TaskSummary, owner: &TaskWorker, made: SetThumbnail) -> Result<()> {
        if self.give_to_logged_frame(task.id, owner.seq, &made).await? {
            return Ok(());
        }
        let thumbnail = made.thumbnail.clone();
        if !self.frame_logs.wait(task.id, made) {
            tracing::debug!(task.id = %task.id, "too many pictures wait for the log to say what they show");
            self.remove_thumbnail(task.job_id, &thumbnail).await;
        }
        Ok(())
    }

    /// Gives a picture to the earliest frame that the log of a task spoke of and that has none. False when there is
    /// none.
    pub(super) async fn give_to_logged_frame(
        &self,
        task: TaskId,
        worker: i64,
        made: &SetThumbnail,
    ) -> Result<bool> {
        let Some((found, _)) = tasks::look(self.store.read(), task).await? else { return Ok(false) };
        match frames::without_thumbnail(self.store.read(), found.seq).await? {
            Some(of) => self.set_thumbnail(task, worker, of, made).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Stores which thumbnail a frame has, and removes the files of the one that it had.
    pub(super) async fn set_thumbnail(
        &self,
        id: TaskId,
        worker: i64,
        of: PictureOf,
        made: &SetThumbnail,
    ) -> Result<()> {
        let (now, set) = (self.now(), made.clone());
        let stored = self
            .store
            .write::<_, _, Error>(move |tx| {
                let (of, set) = (of.clone(), set.clone());
                Box::pin(async move {
                    let task = tasks::lock(tx, id).await?.ok_or_else(|| Error::not_found("task", id))?;
                    let stored = frames::set_thumbnail(tx, &task, worker, &of, &set, now).await?;
                    Ok((task.job_id, stored))
                })
            })
            .await;
        let (job, NotedThumbnail { key, before, is_set }) = stored?;
        // What came again is the same files, which are in use.
        let is_other = before.as_ref().is_none_or(|before| before.stem != made.thumbnail.stem);
        match before {
            Some(before) if is_set && is_other => self.remove_thumbnail(job, &before).await,
            // A newer rendering has its own.
            _ if !is_set && is_other => self.remove_thumbnail(job, &made.thumbnail).await,
            _ => {}
        }
        if is_set {
            self.frame_changes.note(job, [key]);
        }
        Ok(())
    }

    /// Removes the files of a thumbnail that nothing refers to any more; what is left goes with its job.
    pub(super) async fn remove_thumbnail(&self, job: JobId, thumbnail: &Thumbnail) {
        let folder = self.logs.job_directory(job.0);
        for name in file_names(thumbnail) {
            let path = folder.join(name);
            if let Err(error) = tokio::fs::remove_file(&path).await
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "cannot remove a thumbnail that was replaced");
            }
        }
    }
}

/// Makes the thumbnails of a picture and writes their files. Blocks.
pub(super) fn save_thumbnails(picture: &DynamicImage, identity: &str, folder: &Path) -> Result<SetThumbnail> {
    let made = Thumbnails::of(picture)?;
    let thumbnail = made.name(identity);
    let [large, small]: [PathBuf; 2] = file_names(&thumbnail).map(|name| folder.join(name));
    replace(&large, &made.large)?;
    replace(&small, &made.small)?;
    let bytes = i64::try_from(made.large.len() + made.small.len()).unwrap_or(i64::MAX);
    Ok(SetThumbnail { thumbnail, bytes })
}
