//! Somewhere a notification can be delivered.

use std::fmt;
use std::sync::Arc;

use alfred_ops_core::Result;
use async_trait::async_trait;

use super::Receipt;
use crate::notify::Notification;

/// Somewhere a notification can be delivered.
///
/// Called at least once per notification and possibly from several tasks. A sink makes one attempt and bounds
/// its time; the [engine](crate::AlertEngine) repeats it as the error's
/// [`Retry`](alfred_ops_core::Retry) allows.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait AlertSink: fmt::Debug + Send + Sync + 'static {
    /// A short stable name for logs, metrics and routes, without credentials.
    fn name(&self) -> &str;

    /// Delivers one grouped notification.
    ///
    /// `Ok` means that the far side acknowledged it. After an error of class `Never` or `After` it has not
    /// taken effect. After an error of class `Unknown`, or if the future is dropped, it may have:
    /// [`Notification::dedup_key`] is the same at every attempt and lets the far side forget repeats.
    ///
    /// # Errors
    /// Of class `After` while the far side is away or overloaded, `Never` if it refuses this notification,
    /// `Unknown` if it did not answer in time.
    async fn deliver(&self, notification: &Notification) -> Result<Receipt>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods, reason = "a new method with a default must be forwarded, not lost")]
impl<S: AlertSink + ?Sized> AlertSink for Arc<S> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn deliver(&self, notification: &Notification) -> Result<Receipt> {
        (**self).deliver(notification).await
    }
}
