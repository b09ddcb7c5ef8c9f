//! What was decided, and why.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Signal;

/// What was decided, and why. Together with state, inputs, policy and time it can be decided again, and
/// comes out the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Instances wanted.
    pub desired: u32,
    /// Why.
    pub verdict: Verdict,
    /// What held the number back, or lifted it.
    pub bound: Option<Bound>,
    /// Why the triggers' times started over, if they did.
    pub restarted: Option<Restart>,
    /// Where each trigger stands, those that did not decide included.
    pub triggers: Triggers,
}

/// Why a number was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// More, since this signal has been over its limit for its time.
    Up(Signal),
    /// One, since there is work and nobody to do it.
    Wake,
    /// Fewer, since there has been little to do for the time.
    Down,
    /// There are more or fewer than the policy's bounds allow.
    Confine,
    /// As many as before.
    Hold(HoldReason),
}

/// Why nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldReason {
    /// No trigger has held for its time.
    Steady,
    /// A signal that is needed to scale down cannot be believed.
    Missing(Signal),
    /// The last instance stays while there is work.
    WorkLeft(Signal),
    /// Nothing runs and nothing waits.
    Asleep,
    /// This signal asks for more, and there are as many as the policy allows.
    AtCeiling(Signal),
    /// There is little to do, and there are as few as the policy allows.
    AtFloor,
}

/// Why the triggers' times started over: what was seen before no longer counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Nobody looked for longer than a reading may be old, or the clock went back.
    Gap {
        /// The last look before.
        since: DateTime<Utc>,
    },
    /// There are not as many instances as at the last look, by whoever's doing: what the change brings must
    /// show before it is judged.
    Changed {
        /// As many there were.
        from: u32,
    },
}

/// What bounded the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// The policy's minimum.
    Min,
    /// The policy's maximum.
    Max,
    /// The largest step at once.
    Step,
}

/// Where each trigger stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Triggers {
    /// Too many messages wait.
    pub queue: TriggerStatus,
    /// The processors are busy.
    pub cpu: TriggerStatus,
    /// The memory is full.
    pub memory: TriggerStatus,
    /// Processors and memory have little to do and the queue is short.
    pub idle: TriggerStatus,
}

/// Where one trigger stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerStatus {
    /// Its condition does not hold.
    Quiet,
    /// Its condition holds, but not long enough yet.
    Waiting {
        /// Since when.
        since: DateTime<Utc>,
        /// For how much longer.
        remaining: Duration,
    },
    /// Its condition has held for its time.
    Fired {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// A signal that it needs cannot be believed.
    Blind(Signal),
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.desired == 1 { "" } else { "s" };
        write!(f, "{} instance{plural}: {}", self.desired, self.verdict)?;
        match self.bound {
            None => Ok(()),
            Some(Bound::Min) => f.write_str(", kept at the minimum"),
            Some(Bound::Max) => f.write_str(", held at the maximum"),
            Some(Bound::Step) => f.write_str(", held to one step"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(signal) => write!(f, "{signal} over its limit for its time"),
            Self::Wake => f.write_str("work waits and nothing runs"),
            Self::Down => f.write_str("little to do for the time"),
            Self::Confine => f.write_str("back within the bounds"),
            Self::Hold(HoldReason::Steady) => f.write_str("steady"),
            Self::Hold(HoldReason::Missing(signal)) => write!(f, "held, since {signal} cannot be believed"),
            Self::Hold(HoldReason::WorkLeft(signal)) => {
                write!(f, "held, since there is work left ({signal})")
            }
            Self::Hold(HoldReason::Asleep) => f.write_str("asleep, nothing waits"),
            Self::Hold(HoldReason::AtCeiling(signal)) => write!(f, "{signal} over its limit for its time"),
            Self::Hold(HoldReason::AtFloor) => f.write_str("little to do for the time"),
        }
    }
}
