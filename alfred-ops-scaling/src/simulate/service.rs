//! The service that is simulated.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};

/// A service of equal instances before one queue.
///
/// Requests are a fluid: an instance that works finishes so many a second, first come first served; a new one works after the
/// start-up and costs from its order on; one that goes is gone at once, those that still start first.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Service {
    /// Requests that one instance finishes a second.
    pub rate: f64,
    /// From the decision until a new instance works.
    pub start_up: Duration,
    /// Requests that wait longer are late.
    pub wait: Duration,
    /// Never fewer instances.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// How old metrics are that come through a monitoring system. What is counted in the process is of now.
    pub metric_delay: Duration,
}

impl Service {
    /// Instances that finish so many requests a second, start in 30 s, and should let nobody wait for 10 s; 0 to 20 of them.
    #[must_use]
    pub const fn new(rate: f64) -> Self {
        Self {
            rate,
            start_up: Duration::from_secs(30),
            wait: Duration::from_secs(10),
            min: 0,
            max: 20,
            metric_delay: Duration::ZERO,
        }
    }

    /// The same with other bounds.
    #[must_use]
    pub const fn with_bounds(mut self, min: u32, max: u32) -> Self {
        (self.min, self.max) = (min, max);
        self
    }

    /// The same with another start-up time.
    #[must_use]
    pub const fn with_start_up(mut self, start_up: Duration) -> Self {
        self.start_up = start_up;
        self
    }

    /// The same with another limit of the wait.
    #[must_use]
    pub const fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The same with metrics so old.
    #[must_use]
    pub const fn with_metric_delay(mut self, delay: Duration) -> Self {
        self.metric_delay = delay;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let mut mistakes = Vec::new();
        if !(self.rate.is_finite() && self.rate > 0.0) {
            mistakes.push(format!("rate: {} is not above 0", self.rate));
        }
        if self.min > self.max || self.max == 0 {
            mistakes.push(format!("min: {} and max: {} leave nobody to work", self.min, self.max));
        }
        let hour = Duration::from_secs(3600);
        let times = [("start_up", self.start_up), ("wait", self.wait), ("metric_delay", self.metric_delay)];
        for (name, time) in times {
            if time > hour {
                mistakes.push(format!("{name}: {time:?} exceeds an hour"));
            }
        }
        if mistakes.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidInput, "check simulated service", mistakes.join("; ")))
    }
}
