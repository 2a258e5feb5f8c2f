//! Serves the API: implement [`Backend`] and the traits of the tags, and give the value to [`router`].
//!
//! A request is worked off in this order: route, [`Backend::authorize`], path, query and headers, body, handler. The
//! body is not touched before the caller is known. Whatever goes wrong on the way is answered as a [`Problem`].

mod answer;
mod call;
mod idle;
pub mod parse;
pub mod reply;
mod strict;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum::body::BodyDataStream;
use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt};

use crate::{Operation, Problem};

pub use crate::generated::server::*;
pub(crate) use answer::{answer, methods, unknown_path};
pub(crate) use call::Call;
pub use idle::{IdleLimit, Sleep};

/// What the server needs to know before it can call an operation.
pub trait Backend: Clone + Send + Sync + 'static {
    /// Who sent a request; every operation gets it as its first argument.
    type Caller: Send + 'static;

    /// Decides who sent a request and whether they may call the operation. No byte of the body has been read yet.
    fn authorize(
        &self,
        operation: &'static Operation,
        request: &http::request::Parts,
    ) -> impl Future<Output = Result<Self::Caller, Problem>> + Send;

    /// The largest JSON body that the operation accepts, in bytes. A larger one is answered with 413.
    fn json_body_limit(&self, operation: &'static Operation) -> usize;

    /// How long a body may pause before its request is answered with 408. Who reads an [`UploadBody`] sees to it with
    /// [`UploadBody::next_part`].
    fn idle_limit(&self) -> IdleLimit;
}

/// For whoever wants to know afterwards what was asked for: a request that has one of these among its extensions leaves
/// its JSON body in it, unless that is large.
#[derive(Debug, Clone, Default)]
pub struct KeptBody(Arc<OnceLock<Bytes>>);

impl KeptBody {
    /// Longest body that is kept, in bytes.
    pub const LIMIT: usize = 64 * 1024;

    /// The body, if one was read and it was not too long. It need not be valid JSON.
    pub fn get(&self) -> Option<&Bytes> {
        self.0.get()
    }

    pub(crate) fn keep(&self, body: &[u8]) {
        if body.len() <= Self::LIMIT {
            self.0.get_or_init(|| Bytes::copy_from_slice(body));
        }
    }
}

/// A file on its way in. It is read piece by piece and never held in memory as a whole.
pub struct UploadBody {
    /// The media type, without parameters and in lower case, if the client sent one.
    pub content_type: Option<String>,
    /// The length that the client announced, in bytes. A chunked upload has none.
    pub content_length: Option<u64>,
    /// The client sends nothing before it is told to go on (`Expect: 100-continue`), which reading the stream does.
    pub awaits_go_ahead: bool,
    /// How long it may pause.
    pub idle_limit: IdleLimit,
    /// The content. An error means that the connection broke off: what has come so far is not the whole file.
    pub stream: BodyDataStream,
}

impl UploadBody {
    /// The next piece, or nothing at the end.
    ///
    /// # Errors
    /// 408 when the client sent nothing for too long, 400 when the connection broke off.
    pub async fn next_part(&mut self) -> Result<Option<Bytes>, Problem> {
        let part = self.idle_limit.within(self.stream.next()).await?;
        part.transpose().map_err(|error| Problem::bad_request(format!("the upload broke off: {error}")))
    }
}

impl Stream for UploadBody {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_next_unpin(context)
    }
}

impl std::fmt::Debug for UploadBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadBody")
            .field("content_type", &self.content_type)
            .field("content_length", &self.content_length)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
