use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};

/// A response body that comes in pieces and is never held in memory as a whole.
pub struct BodyStream {
    /// The length in bytes, if it is known beforehand.
    pub length: Option<u64>,
    pieces: Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>,
}

impl BodyStream {
    /// A body of unknown length; an error breaks the connection off, so that a client sees that the rest is missing.
    pub fn new(pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> BodyStream {
        BodyStream { length: None, pieces: Box::pin(pieces) }
    }

    /// A body of known length, in bytes.
    pub fn with_length(
        length: u64,
        pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> BodyStream {
        BodyStream { length: Some(length), pieces: Box::pin(pieces) }
    }
}

impl From<Bytes> for BodyStream {
    fn from(bytes: Bytes) -> BodyStream {
        BodyStream::with_length(bytes.len() as u64, stream::iter([Ok(bytes)]))
    }
}

impl Stream for BodyStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.poll_next_unpin(context)
    }
}

impl fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyStream").field("length", &self.length).finish_non_exhaustive()
    }
}
