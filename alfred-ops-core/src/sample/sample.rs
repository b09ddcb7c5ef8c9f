//! One value of one series.

use chrono::{DateTime, Utc};

use super::Labels;

/// One value of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The series: metric name and labels.
    pub labels: Labels,
    /// The value; NaN and the infinities are values like any other.
    pub value: f64,
    /// When the value was true, if its source says so; otherwise it is as old as its collection.
    pub timestamp: Option<DateTime<Utc>>,
}

impl Sample {
    /// A sample that is as old as its collection.
    #[must_use]
    pub const fn new(labels: Labels, value: f64) -> Self {
        Self { labels, value, timestamp: None }
    }

    /// The same sample with a time of its own.
    #[must_use]
    pub fn at(mut self, timestamp: DateTime<Utc>) -> Self {
        self.timestamp = Some(timestamp);
        self
    }
}
