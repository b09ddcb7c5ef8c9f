//! Tasks that are joined. The one file that spawns.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::{Error, ErrorKind, Result};

/// Tasks with one owner: every task started here is cancelled and joined here.
///
/// Dropping the set asks its tasks to stop and does not wait; call [`TaskSet::shutdown`] to wait.
#[derive(Debug)]
pub struct TaskSet {
    cancel: CancellationToken,
    tracker: TaskTracker,
}

impl TaskSet {
    /// A set whose tasks also stop when `parent` is cancelled.
    #[must_use]
    pub fn new(parent: &CancellationToken) -> Self {
        Self { cancel: parent.child_token(), tracker: TaskTracker::new() }
    }

    /// The token that the tasks watch.
    #[must_use]
    pub fn cancel_token(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Starts a task. It must return soon after the set's token is cancelled; a result travels by the
    /// returned handle, and a panic shows there as [`ErrorKind::Internal`].
    #[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
    pub fn spawn<F>(&self, future: F) -> TaskHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        TaskHandle(tokio::spawn(self.tracker.track_future(future).in_current_span()))
    }

    /// Asks all tasks to stop and waits until the last has ended.
    pub async fn shutdown(self) {
        self.cancel.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Waits until the last task has ended by itself.
    pub async fn join(self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Drop for TaskSet {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// The outcome of one task of a [`TaskSet`]: a future of its result. Dropping it leaves the task running in
/// its set.
#[derive(Debug)]
pub struct TaskHandle<T>(tokio::task::JoinHandle<T>);

impl<T> TaskHandle<T> {
    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

impl<T> Future for TaskHandle<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map_err(|error| ended(&error))
    }
}

/// Runs work that would block a runtime thread (compression, file access) on the blocking pool.
///
/// Dropping the future does not stop the work: keep each piece short.
///
/// # Errors
/// [`ErrorKind::Internal`] if the work panicked, [`ErrorKind::Cancelled`] if the runtime is shutting down.
#[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ended(&error))
}

fn ended(error: &tokio::task::JoinError) -> Error {
    if error.is_panic() {
        Error::new(ErrorKind::Internal, "run task", "the task panicked")
    } else {
        Error::new(ErrorKind::Cancelled, "run task", "the runtime is shutting down")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shutdown_joins_every_task() {
        let set = TaskSet::new(&CancellationToken::new());
        let (sender, mut receiver) = tokio::sync::mpsc::channel(3);
        for number in 0..3 {
            let (sender, cancel) = (sender.clone(), set.cancel_token().clone());
            set.spawn(async move {
                cancel.cancelled().await;
                sender.send(number).await.unwrap();
            });
        }
        drop(sender);
        set.shutdown().await;
        let mut seen = Vec::new();
        while let Some(number) = receiver.recv().await {
            seen.push(number);
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2]);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_this_software() {
        let set = TaskSet::new(&CancellationToken::new());
        let handle = set.spawn(async { assert_eq!(1, 2, "on purpose") });
        assert_eq!(handle.await.unwrap_err().kind(), ErrorKind::Internal);
        assert_eq!(
            blocking(|| assert_eq!(1, 2, "on purpose")).await.unwrap_err().kind(),
            ErrorKind::Internal
        );
    }
}
