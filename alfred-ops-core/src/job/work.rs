//! The contract of a job.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Activation, JobContext};
use crate::Result;

/// What a run has to say, for its history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct JobReport {
    /// What was done, in one line: at most 500 bytes of it are kept.
    pub summary: String,
}

impl JobReport {
    /// A report of one line.
    #[must_use]
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into() }
    }
}

/// Work that a [`Supervisor`](crate::Supervisor) runs when it is due.
///
/// Jobs take no input: each run reads the world anew, so that a retry is simply the next run.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Job: fmt::Debug + Send + Sync + 'static {
    /// A short stable name, unique in its supervisor: visible ASCII without `/`. Its history is kept under it.
    fn name(&self) -> &str;

    /// When it is due. Asked once, when the supervisor is built.
    fn activation(&self) -> Activation;

    /// Does the work once, or for a [`Activation::Service`] until `context.cancel` is cancelled.
    ///
    /// One run at a time across all replicas that share a lease; but a run whose end could not be recorded
    /// is repeated, so a repetition must do no harm. The future is dropped if it does not end in time after
    /// a cancellation: what it leaves behind then, the next run must cope with.
    ///
    /// # Errors
    /// What stopped it. The retry class decides whether the next run comes sooner than planned;
    /// [`Cancelled`](crate::ErrorKind::Cancelled) after a cancellation is no failure.
    async fn run(&self, context: &JobContext) -> Result<JobReport>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<J: Job + ?Sized> Job for Arc<J> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn activation(&self) -> Activation {
        (**self).activation()
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        (**self).run(context).await
    }
}
