//! The log as tracing sees it.

use std::fmt;

use alfred_ops_core::SharedClock;
use chrono::SecondsFormat;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::registry::LookupSpan;

use super::rotating_log::RotatingLog;

impl<'a> MakeWriter<'a> for RotatingLog {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl RotatingLog {
    /// A layer that writes each event as one line of JSON, with the innermost span and its fields.
    ///
    /// Values appear as their `Debug` or `Display` shows them: a [`Secret`](alfred_ops_core::Secret) as `[redacted]`.
    ///
    /// ```
    /// use alfred_ops_core::{Secret, SystemClock};
    /// use alfred_ops_maintenance::{LogOptions, RotatingLog};
    /// use tracing_subscriber::layer::SubscriberExt;
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("app.log");
    /// let (log, guard) = RotatingLog::open(&path, LogOptions::default(), SystemClock::shared())?;
    /// let subscriber = tracing_subscriber::registry().with(log.layer());
    /// tracing::subscriber::with_default(subscriber, || {
    ///     tracing::info!(password = ?Secret::new("hunter2"), "signed in");
    /// });
    /// drop(guard);
    /// let line = std::fs::read_to_string(&path).unwrap();
    /// assert!(line.contains(r#""fields":{"message":"signed in","password":"[redacted]"}"#), "{line}");
    /// # Ok::<(), alfred_ops_core::Error>(())
    /// ```
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_subscriber::fmt::layer()
            .json()
            .with_span_list(false)
            .with_timer(ClockTime(std::sync::Arc::clone(&self.shared.clock)))
            .with_writer(self.clone())
    }
}

/// The time of the log's clock.
struct ClockTime(SharedClock);

impl FormatTime for ClockTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        writer.write_str(&self.0.now().to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}
