//! What a decision by the brief's triggers rests on.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::kernel::Signal;

/// What a decision by the brief's triggers rests on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RulesBasis {
    /// Why the triggers' times started over, if they did.
    pub restarted: Option<Restart>,
    /// Where each trigger stands, those that did not decide included.
    pub triggers: Triggers,
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
