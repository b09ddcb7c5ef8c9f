//! The bounded past of one series.

use std::collections::VecDeque;
use std::time::Duration;

use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};

use super::Point;

/// The bounded past of one series.
#[derive(Debug, Clone)]
pub struct Series {
    labels: Labels,
    /// In the order of time, no two at the same time.
    points: VecDeque<Point>,
}

impl Series {
    pub(super) const fn new(labels: Labels) -> Self {
        Self { labels, points: VecDeque::new() }
    }

    /// The series' labels, its name among them.
    #[must_use]
    pub const fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The value that counts as present at `now`: the latest one, unless it is `lookback` old or older or the
    /// series has ended.
    #[must_use]
    pub fn latest(&self, now: DateTime<Utc>, lookback: Duration) -> Option<Point> {
        self.range(now, lookback).next_back().filter(|point| !point.is_stale())
    }

    /// The points of the last `window` before `now`, ends of the series included. As in Prometheus 3 a point
    /// exactly `window` old lies outside.
    pub fn range(&self, now: DateTime<Utc>, window: Duration) -> impl DoubleEndedIterator<Item = Point> {
        let end = now.timestamp_millis();
        let start = end.saturating_sub(i64::try_from(window.as_millis()).unwrap_or(i64::MAX));
        let first = self.points.partition_point(|point| point.millis <= start);
        let after_last = self.points.partition_point(|point| point.millis <= end).max(first);
        self.points.range(first..after_last).copied()
    }

    pub(super) fn last(&self) -> Option<Point> {
        self.points.back().copied()
    }

    pub(super) fn push(&mut self, point: Point) {
        self.points.push_back(point);
    }

    /// Gives up the oldest point; false if there is none.
    pub(super) fn shed(&mut self) -> bool {
        self.points.pop_front().is_some()
    }

    /// Gives up what is at or before `millis` and says how much that was.
    pub(super) fn expire(&mut self, millis: i64) -> usize {
        let expired = self.points.partition_point(|point| point.millis <= millis);
        self.points.drain(..expired).count()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }
}
