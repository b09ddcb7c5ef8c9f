//! The registry.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Metric, Registry};

use super::family::{Buckets, CounterFamily, GaugeFamily, HistogramFamily, Limiter};
use crate::{Error, ErrorKind, Result};

/// The library's own metrics: components register here, the host serves [`Metrics::render`]. Clones share
/// one registry. Registering a metric again returns the same one.
#[derive(Clone)]
pub struct Metrics {
    state: Arc<Mutex<State>>,
    overflows: counter::Counter,
}

struct State {
    registry: Registry,
    families: BTreeMap<String, Registered>,
}

#[derive(Debug, Clone)]
enum Registered {
    Counter(CounterFamily),
    Gauge(GaugeFamily),
    Histogram(HistogramFamily),
}

impl Metrics {
    /// What the text of [`render`](Self::render) is served as.
    pub const CONTENT_TYPE: &'static str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// No metrics yet.
    #[must_use]
    pub fn new() -> Self {
        let overflows = counter::Counter::default();
        let mut registry = Registry::default();
        let help = "Uses of series beyond the limit of their family";
        registry.register("alfred_ops_metrics_overflow", help, overflows.clone());
        Self { state: Arc::new(Mutex::new(State { registry, families: BTreeMap::new() })), overflows }
    }

    /// Counters named `name`, with `_total` added if it is not there, that differ by `labels`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a bad name or one in use with another type or other labels.
    pub fn counter(&self, name: &str, help: &str, labels: &[&str]) -> Result<CounterFamily> {
        let name = name.strip_suffix("_total").unwrap_or(name);
        let inner = Family::default();
        let made = CounterFamily { inner: inner.clone(), limiter: self.limiter(labels) };
        match self.register(name, help, labels, Registered::Counter(made), inner)? {
            Registered::Counter(family) => Ok(family),
            _ => Err(taken(name)),
        }
    }

    /// Gauges named `name` that differ by `labels`.
    ///
    /// # Errors
    /// As [`counter`](Self::counter).
    pub fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeFamily> {
        let inner = Family::default();
        let made = GaugeFamily { inner: inner.clone(), limiter: self.limiter(labels) };
        match self.register(name, help, labels, Registered::Gauge(made), inner)? {
            Registered::Gauge(family) => Ok(family),
            _ => Err(taken(name)),
        }
    }

    /// Histograms of seconds named `name` that differ by `labels`.
    ///
    /// # Errors
    /// As [`counter`](Self::counter).
    pub fn histogram(&self, name: &str, help: &str, labels: &[&str]) -> Result<HistogramFamily> {
        let inner = Family::new_with_constructor(Buckets);
        let made = HistogramFamily { inner: inner.clone(), limiter: self.limiter(labels) };
        match self.register(name, help, labels, Registered::Histogram(made), inner)? {
            Registered::Histogram(family) => Ok(family),
            _ => Err(taken(name)),
        }
    }

    /// All metrics as OpenMetrics text, which Prometheus reads.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.lock().registry);
        // The encoder writes infinity as Rust does; a label's value ends in a quotation mark.
        text.replace(" inf\n", " +Inf\n").replace(" -inf\n", " -Inf\n")
    }

    fn register(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        made: Registered,
        inner: impl Metric,
    ) -> Result<Registered> {
        for part in [name].iter().chain(labels) {
            check_name(part)?;
        }
        let mut state = self.lock();
        if let Some(present) = state.families.get(name) {
            return if present.labels().iter().eq(labels) { Ok(present.clone()) } else { Err(taken(name)) };
        }
        state.registry.register(name, help, inner);
        state.families.insert(name.to_owned(), made.clone());
        Ok(made)
    }

    fn limiter(&self, labels: &[&str]) -> Limiter {
        Limiter::new(labels, self.overflows.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered {
    fn labels(&self) -> &[String] {
        match self {
            Self::Counter(family) => family.limiter.names(),
            Self::Gauge(family) => family.limiter.names(),
            Self::Histogram(family) => family.limiter.names(),
        }
    }
}

fn check_name(name: &str) -> Result<()> {
    let starts = name.starts_with(|first: char| first.is_ascii_lowercase());
    if starts && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "register metric",
        format!("{name:?} is not a name of lower-case letters, digits and underscores"),
    ))
}

fn taken(name: &str) -> Error {
    let fault = "it is registered with another type or other labels";
    Error::new(ErrorKind::InvalidInput, "register metric", fault)
        .with_target(name)
        .with_remedy("give one of the two another name")
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().families.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_registered_is_rendered() {
        let metrics = Metrics::new();
        let runs = metrics.counter("runs_total", "Runs", &["job", "outcome"]).unwrap();
        runs.with(&["backup", "ok"]).inc_by(2);
        metrics.counter("runs", "Runs", &["job", "outcome"]).unwrap().with(&["backup", "ok"]).inc();
        metrics.gauge("leader", "Leads", &[]).unwrap().with(&[]).set(1.0);
        metrics.gauge("never", "Infinite", &[]).unwrap().with(&[]).set(f64::INFINITY);
        let seconds = metrics.histogram("run_seconds", "Duration", &["job"]).unwrap();
        seconds.with(&["backup"]).observe(Duration::from_millis(300));
        let text = metrics.render();
        for line in [
            "runs_total{job=\"backup\",outcome=\"ok\"} 3",
            "leader{} 1.0",
            "never{} +Inf",
            "run_seconds_bucket{le=\"0.5\",job=\"backup\"} 1",
            "run_seconds_count{job=\"backup\"} 1",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }

    #[test]
    fn label_sets_are_bounded_and_the_rest_is_counted_together() {
        let metrics = Metrics::new();
        let seen = metrics.counter("seen", "Seen", &["id"]).unwrap();
        for id in 0..1_500 {
            seen.with(&[&id.to_string()]).inc();
        }
        let text = metrics.render();
        assert_eq!(text.matches("seen_total{").count(), 1_001);
        assert!(text.contains("seen_total{id=\"other\"} 500"));
        assert!(text.contains("alfred_ops_metrics_overflow_total 500"));
    }

    #[test]
    fn clashes_and_bad_names_are_refused() {
        let metrics = Metrics::new();
        metrics.counter("a", "A", &["x"]).unwrap();
        assert!(metrics.counter("a", "A", &["y"]).unwrap_err().to_string().contains("(a)"));
        assert!(metrics.gauge("a", "A", &["x"]).unwrap_err().to_string().contains("another type"));
        assert!(metrics.gauge("a-b", "A", &[]).unwrap_err().to_string().contains("\"a-b\""));
        assert!(metrics.gauge("a", "A", &["Up"]).unwrap_err().to_string().contains("\"Up\""));
    }
}
