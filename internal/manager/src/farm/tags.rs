//! Worker tags: a job with a tag runs only on workers that have it.

use flamenco_domain::event::Event;
use flamenco_domain::ids::{JobId, TagId, WorkerId};
use flamenco_domain::worker::Tag;
use flamenco_store::{jobs, tags, workers};

use super::Farm;
use super::capacity::fail_stranded_jobs;
use super::changes::announce_job;
use crate::error::{Error, Result};

/// Longest name and description, in characters.
const LONGEST_NAME: usize = 64;
const LONGEST_DESCRIPTION: usize = 255;

/// How a tag is named in a request for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagChoice {
    /// None: the job runs on every worker.
    None,
    /// By its id.
    Id(TagId),
    /// By its name.
    Name(String),
}

fn checked(tag: Tag) -> Result<Tag> {
    let name = tag.name.trim().to_owned();
    if name.is_empty() {
        return Err(Error::Invalid("name must not be empty".to_owned()));
    }
    if name.chars().count() > LONGEST_NAME || tag.description.chars().count() > LONGEST_DESCRIPTION {
        let limits =
            format!("a name has at most {LONGEST_NAME} characters, a description {LONGEST_DESCRIPTION}");
        return Err(Error::Invalid(limits));
    }
    Ok(Tag { name, ..tag })
}

impl Farm {
    /// All tags, by name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tags(&self) -> Result<Vec<Tag>> {
        Ok(tags::all(self.store.read()).await?)
    }

    /// A tag.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn tag(&self, id: TagId) -> Result<Tag> {
        tags::find(self.store.read(), id).await?.ok_or_else(|| Error::not_found("worker tag", id))
    }

    /// Makes a tag.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it has no name or too long a one; the store's duplicate error when the name is taken.
    pub async fn create_tag(&self, tag: Tag) -> Result<Tag> {
        let (tag, now) = (checked(tag)?, self.now());
        self.store
            .write(move |tx| {
                let tag = tag.clone();
                Box::pin(async move {
                    tags::insert(tx, &tag, now).await?;
                    tx.announce(Event::Tag { tag: tag.clone(), deleted: false });
                    Ok(tag)
                })
            })
            .await
    }

    /// Changes the name of a tag, and its description when one is given.
    ///
    /// # Errors
    /// As [`Self::create_tag`], and [`Error::NotFound`].
    pub async fn update_tag(&self, id: TagId, name: String, description: Option<String>) -> Result<()> {
        let old = self.tag(id).await?;
        let tag = checked(Tag { id, name, description: description.unwrap_or(old.description) })?;
        let now = self.now();
        self.store
            .write(move |tx| {
                let tag = tag.clone();
                Box::pin(async move {
                    if !tags::update(tx, &tag, now).await? {
                        return Err(Error::not_found("worker tag", id));
                    }
                    tx.announce(Event::Tag { tag, deleted: false });
                    Ok(())
                })
            })
            .await
    }

    /// Deletes a tag, unless a job that has not ended is restricted to it: it would run on every worker then.
    ///
    /// # Errors
    /// [`Error::TagInUse`], [`Error::NotFound`].
    pub async fn delete_tag(&self, id: TagId) -> Result<()> {
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let tag = tags::find(tx, id).await?.ok_or_else(|| Error::not_found("worker tag", id))?;
                    let jobs = tags::unfinished_jobs(tx, id).await?;
                    if jobs > 0 {
                        return Err(Error::TagInUse { name: tag.name, jobs });
                    }
                    tags::delete(tx, id).await?;
                    tx.announce(Event::Tag { tag: Tag { name: String::new(), ..tag }, deleted: true });
                    Ok(())
                })
            })
            .await
    }

    /// Gives a worker exactly these tags.
    ///
    /// # Errors
    /// [`Error::UnknownTag`] when one of them does not exist; nothing changed then.
    pub async fn set_worker_tags(&self, id: WorkerId, wanted: Vec<TagId>) -> Result<()> {
        let now = self.now();
        let lines = self
            .store
            .write(move |tx| {
                let wanted = wanted.clone();
                Box::pin(async move {
                    let mut worker = super::workers::lock(tx, id).await?;
                    if let Some(unknown) = tags::set_of_worker(tx, worker.seq, &wanted).await?.first() {
                        return Err(Error::UnknownTag(unknown.to_string()));
                    }
                    worker.updated = now;
                    workers::save_status(tx, &worker).await?;
                    let now_there = tags::of_worker(tx, worker.seq).await?;
                    let ids = now_there.iter().map(|tag| tag.id).collect();
                    super::workers::announce_tags(tx, &worker, ids);
                    // It may run other jobs now, and waits for work perhaps.
                    tx.announce(Event::WorkAvailable);
                    fail_stranded_jobs(tx, now).await
                })
            })
            .await?;
        self.write_lines(lines).await;
        Ok(())
    }

    /// Restricts a job to the workers with a tag, or lifts that.
    ///
    /// # Errors
    /// [`Error::UnknownTag`], [`Error::NotFound`].
    pub async fn set_job_tag(&self, id: JobId, choice: TagChoice) -> Result<()> {
        let now = self.now();
        let lines = self
            .store
            .write(move |tx| {
                let choice = choice.clone();
                Box::pin(async move {
                    let mut job = super::jobs::lock(tx, id).await?;
                    let tag = match choice {
                        TagChoice::None => None,
                        TagChoice::Id(id) => {
                            let tag = tags::find(tx, id).await?;
                            Some(tag.ok_or_else(|| Error::UnknownTag(id.to_string()))?.id)
                        }
                        TagChoice::Name(name) => {
                            let tag = tags::all(tx).await?.into_iter().find(|tag| tag.name == name);
                            Some(tag.ok_or(Error::UnknownTag(name))?.id)
                        }
                    };
                    tags::set_of_job(tx, job.seq, tag).await?;
                    job.worker_tag = tag;
                    job.updated = jobs::later(&job, now);
                    jobs::save(tx, &job, true).await?;
                    announce_job(tx, &job, None, false);
                    fail_stranded_jobs(tx, now).await
                })
            })
            .await?;
        self.write_lines(lines).await;
        Ok(())
    }
}
