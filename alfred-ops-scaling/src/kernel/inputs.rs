//! What the kernel is told.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A share of a resource beyond this is a broken meter, not load.
const RATIO_MAX: f64 = 100.0;
/// More messages than this are a broken meter, not load.
const COUNT_MAX: f64 = 1e12;
/// Beyond this a count in floating point no longer grows by one.
const TOTAL_MAX: f64 = 9_007_199_254_740_992.0;

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
    /// Messages that have ever come.
    Arrivals,
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
    /// How many of them work already, where the platform tells.
    pub ready: Option<u32>,
    /// Messages that wait.
    pub queued: Option<Reading>,
    /// Messages in work.
    pub in_flight: Option<Reading>,
    /// Messages that have ever come: a count that only grows, and starts over with whoever counts.
    pub arrivals: Option<Reading>,
    /// The share of the processors in use, averaged over the instances.
    pub cpu: Option<Reading>,
    /// The share of the memory in use, averaged over the instances.
    pub memory: Option<Reading>,
    /// Bounds of this time, within the policy's: more for a campaign, fewer at night.
    pub scheduled: Option<ScheduledBounds>,
    /// What more instances would only burden, if there is such a thing.
    pub ceiling: Option<Ceiling>,
    /// Whether a person has stopped scaling for now.
    pub paused: bool,
}

/// A number of instances beyond which something that they share suffers. It keeps from growing and takes nothing away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ceiling {
    /// No growth beyond so many.
    pub max: u32,
    /// What suffers.
    pub resource: Resource,
}

/// What instances share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Resource {
    /// The database's connections.
    Connections,
    /// The database itself: processors, disks, locks.
    Postgres,
    /// The vector store.
    Qdrant,
}

/// Bounds of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledBounds {
    /// Never fewer instances.
    pub min: u32,
    /// Never more.
    pub max: u32,
}

impl Inputs {
    /// What was read of a signal, believable or not.
    pub(super) const fn reading(&self, signal: Signal) -> Option<Reading> {
        match signal {
            Signal::Queued => self.queued,
            Signal::InFlight => self.in_flight,
            Signal::Arrivals => self.arrivals,
            Signal::Cpu => self.cpu,
            Signal::Memory => self.memory,
        }
    }
}

impl Signal {
    /// What is beyond this is a broken meter, not load.
    pub(super) const fn max(self) -> f64 {
        match self {
            Self::Queued | Self::InFlight => COUNT_MAX,
            Self::Arrivals => TOTAL_MAX,
            Self::Cpu | Self::Memory => RATIO_MAX,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connections => "connections are used up",
            Self::Postgres => "Postgres is the bottleneck",
            Self::Qdrant => "Qdrant is the bottleneck",
        })
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "queue",
            Self::InFlight => "in-flight work",
            Self::Arrivals => "arrivals",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        })
    }
}
