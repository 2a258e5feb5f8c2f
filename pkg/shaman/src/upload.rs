//! Receiving files.
//!
//! The body is hashed and written while it arrives, in pieces of up to a mebibyte: one piece is filled from the
//! network while a blocking thread works on the one before. Nothing is held for an upload that sends nothing but an
//! open file, so neither threads nor memory grow with slow senders.

use std::fs::File;
use std::io::Write;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::identity::{Checksum, Identity};
use crate::registry::Running;
use crate::temporary::UploadFile;
use crate::{Inner, Store, joined, layout, shelf};

/// Largest piece handed to a blocking thread, in bytes.
const PIECE: usize = 1 << 20;
/// What all pieces that are being filled may hold together, in bytes; with many uploads the pieces get smaller.
const FILLING_LIMIT: usize = 3 << 20;
/// Smallest useful piece, in bytes.
const SMALLEST_PIECE: usize = 16 << 10;
/// Parts of a body below this size, in bytes, are copied together.
const SMALL_PART: usize = 8 << 10;
/// So much is written between two requests to move it to the disk, in bytes. Without them everything would wait for
/// the end of a large file, and the sender with it.
const FLUSH_EVERY: u64 = 32 << 20;

/// An announced upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// What the sender says the file is.
    pub identity: Identity,
    /// The sender can do other files first.
    pub can_defer: bool,
    /// The sender's name for the file. Only logged.
    pub original_name: Option<String>,
    /// Length of the body in bytes, when the transport announces it.
    pub content_length: Option<u64>,
}

/// How an upload ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadOutcome {
    /// The file was received and is stored.
    Stored,
    /// The file was stored already, or someone else's upload of it ended first. The rest of the body was not read.
    AlreadyStored,
    /// Someone else is uploading the file, and the sender offered to wait ([`Settings::defer_uploads`](crate::Settings::defer_uploads)).
    /// The body was not read.
    TryLater,
}

impl Store {
    /// Receives a file. Several uploads of one file may run at a time; the first to succeed ends the others.
    ///
    /// When this fails, or its future is dropped, nothing is left behind. To read the rest of the body after an early
    /// answer, pass `&mut stream`.
    ///
    /// # Errors
    /// [`Error::SizeMismatch`] (before anything is read, if `content_length` shows it; never more than one part after
    /// the announced size is read), [`Error::ChecksumMismatch`], [`Error::Body`], [`Error::Idle`], [`Error::Busy`],
    /// [`Error::NoSpace`], [`Error::Io`].
    pub async fn upload<S, E>(&self, upload: Upload, body: S) -> Result<UploadOutcome>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let Upload { identity, can_defer, original_name, content_length } = upload;
        let declared = identity.size;
        if let Some(received) = content_length.filter(|length| *length != declared) {
            return Err(Error::SizeMismatch { declared, received, cut: false });
        }
        // Entered before looking: an upload that ends between the two is seen by one of them.
        let mut running = self.inner.registry.enter(identity);
        let others = running.others;
        let stored = self.blocking(move |inner| {
            let stored = inner.use_stored(identity)?;
            if stored && others {
                inner.flush_names(identity)?;
            }
            Ok(stored)
        });
        if stored.await? {
            return Ok(UploadOutcome::AlreadyStored);
        }
        if running.others && can_defer && self.inner.settings.defer_uploads {
            return Ok(UploadOutcome::TryLater);
        }
        tracing::debug!(%identity, original_name = original_name.as_deref().unwrap_or_default(), "receiving a file");
        let _slot = tokio::select! {
            biased;
            () = running.stored_by_another() => return Ok(UploadOutcome::AlreadyStored),
            slot = timeout(self.inner.settings.idle_timeout, self.inner.upload_slots.acquire()) => match slot {
                Ok(Ok(slot)) => slot,
                _ => return Err(Error::Busy { running: self.inner.settings.upload_limit }),
            },
        };
        let sink = self.blocking(move |inner| Sink::create(inner, identity)).await?;
        let mut writer = Writer::Ready(Box::new(sink));
        match self.receive(identity, &mut running, &mut writer, body).await {
            Ok(true) => {}
            ended => {
                writer.discard().await;
                return ended.map(|_| UploadOutcome::AlreadyStored);
            }
        }
        let sink = writer.finished().await?;
        let outcome = self.blocking(move |inner| sink.store(inner)).await?;
        running.announce_stored();
        Ok(outcome)
    }

    /// Reads the body to its end. Says `false` when someone else's upload of this file was first.
    async fn receive<S, E>(
        &self,
        identity: Identity,
        running: &mut Running,
        writer: &mut Writer,
        body: S,
    ) -> Result<bool>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut body = pin!(body);
        let idle = self.inner.settings.idle_timeout;
        let mut piece = Piece::default();
        let mut received = 0_u64;
        loop {
            let part = tokio::select! {
                biased;
                () = running.stored_by_another() => return Ok(false),
                part = timeout(idle, body.next()) => part.map_err(|_| Error::Idle(idle))?,
            };
            let Some(part) = part else { break };
            let part = part.map_err(|error| Error::Body(error.into()))?;
            received += part.len() as u64;
            if received > identity.size {
                return Err(Error::SizeMismatch { declared: identity.size, received, cut: true });
            }
            piece.add(part);
            if piece.length >= self.piece_limit() {
                writer.write(std::mem::take(&mut piece)).await?;
            }
        }
        if piece.length > 0 {
            writer.write(piece).await?;
        }
        Ok(true)
    }

    /// How much one upload may gather before it is written, in bytes.
    fn piece_limit(&self) -> usize {
        (FILLING_LIMIT / self.inner.registry.running().max(1)).clamp(SMALLEST_PIECE, PIECE)
    }
}

