//! Work that is carried through when whoever asked for it leaves in the middle.
//!
//! What follows a commit, like the lines of a task's log, belongs to it. But a handler is dropped when its client's
//! connection breaks, which may be just then. As long as the client stays, the work is done where it was asked for:
//! handing each request to a task of its own would cost all of them time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio_util::task::TaskTracker;

/// How long the end of the farm waits for work that was left behind.
const LIMIT: Duration = Duration::from_secs(5);

/// Where work goes on that was left behind.
#[derive(Default)]
pub(super) struct LeftBehind(TaskTracker);

impl LeftBehind {
    /// The same work, which now cannot be dropped half done.
    pub(super) fn carry<F>(&self, work: F) -> Carried<F, fn() -> bool>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.carry_if(work, || true)
    }

    /// The same work, which cannot be dropped half done when `matters` says so at that moment.
    pub(super) fn carry_if<F, M>(&self, work: F, matters: M) -> Carried<F, M>
    where
        F: Future<Output: Send> + Send + 'static,
        M: Fn() -> bool + Unpin,
    {
        Carried { work: Some(Box::pin(work)), matters, left_behind: self.0.clone() }
    }

    /// Waits until nothing is left to do.
    pub(super) async fn finish(&self) {
        self.0.close();
        if tokio::time::timeout(LIMIT, self.0.wait()).await.is_err() {
            tracing::warn!("some work of clients that have left did not end in time");
        }
    }
}

/// See [`LeftBehind::carry`].
pub(super) struct Carried<F: Future<Output: Send> + Send + 'static, M: Fn() -> bool + Unpin> {
    /// Nothing when it is done.
    work: Option<Pin<Box<F>>>,
    matters: M,
    left_behind: TaskTracker,
}

impl<F: Future<Output: Send> + Send + 'static, M: Fn() -> bool + Unpin> Future for Carried<F, M> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out, so that what panics is not begun again.
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            self.work = Some(work);
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static, M: Fn() -> bool + Unpin> Drop for Carried<F, M> {
    fn drop(&mut self) {
        if !(self.matters)() {
            return;
        }
        // Without a runtime the program ends, as if it had been killed.
        if let (Some(work), Ok(runtime)) = (self.work.take(), tokio::runtime::Handle::try_current()) {
            self.left_behind.spawn_on(work, &runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn work_is_done_whether_or_not_somebody_waits() {
        for patience in [Duration::from_millis(1), Duration::from_secs(10)] {
            let (left_behind, done) = (LeftBehind::default(), Arc::new(AtomicBool::new(false)));
            let is_done = Arc::clone(&done);
            let work = left_behind.carry(async move {
                tokio::time::sleep(Duration::from_millis(30)).await;
                is_done.store(true, Ordering::SeqCst);
                7
            });
            let waited = tokio::time::timeout(patience, work).await;
            assert_eq!(waited.ok(), (patience.as_secs() > 0).then_some(7));
            left_behind.finish().await;
            assert!(done.load(Ordering::SeqCst));
        }
    }

    #[tokio::test]
    async fn work_goes_on_only_if_it_matters_when_nobody_waits_any_more() {
        for matters in [true, false] {
            let (left_behind, done) = (LeftBehind::default(), Arc::new(AtomicBool::new(false)));
            let is_done = Arc::clone(&done);
            let work = left_behind.carry_if(
                async move {
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    is_done.store(true, Ordering::SeqCst);
                },
                move || matters,
            );
            assert!(tokio::time::timeout(Duration::from_millis(1), work).await.is_err());
            left_behind.finish().await;
            assert_eq!(done.load(Ordering::SeqCst), matters);
        }
    }

    #[tokio::test]
    async fn what_panics_is_not_begun_again() {
        let left_behind = LeftBehind::default();
        let work = left_behind.carry(async { panic!("on purpose") });
        assert!(tokio::spawn(work).await.unwrap_err().is_panic());
        assert!(left_behind.0.is_empty());
    }
}
