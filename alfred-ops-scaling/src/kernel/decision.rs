//! What was decided, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{HpaBasis, KpaBasis, Resource, RulesBasis, Signal, SloBasis, TrackingBasis};

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
    /// What the strategy saw.
    pub basis: Basis,
}

/// What a strategy saw, in its own terms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Basis {
    /// Where the brief's triggers stand.
    Rules(RulesBasis),
    /// What the metrics of the horizontal pod autoscaler ask for.
    Hpa(HpaBasis),
    /// What both windows of Knative's autoscaler show.
    Kpa(KpaBasis),
    /// The share that is kept.
    Tracking(TrackingBasis),
    /// Rates, backlog, and what they take.
    Slo(SloBasis),
}

/// Why a number was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// More, since this signal asks for it.
    Up(Signal),
    /// At least one, since there is work and nobody to do it.
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
#[non_exhaustive]
pub enum HoldReason {
    /// As many are needed as there are.
    Steady,
    /// A signal that is needed to scale down cannot be believed.
    Missing(Signal),
    /// The last instance stays while there is work.
    WorkLeft(Signal),
    /// Nothing runs and nothing waits.
    Asleep,
    /// This signal asks for more, and there are as many as may be.
    AtCeiling(Signal),
    /// There is little to do, and there are as few as may be.
    AtFloor,
    /// Not long enough has been seen yet.
    Learning,
    /// Scaling is paused.
    Paused,
}

/// What bounded the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Bound {
    /// The policy's minimum.
    Min,
    /// The policy's maximum.
    Max,
    /// The largest step at once.
    Step,
    /// What was wanted not long ago.
    Stabilised,
    /// As many instances as may come or go within a time.
    Rate,
    /// Instances came not long ago.
    Hold,
    /// The direction has changed too often.
    FlapBudget,
    /// The bounds of this time.
    Schedule,
    /// Scaling is paused.
    Paused,
    /// More would only burden what instances share.
    Ceiling(Resource),
    /// Signals cannot be believed.
    Blind,
    /// The number for when nothing is known.
    Fallback,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.desired == 1 { "" } else { "s" };
        write!(f, "{} instance{plural}: {}", self.desired, self.verdict)?;
        match self.bound {
            None | Some(Bound::Blind | Bound::Paused) => Ok(()),
            Some(bound) => write!(f, ", {bound}"),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Min => "kept at the minimum",
            Self::Max => "held at the maximum",
            Self::Step => "held to one step",
            Self::Stabilised => "held to what was wanted not long ago",
            Self::Rate => "held to the rate of changes",
            Self::Hold => "held since instances came not long ago",
            Self::FlapBudget => "held since the direction has changed too often",
            Self::Schedule => "kept within the bounds of this time",
            Self::Paused => "held while scaling is paused",
            Self::Blind => "held while signals cannot be believed",
            Self::Fallback => "as set for when nothing is known",
            Self::Ceiling(resource) => return write!(f, "held since {resource}"),
        };
        f.write_str(text)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(signal) | Self::Hold(HoldReason::AtCeiling(signal)) => {
                write!(f, "more, for {signal}")
            }
            Self::Wake => f.write_str("work waits and nothing runs"),
            Self::Down | Self::Hold(HoldReason::AtFloor) => f.write_str("little to do for the time"),
            Self::Confine => f.write_str("back within the bounds"),
            Self::Hold(HoldReason::Steady) => f.write_str("steady"),
            Self::Hold(HoldReason::Missing(signal)) => write!(f, "held, since {signal} cannot be believed"),
            Self::Hold(HoldReason::WorkLeft(signal)) => {
                write!(f, "held, since there is work left ({signal})")
            }
            Self::Hold(HoldReason::Asleep) => f.write_str("asleep, nothing waits"),
            Self::Hold(HoldReason::Learning) => f.write_str("held, not long enough seen yet"),
            Self::Hold(HoldReason::Paused) => f.write_str("held, scaling is paused"),
        }
    }
}