/// Parts of a body that are handed on together.
#[derive(Default)]
struct Piece {
    parts: Vec<Bytes>,
    small: BytesMut,
    length: usize,
}

impl Piece {
    /// Adds a part; small ones are copied, since each holds on to the whole buffer that it is a part of.
    fn add(&mut self, part: Bytes) {
        self.length += part.len();
        if part.len() < SMALL_PART {
            self.small.extend_from_slice(&part);
            return;
        }
        if !self.small.is_empty() {
            self.parts.push(self.small.split().freeze());
        }
        self.parts.push(part);
    }

    fn into_parts(mut self) -> Vec<Bytes> {
        if !self.small.is_empty() {
            self.parts.push(self.small.freeze());
        }
        self.parts
    }
}

/// Where the pieces go: at any time in the hands of this upload, or of a blocking thread.
enum Writer {
    Ready(Box<Sink>),
    Working(JoinHandle<Result<Box<Sink>>>),
    /// A piece could not be written; the file is removed already.
    Failed,
}

impl Writer {
    /// Starts to write a piece, once the one before is written.
    async fn write(&mut self, piece: Piece) -> Result<()> {
        let sink = std::mem::replace(self, Self::Failed).finished().await?;
        *self = Self::Working(spawn_blocking(move || sink.write(&piece.into_parts())));
        Ok(())
    }

    /// Waits for the last piece.
    async fn finished(self) -> Result<Box<Sink>> {
        match self {
            Self::Ready(sink) => Ok(sink),
            Self::Working(work) => joined(work.await),
            Self::Failed => Err(Error::Cancelled),
        }
    }

    /// Removes what was written, before returning.
    async fn discard(self) {
        if let Ok(mut sink) = self.finished().await
            && let Err(error) = spawn_blocking(move || sink.target.remove()).await
        {
            tracing::warn!(%error, "cannot wait for an unfinished upload to be removed");
        }
    }
}

/// A file that is being written and hashed.
struct Sink {
    identity: Identity,
    target: UploadFile,
    hash: Sha256,
    written: u64,
    flushing: Option<Flushing>,
}

/// Moves what is written to the disk while more arrives.
struct Flushing {
    next_at: u64,
    work: Option<JoinHandle<()>>,
}

impl Sink {
    fn create(inner: &Inner, identity: Identity) -> Result<Self> {
        let root = inner.root()?;
        let needed = identity.size.saturating_add(inner.settings.free_space);
        if root.free_bytes().is_some_and(|free| free < needed) {
            return Err(Error::NoSpace);
        }
        let target = UploadFile::create(&root, identity)?;
        let flushing = inner.settings.flush.then_some(Flushing { next_at: FLUSH_EVERY, work: None });
        Ok(Self { identity, target, hash: Sha256::new(), written: 0, flushing })
    }

