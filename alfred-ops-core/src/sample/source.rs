//! Where samples come from.

use std::fmt;

use async_trait::async_trait;

use super::{ChangeSignal, Changes, Sample};
use crate::Result;

/// Somewhere the present samples of one thing can be read: a registry in this process, a scraped page.
///
/// May be called from several tasks at once; reading changes nothing.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait MetricSource: fmt::Debug + Send + Sync + 'static {
    /// A short stable name for logs and errors, without credentials.
    fn name(&self) -> &str;

    /// Reads all present samples, each series at most once.
    ///
    /// A sample without a timestamp was read during this call. After an error nothing is known: there is
    /// no partial answer. Dropping the future ends the reading and has no other effect.
    ///
    /// # Errors
    /// Whatever kept the source from answering in full.
    async fn collect(&self) -> Result<Vec<Sample>>;

    /// Tells of changes from now on, if the source can: rules may then be evaluated before the next scrape. By default it
    /// cannot.
    fn changes(&self) -> Option<Changes> {
        None
    }
}

/// A source in this process: a closure that reads the present samples and does not block.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
///
/// use alfred_ops_core::{ChangeSignal, ClosureSource, Labels, Sample};
///
/// let (failures, changed) = (Arc::new(AtomicU32::new(0)), ChangeSignal::new());
/// let read = Arc::clone(&failures);
/// let source = ClosureSource::new("agents", move || {
///     Ok(vec![Sample::new(Labels::metric("tasks_errors_total"), f64::from(read.load(Ordering::Relaxed)))])
/// })
/// // Only for rules that shall not wait for the next scrape.
/// .with_changes(&changed);
///
/// failures.fetch_add(1, Ordering::Relaxed);
/// changed.notify();
/// # drop(source);
/// ```
pub struct ClosureSource<F> {
    name: String,
    read: F,
    changes: Option<ChangeSignal>,
}

impl<F> ClosureSource<F>
where
    F: Fn() -> Result<Vec<Sample>> + Send + Sync + 'static,
{
    /// A source named `name` that answers with what `read` returns.
    #[must_use]
    pub fn new(name: impl Into<String>, read: F) -> Self {
        Self { name: name.into(), read, changes: None }
    }

    /// Lets `signal` tell of changes.
    #[must_use]
    pub fn with_changes(mut self, signal: &ChangeSignal) -> Self {
        self.changes = Some(signal.clone());
        self
    }
}

impl<F> fmt::Debug for ClosureSource<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosureSource").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F> MetricSource for ClosureSource<F>
where
    F: Fn() -> Result<Vec<Sample>> + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    async fn collect(&self) -> Result<Vec<Sample>> {
        (self.read)()
    }

    fn changes(&self) -> Option<Changes> {
        self.changes.as_ref().map(ChangeSignal::watch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Labels;

    #[tokio::test]
    async fn a_closure_is_read_anew_each_time() {
        let reads = std::sync::atomic::AtomicU32::new(0);
        let source = ClosureSource::new("registry", move || {
            let count = reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(vec![Sample::new(Labels::metric("reads_total"), f64::from(count))])
        });
        assert!(source.collect().await.unwrap()[0].value.abs() < f64::EPSILON);
        assert!((source.collect().await.unwrap()[0].value - 1.0).abs() < f64::EPSILON);
    }
}
