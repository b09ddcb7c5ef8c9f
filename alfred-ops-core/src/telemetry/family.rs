//! Metrics and their families.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::{counter, gauge, histogram};

/// One family may have so many series: names of jobs and targets fit, ids of requests do not.
const LABEL_SETS_MAX: usize = 1_000;

/// The value that all labels of a series beyond the limit get.
const OVERFLOW: &str = "other";

pub(super) type LabelSet = Vec<(String, String)>;

/// Seconds from milliseconds to hours, as jobs take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buckets;

impl MetricConstructor<histogram::Histogram> for Buckets {
    fn new_metric(&self) -> histogram::Histogram {
        histogram::Histogram::new([
            0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0,
        ])
    }
}

/// The labels of a family and which of their values were seen.
#[derive(Debug, Clone)]
pub(super) struct Limiter {
    names: Arc<[String]>,
    seen: Arc<Mutex<BTreeSet<Vec<String>>>>,
    overflows: counter::Counter,
}

impl Limiter {
    pub(super) fn new(names: &[&str], overflows: counter::Counter) -> Self {
        Self { names: names.iter().map(|&name| name.to_owned()).collect(), seen: Arc::default(), overflows }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The label set for `values`, or that of the overflow series. Missing values are empty.
    fn labels(&self, values: &[&str]) -> LabelSet {
        let values: Vec<String> =
            (0..self.names.len()).map(|n| values.get(n).copied().unwrap_or_default().to_owned()).collect();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = seen.contains(&values) || seen.len() < LABEL_SETS_MAX && seen.insert(values.clone());
        drop(seen);
        if !fits {
            self.overflows.inc();
        }
        let names = self.names.iter().cloned();
        names.zip(values.into_iter().map(|value| if fits { value } else { OVERFLOW.to_owned() })).collect()
    }
}

/// Something that only grows.
#[derive(Debug, Clone)]
pub struct Counter(counter::Counter);

impl Counter {
    /// Counts one more.
    pub fn inc(&self) {
        self.0.inc();
    }

    /// Counts `by` more.
    pub fn inc_by(&self, by: u64) {
        self.0.inc_by(by);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

/// Something that goes up and down.
#[derive(Debug, Clone)]
pub struct Gauge(gauge::Gauge<f64, std::sync::atomic::AtomicU64>);

impl Gauge {
    /// Sets the value.
    pub fn set(&self, value: f64) {
        self.0.set(value);
    }

    /// The present value.
    #[must_use]
    pub fn get(&self) -> f64 {
        self.0.get()
    }
}

/// Durations in seconds, by buckets from 5 ms to 2 h.
#[derive(Debug, Clone)]
pub struct Histogram(histogram::Histogram);

impl Histogram {
    /// Adds one observation.
    pub fn observe(&self, duration: Duration) {
        self.0.observe(duration.as_secs_f64());
    }
}

macro_rules! family {
    ($(#[$doc:meta])* $family:ident of $metric:ident, $inner:ty) => {
        $(#[$doc])*
        ///
        /// A family has at most a thousand series; what goes beyond is counted in one more whose labels are all
        /// `other`, and shows in `alfred_ops_metrics_overflow_total`.
        #[derive(Debug, Clone)]
        pub struct $family {
            pub(super) inner: $inner,
            pub(super) limiter: Limiter,
        }

        impl $family {
            /// The series with these label values, in the order of the family's label names.
            #[must_use]
            pub fn with(&self, values: &[&str]) -> $metric {
                $metric(self.inner.get_or_create_owned(&self.limiter.labels(values)))
            }
        }
    };
}

family! {
    /// Counters that differ by labels.
    CounterFamily of Counter, Family<LabelSet, counter::Counter>
}
family! {
    /// Gauges that differ by labels.
    GaugeFamily of Gauge, Family<LabelSet, gauge::Gauge<f64, std::sync::atomic::AtomicU64>>
}
family! {
    /// Histograms that differ by labels.
    HistogramFamily of Histogram, Family<LabelSet, histogram::Histogram, Buckets>
}
