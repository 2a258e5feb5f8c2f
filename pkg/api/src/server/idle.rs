//! Clients that stop to send in the middle of a body.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use http::StatusCode;

use crate::Problem;

/// Waits for so long.
pub type Sleep = fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// How long a body may pause.
#[derive(Debug, Clone, Copy)]
pub struct IdleLimit {
    /// Longest time without a byte.
    pub limit: Duration,
    /// The clock of the server's runtime.
    pub sleep: Sleep,
}

impl IdleLimit {
    /// What `work` gives, unless that takes too long.
    ///
    /// # Errors
    /// 408, which says so.
    pub(super) async fn within<T>(self, work: impl Future<Output = T>) -> Result<T, Problem> {
        let mut work = pin!(work);
        // Most of what comes is there already, and needs no clock.
        if let Some(done) = work.as_mut().now_or_never() {
            return Ok(done);
        }
        match select(work, (self.sleep)(self.limit)).await {
            Either::Left((done, _)) => Ok(done),
            Either::Right(_) => Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                format!(
                    "no byte of the request body came for {:?}; look at the network and send it again",
                    self.limit
                ),
            )),
        }
    }
}
