//! What the kernel is told.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Clocks of different machines differ by a little.
const FUTURE_MAX: TimeDelta = TimeDelta::seconds(5);
/// A share of a resource beyond this is a broken meter, not load.
const RATIO_MAX: f64 = 100.0;
/// More messages than this are a broken meter, not load.
const COUNT_MAX: f64 = 1e12;

/// One value of one signal and when it was true.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The value: a count of messages, or a share of a resource where 1 is all of it. Written down, what is
    /// no finite number becomes null and comes back as not a number: none of them is believed.
    #[serde(with = "value")]
    pub value: f64,
    /// When it was true.
    pub at: DateTime<Utc>,
}

/// JSON has no word for what is no finite number, and a record must come back whatever a meter said.
mod value {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
    }
}

/// A signal that decisions rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// Messages that wait.
    Queued,
    /// Messages in work.
    InFlight,
    /// The share of the processors in use.
    Cpu,
    /// The share of the memory in use.
    Memory,
}

/// What the kernel is told at one moment. A signal that nobody could read is none, never zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    /// Instances configured at present.
    pub instances: u32,
    /// Messages that wait.
    pub queued: Option<Reading>,
    /// Messages in work.
    pub in_flight: Option<Reading>,
    /// The share of the processors in use, averaged over the instances.
    pub cpu: Option<Reading>,
    /// The share of the memory in use, averaged over the instances.
    pub memory: Option<Reading>,
}

impl Inputs {
    /// A signal's value if it can be believed: present, not stale, not from the future, a finite number
    /// within sense.
    pub(super) fn usable(&self, signal: Signal, now: DateTime<Utc>, stale_after: Duration) -> Option<f64> {
        let (reading, max) = match signal {
            Signal::Queued => (self.queued, COUNT_MAX),
            Signal::InFlight => (self.in_flight, COUNT_MAX),
            Signal::Cpu => (self.cpu, RATIO_MAX),
            Signal::Memory => (self.memory, RATIO_MAX),
        };
        let Reading { value, at } = reading?;
        let age = now - at;
        let fresh = age <= TimeDelta::from_std(stale_after).unwrap_or(TimeDelta::MAX) && age >= -FUTURE_MAX;
        (fresh && (0.0..=max).contains(&value)).then_some(value)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "queue",
            Self::InFlight => "in-flight work",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        })
    }
}