    fn write(mut self: Box<Self>, parts: &[Bytes]) -> Result<Box<Self>> {
        for part in parts {
            self.hash.update(part);
            if let Err(error) = self.target.file.write_all(part) {
                self.target.remove();
                return Err(Error::io("write", std::path::Path::new("an upload"), error));
            }
            self.written += part.len() as u64;
        }
        if let Some(flushing) = &mut self.flushing {
            flushing.advance(self.written, &self.target.file);
        }
        Ok(self)
    }

    fn store(mut self, inner: &Inner) -> Result<UploadOutcome> {
        let outcome = self.store_checked(inner);
        self.target.remove();
        outcome
    }

    fn store_checked(&mut self, inner: &Inner) -> Result<UploadOutcome> {
        let Identity { checksum: declared, size } = self.identity;
        if self.written != size {
            return Err(Error::SizeMismatch { declared: size, received: self.written, cut: false });
        }
        let actual = Checksum::from_bytes(self.hash.finalize_reset().into());
        if actual != declared {
            return Err(Error::ChecksumMismatch { declared, actual });
        }
        self.protect_and_flush()?;
        inner.shelve(self.identity, &self.target)
    }

    /// Read-only from the start, so that no worker ever sees a stored file that it may change.
    fn protect_and_flush(&self) -> Result<()> {
        let file = &self.target.file;
        let protected = file.metadata().and_then(|found| {
            let mut permissions = found.permissions();
            permissions.set_readonly(true);
            file.set_permissions(permissions)
        });
        let flushed = protected.and_then(|()| if self.flushing.is_some() { file.sync_all() } else { Ok(()) });
        flushed.map_err(|e| Error::io("finish", std::path::Path::new("an upload"), e))
    }
}

impl Flushing {
    fn advance(&mut self, written: u64, file: &File) {
        if written < self.next_at || self.work.as_ref().is_some_and(|work| !work.is_finished()) {
            return;
        }
        self.next_at = written + FLUSH_EVERY;
        // Failure shows again when the whole file is flushed at the end.
        if let Ok(file) = file.try_clone() {
            self.work = Some(spawn_blocking(move || drop(file.sync_data())));
        }
    }
}

impl Inner {
    /// Moves a complete upload to its place.
    fn shelve(&self, identity: Identity, upload: &UploadFile) -> Result<UploadOutcome> {
        let file_store = self.file_store()?;
        let _using = self.in_use.share(&file_store)?;
        let stored = file_store.make(layout::STORED)?;
        if let Some(blob) = shelf::find(&stored, identity)? {
            blob.touch();
            self.flush_names(identity)?;
            return Ok(UploadOutcome::AlreadyStored);
        }
        let (first, rest) = layout::shard(identity.checksum);
        let above = stored.make(&first)?;
        let folder = above.make(&rest)?;
        if let Err(error) = upload.move_to(&folder, &layout::blob_name(identity.size)) {
            // Windows does not replace a file that someone has open; if it is the right one, all is well.
            return match shelf::find(&stored, identity)? {
                Some(_) => Ok(UploadOutcome::AlreadyStored),
                None => Err(error),
            };
        }
        self.flush_names(identity)?;
        Ok(UploadOutcome::Stored)
    }

    /// Waits until the name of a stored file is on disk. Whoever finds a file that someone else is just storing
    /// waits as well: a name can be seen before it is safe.
    fn flush_names(&self, identity: Identity) -> Result<()> {
        if !self.settings.flush {
            return Ok(());
        }
        let (first, rest) = layout::shard(identity.checksum);
        let stored = self.file_store()?.make(layout::STORED)?;
        for names in [&[first.as_str(), &rest][..], &[&first], &[]] {
            if let Some(folder) = stored.walk(names.iter().copied())? {
                folder.sync()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_parts_are_gathered_and_large_ones_kept_in_order() {
        let mut piece = Piece::default();
        let large = Bytes::from(vec![7; SMALL_PART]);
        for part in
            [Bytes::from_static(b"ab"), Bytes::from_static(b"c"), large.clone(), Bytes::from_static(b"d")]
        {
            piece.add(part);
        }
        assert_eq!(piece.length, 4 + SMALL_PART);
        let parts = piece.into_parts();
        assert_eq!(parts, [Bytes::from_static(b"abc"), large.clone(), Bytes::from_static(b"d")]);
        assert_eq!(parts[1].as_ptr(), large.as_ptr(), "not copied");
    }
}
