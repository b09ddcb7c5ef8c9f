//! A change of an alert, and why.

use std::fmt;

use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};

use super::AlertState;

/// Why an alert is where it is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The condition holds; the alert fires if it still does then.
    Waiting {
        /// When the alert will fire.
        until: DateTime<Utc>,
    },
    /// The condition has held for the rule's duration.
    Held {
        /// Since when it holds.
        since: DateTime<Utc>,
    },
    /// The condition holds no more, but the rule keeps the alert firing.
    KeptFiring {
        /// When the alert resolves unless the condition holds again.
        until: DateTime<Utc>,
    },
    /// The series is there and the condition does not hold any more.
    Cleared,
    /// The series is not there any more: nobody knows whether the fault is.
    Vanished,
    /// The rule is not there any more: nobody looks whether the fault is.
    RuleRemoved,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { until } => write!(f, "the condition holds; it fires at {until}"),
            Self::Held { since } => write!(f, "the condition has held since {since}"),
            Self::KeptFiring { until } => write!(f, "the condition cleared; it is kept firing until {until}"),
            Self::Cleared => f.write_str("the condition does not hold any more"),
            Self::Vanished => f.write_str("the series is not there any more"),
            Self::RuleRemoved => f.write_str("the rule is not there any more"),
        }
    }
}

/// A change of an alert, and why.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Transition {
    /// The alert's labels, its `alertname` among them.
    pub labels: Labels,
    /// Where it stood.
    pub from: AlertState,
    /// Where it stands.
    pub to: AlertState,
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: DateTime<Utc>,
    /// The value last read.
    pub value: f64,
}
