//! How a rule would have fared.

use std::fmt;

use alfred_ops_core::{Error, Labels};
use chrono::{DateTime, TimeDelta, Utc};

use super::Episode;
use crate::alert::RESOLVED_RETENTION;

/// How a rule would have fared over a range of time.
#[derive(Debug)]
#[non_exhaustive]
pub struct Backtest {
    /// The rule's name.
    pub rule: String,
    /// The last time at which it was evaluated.
    pub end: DateTime<Utc>,
    /// How many times it was evaluated.
    pub evaluations: usize,
    /// How many of them had no answer; alerts stay as they were, as in an engine.
    pub failures: usize,
    /// When and why that happened first.
    pub first_failure: Option<(DateTime<Utc>, Error)>,
    /// The alerts, by their labels.
    pub alerts: Vec<AlertHistory>,
}

/// How one alert would have fared.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AlertHistory {
    /// Its labels.
    pub labels: Labels,
    /// When it stood, in order of time.
    pub episodes: Vec<Episode>,
}

impl AlertHistory {
    /// How many times it fired.
    #[must_use]
    pub fn firings(&self) -> usize {
        self.episodes.iter().filter(|episode| episode.fired_at.is_some()).count()
    }

    /// How many times it fired again within [`RESOLVED_RETENTION`] of having resolved: a person would have been called
    /// twice for one fault.
    #[must_use]
    pub fn flaps(&self) -> usize {
        let fired: Vec<&Episode> =
            self.episodes.iter().filter(|episode| episode.fired_at.is_some()).collect();
        let retention = TimeDelta::from_std(RESOLVED_RETENTION).unwrap_or(TimeDelta::MAX);
        let flapped = |pair: &&[&Episode]| match (pair[0].ended, pair[1].fired_at) {
            (Some((ended_at, _)), Some(fired_at)) => fired_at - ended_at <= retention,
            _ => false,
        };
        fired.windows(2).filter(flapped).count()
    }

    /// For how long it was pending in all, up to `end`.
    #[must_use]
    pub fn pending_time(&self, end: DateTime<Utc>) -> TimeDelta {
        self.episodes.iter().map(|episode| episode.pending_time(end)).sum()
    }

    /// For how long it fired in all, up to `end`.
    #[must_use]
    pub fn firing_time(&self, end: DateTime<Utc>) -> TimeDelta {
        self.episodes.iter().map(|episode| episode.firing_time(end)).sum()
    }
}

impl Backtest {
    /// How many times its alerts fired.
    #[must_use]
    pub fn firings(&self) -> usize {
        self.alerts.iter().map(AlertHistory::firings).sum()
    }

    /// How many times its alerts fired again soon after they had resolved.
    #[must_use]
    pub fn flaps(&self) -> usize {
        self.alerts.iter().map(AlertHistory::flaps).sum()
    }
}

/// A line for the rule, and one for each time an alert stood.
impl fmt::Display for Backtest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, evaluations, failures, .. } = self;
        let (firings, flaps) = (self.firings(), self.flaps());
        write!(
            f,
            "{rule}: {evaluations} evaluations, {failures} failed, fired {firings} times, flapped {flaps} times"
        )?;
        if let Some((at, error)) = &self.first_failure {
            write!(f, "\n  first failure at {at}: {error}")?;
        }
        for history in &self.alerts {
            write!(f, "\n  {}", history.labels)?;
            for episode in &history.episodes {
                write!(f, "\n    {}: ", episode.began_at)?;
                match episode.fired_at {
                    Some(fired_at) => write!(f, "fired at {fired_at}")?,
                    None => f.write_str("never fired")?,
                }
                match episode.ended {
                    Some((at, reason)) => write!(f, ", ended at {at}: {reason}")?,
                    None => f.write_str(", still stands")?,
                }
            }
        }
        Ok(())
    }
}
