//! How a candidate fares.

use std::convert::identity;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{ClockExt as _, Result, SharedClock};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{RolloutState, Verdict};

/// Says how a candidate fares: by a query of metrics, a health check, or whatever the host knows.
#[async_trait]
pub trait Analysis: fmt::Debug + Send + Sync + 'static {
    /// A short name for people.
    fn name(&self) -> &str;

    /// How the candidate fares now. Dropping the future has no effect: all analyses together have half an interval.
    ///
    /// # Errors
    /// Nobody can tell: it counts as [`Verdict::NoData`].
    async fn judge(&self, canary: &CanaryView) -> Result<Verdict>;
}

/// What is to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CanaryView {
    /// The revision that it is compared with.
    pub stable: String,
    /// The revision that is judged.
    pub candidate: String,
    /// The candidate's share of the traffic.
    pub percent: u8,
    /// Since when it has this share: older samples say nothing about it.
    pub since: DateTime<Utc>,
}

impl CanaryView {
    /// What is to be judged of a rollout that stands so.
    #[must_use]
    pub fn of(state: &RolloutState) -> Self {
        Self {
            stable: state.stable.clone(),
            candidate: state.release.revision.clone(),
            percent: state.split.percent(&state.release.revision),
            since: state.since,
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<A: Analysis + ?Sized> Analysis for Arc<A> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn judge(&self, canary: &CanaryView) -> Result<Verdict> {
        (**self).judge(canary).await
    }
}

/// An analysis that asks the host.
pub struct ClosureAnalysis<F> {
    name: String,
    ask: F,
}

impl<F, A> ClosureAnalysis<F>
where
    F: Fn(CanaryView) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Verdict>> + Send,
{
    /// An analysis by `ask`.
    #[must_use]
    pub fn new(name: impl Into<String>, ask: F) -> Self {
        Self { name: name.into(), ask }
    }
}

impl<F> fmt::Debug for ClosureAnalysis<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosureAnalysis").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F, A> Analysis for ClosureAnalysis<F>
where
    F: Fn(CanaryView) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Verdict>> + Send,
{
    fn name(&self) -> &str {
        &self.name
    }

    async fn judge(&self, canary: &CanaryView) -> Result<Verdict> {
        (self.ask)(canary.clone()).await
    }
}

/// The worst of all verdicts, within `limit`. Without an analysis there are no data, nor from one that does not answer: each has
/// its part of the time, so that one that hangs does not hide what another says.
pub(super) async fn judge_all(
    analyses: &[Arc<dyn Analysis>],
    canary: &CanaryView,
    clock: &SharedClock,
    limit: Duration,
) -> Verdict {
    let part = limit / u32::try_from(analyses.len()).unwrap_or(u32::MAX).max(1);
    let mut worst = None;
    for analysis in analyses {
        let name = analysis.name();
        let verdict = match clock.timeout(part, "analyse", analysis.judge(canary)).await.and_then(identity) {
            Ok(Verdict::Pass) => Verdict::Pass,
            Ok(Verdict::Inconclusive(reason)) => Verdict::Inconclusive(format!("{name}: {reason}")),
            Ok(Verdict::NoData(reason)) => Verdict::NoData(format!("{name}: {reason}")),
            Ok(Verdict::Fail(reason)) => Verdict::Fail(format!("{name}: {reason}")),
            Err(error) => Verdict::NoData(format!("{name}: {}", error.full())),
        };
        worst = worst.max(Some(verdict));
    }
    worst.unwrap_or_else(|| Verdict::NoData("there is no analysis".to_owned()))
}
