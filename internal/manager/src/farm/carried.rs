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
    pub(super) fn carry<F>(&self, work: F) -> Carried<F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Carried { work: Some(Box::pin(work)), left_behind: self.0.clone() }
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
pub(super) struct Carried<F: Future<Output: Send> + Send + 'static> {
    /// Nothing when it is done.
    work: Option<Pin<Box<F>>>,
    left_behind: TaskTracker,
}

impl<F: Future<Output: Send> + Send + 'static> Future for Carried<F> {
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

impl<F: Future<Output: Send> + Send + 'static> Drop for Carried<F> {
    fn drop(&mut self) {
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
    async fn what_panics_is_not_begun_again() {
        let left_behind = LeftBehind::default();
        let work = left_behind.carry(async { panic!("on purpose") });
        assert!(tokio::spawn(work).await.unwrap_err().is_panic());
        assert!(left_behind.0.is_empty());
    }
}
