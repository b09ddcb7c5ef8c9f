//! The interface of scalers.

use std::fmt;

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;

/// A service whose number of instances can be set.
///
/// Effects are level-based: a number is set, never added to, so that a repeat does no harm. All methods may
/// be called again and concurrently; of several changes with the same precondition at most one succeeds.
/// None of them repeats a failed request: whoever calls does, and only one layer should.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Scaler: fmt::Debug + Send + Sync + 'static {
    /// A short stable name for logs and metrics.
    fn name(&self) -> &str;

    /// The numbers that the platform accepts.
    fn limits(&self) -> Limits;

    /// Reads the present number. Changes nothing, whether it succeeds, fails or is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::PermissionDenied`], [`ErrorKind::Unavailable`],
    /// [`ErrorKind::Timeout`].
    async fn current(&self) -> Result<Current>;

    /// Looks closer: whether what is configured has come about, and what the platform says is wrong. Changes nothing,
    /// whether it succeeds, fails or is dropped.
    ///
    /// A platform that does not tell leaves it open, as the default does.
    ///
    /// # Errors
    /// As of [`current`](Self::current).
    async fn observe(&self) -> Result<Observed> {
        let Current { configured, running, .. } = self.current().await?;
        Ok(Observed {
            configured,
            running,
            settled: running.map(|running| running == configured),
            problem: None,
        })
    }

    /// Has the platform check a change without making it. `Ok` is a sentence on what would change. Changes
    /// nothing, whether it succeeds, fails or is dropped.
    ///
    /// # Errors
    /// As of [`current`](Self::current); [`ErrorKind::InvalidInput`] for a number that it refuses.
    async fn plan(&self, target: u32) -> Result<String>;

    /// Sets the number, provided that nobody changed the service since the precondition was read.
    ///
    /// After `Ok` the platform holds the number; instances follow in their own time. After a dropped future
    /// or an error whose class is [`Retry::Unknown`](alfred_ops_core::Retry::Unknown), such as
    /// [`ErrorKind::Timeout`], it may have been set: read before a repeat. After any other error nothing was
    /// changed.
    ///
    /// # Errors
    /// As of [`plan`](Self::plan); [`ErrorKind::Conflict`] if somebody else changed the service first: read
    /// again, decide again.
    async fn scale(&self, target: u32, precondition: &Precondition) -> Result<Outcome>;
}

/// How a service fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The number that is configured.
    pub configured: u32,
    /// The number that runs, where the platform tells.
    pub running: Option<u32>,
    /// Whether everything that was asked for has come about, where the platform tells.
    pub settled: Option<bool>,
    /// What the platform says is wrong, in its words.
    pub problem: Option<String>,
}

/// What the platform holds after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The number that is configured.
    pub configured: u32,
    /// What a further change must name, as long as nobody else makes one.
    pub precondition: Precondition,
}

/// The numbers that a platform accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The fewest.
    pub min: u32,
    /// The most.
    pub max: u32,
}

impl Limits {
    /// Refuses a number outside of the limits.
    pub(crate) fn check(self, name: &str, target: u32) -> Result<()> {
        if (self.min..=self.max).contains(&target) {
            return Ok(());
        }
        let what = format!("{target} instances are not within {} and {}", self.min, self.max);
        Err(Error::new(ErrorKind::InvalidInput, "scale", what)
            .with_target(name)
            .with_remedy("keep the policy's bounds within the platform's"))
    }
}

/// What is known of a service at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// The number that is configured.
    pub configured: u32,
    /// The number that runs, where the platform tells.
    pub running: Option<u32>,
    /// What a change on this knowledge must name.
    pub precondition: Precondition,
}

/// A state of a service that a change was decided on, in the platform's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Precondition(String);

impl Precondition {
    /// Made by a scaler for itself.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// What the scaler put in.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.0
    }
}
