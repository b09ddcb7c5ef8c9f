//! Where targets are found.

use std::fmt;
use std::time::Duration;

use alfred_ops_core::{Error, Result};
use async_trait::async_trait;

use crate::job::TargetGroup;

/// A place where targets are found: it is asked again and again, and answers with all that are there now.
///
/// May be asked from several tasks at once. Asking changes nothing at the far side.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Discovery: fmt::Debug + Send + Sync + 'static {
    /// A short stable name for logs and errors, without credentials.
    fn name(&self) -> &str;

    /// How long to wait between two questions.
    fn poll_interval(&self) -> Duration;

    /// All targets that are there now, in groups whose sources differ. Targets have `__address__`, and what the
    /// place knows of them as `__meta_…`.
    ///
    /// Dropping the future ends the question and has no other effect.
    ///
    /// # Errors
    /// Nothing is known about the targets. Whoever asks goes on with the last list and asks again after the
    /// interval; an implementation does not repeat by itself. It ends within a bounded time.
    async fn find(&self) -> Result<Found>;
}

/// All targets that a place has now.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Found {
    /// The targets.
    pub groups: Vec<TargetGroup>,
    /// What could not be read, such as one file of several. Where an earlier state of it is known, that stands
    /// among the groups.
    pub problems: Vec<Error>,
}

impl Found {
    /// These targets, without any problem.
    #[must_use]
    pub const fn new(groups: Vec<TargetGroup>) -> Self {
        Self { groups, problems: Vec::new() }
    }

    /// Adds what could not be read.
    #[must_use]
    pub fn with_problems(mut self, problems: Vec<Error>) -> Self {
        self.problems = problems;
        self
    }
}
