//! What the writer is asked to do, with its type hidden.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use flamenco_domain::ids::TaskId;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::Tx;
use crate::db::Db;
use crate::error::Error;

/// An operation with its type hidden.
pub(super) trait Operation: Send {
    fn kind(&self) -> Kind;
    /// The task that it begins with a look at, if it says so.
    fn task(&self) -> Option<TaskId>;
    /// Runs it; true when it succeeded.
    fn run<'a>(&'a mut self, tx: &'a Tx) -> BoxFuture<'a, bool>;
    /// Answers the caller: with the result of the last run, or with `error` when it could not be committed.
    fn answer(self: Box<Self>, error: Option<Error>);
}

/// An operation, and who waits for its result.
pub(super) struct Typed<F, T, E> {
    kind: Kind,
    task: Option<TaskId>,
    function: F,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Typed<F, T, E> {
    /// One that has not run yet, and its result when it is there.
    pub(super) fn new(
        kind: Kind,
        task: Option<TaskId>,
        function: F,
    ) -> (Self, oneshot::Receiver<Result<T, E>>) {
        let (reply, answer) = oneshot::channel();
        (Self { kind, task, function, result: None, reply }, answer)
    }
}

impl<F, T, E> Operation for Typed<F, T, E>
where
    F: for<'a> Fn(&'a Tx) -> BoxFuture<'a, Result<T, E>> + Send,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    fn kind(&self) -> Kind {
        self.kind
    }

    fn task(&self) -> Option<TaskId> {
        self.task
    }

    fn run<'a>(&'a mut self, tx: &'a Tx) -> BoxFuture<'a, bool> {
        let future = AssertUnwindSafe((self.function)(tx)).catch_unwind();
        Box::pin(async move {
            let result = future.await.unwrap_or_else(|panic| {
                // What it wrote before is unknown, so it counts as having written.
                tx.note_write();
                Err(E::from(Error::Database(format!("the operation panicked: {}", panic_text(&*panic)))))
            });
            let succeeded = result.is_ok();
            self.result = Some(result);
            succeeded
        })
    }

    fn answer(self: Box<Self>, error: Option<Error>) {
        let result = match (error, self.result) {
            (Some(error), _) => Err(E::from(error)),
            (None, Some(result)) => result,
            (None, None) => Err(E::from(Error::Closed)),
        };
        // The caller may be gone; its operation counts all the same.
        drop(self.reply.send(result));
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no reason given".to_owned())
}

/// How an operation is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In its turn.
    Normal,
    /// In its turn, leaving what it can to the end of the batch.
    Hot,
    /// When nothing else waits, or one to a batch.
    Low,
    /// As a low one; and it need not be on the disk when it is answered.
    Slice,
}

impl Kind {
    pub(super) const fn is_hot(self) -> bool {
        matches!(self, Self::Hot)
    }

    pub(super) const fn is_low(self) -> bool {
        matches!(self, Self::Low | Self::Slice)
    }

    pub(super) const fn is_lasting(self) -> bool {
        !matches!(self, Self::Slice)
    }
}
