//! Something that takes alerts over, as Alertmanager does.

use std::fmt;
use std::sync::Arc;

use alfred_ops_core::Result;
use async_trait::async_trait;

use super::PostedAlert;

/// Something that takes alerts over and does the rest itself: grouping, silences, people. Alertmanager, or what speaks its
/// language.
///
/// It is told of the state of alerts again and again, and forgets an alert that it was not told of until the alert's
/// [`ends_at`](PostedAlert::ends_at). So nothing is repeated here: what got lost is sent with the next state. The
/// [engine](crate::AlertEngine) calls it for one batch after the other, oldest first.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait Alertmanager: fmt::Debug + Send + Sync + 'static {
    /// A short stable name for logs and the status, without credentials.
    fn name(&self) -> &str;

    /// Tells of alerts, in one attempt whose time it bounds.
    ///
    /// `Ok` means that the far side has taken all of them. After an error, or if the future is dropped, it may have taken
    /// any of them; to be told twice of the same state does no harm.
    ///
    /// # Errors
    /// Whatever kept the far side from taking an alert. Of a refusal the error says what the far side said.
    async fn post(&self, alerts: &[PostedAlert]) -> Result<()>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "a new method with a default must be forwarded, not lost")]
impl<A: Alertmanager + ?Sized> Alertmanager for Arc<A> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn post(&self, alerts: &[PostedAlert]) -> Result<()> {
        (**self).post(alerts).await
    }
}
