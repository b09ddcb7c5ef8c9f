//! When a job is due.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// The moments at which a job is due: pure, so that every replica computes the same ones.
pub trait Timetable: fmt::Debug + Send + Sync + 'static {
    /// The first moment strictly after `after`, or none if there is no more.
    fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>>;
}

/// When a job is due.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Activation {
    /// At every multiple of a period since 1970, so that all replicas and restarts agree on the slots.
    Every(Duration),
    /// At the moments of a timetable.
    At(Arc<dyn Timetable>),
    /// Always: runs until cancelled and is started again, with a growing pause, when it ends by itself.
    Service,
    /// Only when somebody wakes it.
    OnWake,
}
