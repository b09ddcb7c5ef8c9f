//! The safeguards.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::FLAPS_MAX;

/// What a found number must pass before it is obeyed, in this order: [`stabilise`](Self::stabilise), the rates,
/// [`hold`](Self::hold) and [`flaps`](Self::flaps); the policy's bounds; the bounds of the time, the ceiling of what is
/// shared and a pause ([`Inputs`](crate::Inputs)); the veto against scaling down on signals that cannot be believed; [`fallback`](Self::fallback).
///
/// The bounds and the veto always apply, the rest is off by default: strategies have their own. Changes count when they are
/// seen, whoever made them; one that was decided and did not happen does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Guard {
    /// On the way down the most that was wanted within this time counts.
    pub stabilise: Duration,
    /// How many instances may come in which time.
    pub rate_up: Option<Rate>,
    /// How many may go.
    pub rate_down: Option<Rate>,
    /// For so long after instances came none goes.
    pub hold: Duration,
    /// How often it may turn from up to down.
    pub flaps: Option<FlapBudget>,
    /// What is there at least when nothing has been known for a while.
    pub fallback: Option<Fallback>,
}

/// So many instances in such a time, and so many at once; the allowance comes back evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How many.
    pub instances: u32,
    /// In which time.
    pub period: Duration,
}

/// How often the direction may turn from up to down within a time; beyond it instances only come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlapBudget {
    /// How often, 4 at most.
    pub turns: u8,
    /// Within which time.
    pub within: Duration,
}

/// A number for when nothing is known: it is never a reason to scale down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// At least so many.
    pub instances: u32,
    /// After so long without signals that can be believed.
    pub after: Duration,
}

impl Guard {
    /// The same with stabilisation on the way down.
    #[must_use]
    pub const fn with_stabilise(mut self, window: Duration) -> Self {
        self.stabilise = window;
        self
    }

    /// The same with rates up and down.
    #[must_use]
    pub const fn with_rates(mut self, up: Option<Rate>, down: Option<Rate>) -> Self {
        (self.rate_up, self.rate_down) = (up, down);
        self
    }

    /// The same with a time after instances came in which none goes.
    #[must_use]
    pub const fn with_hold(mut self, hold: Duration) -> Self {
        self.hold = hold;
        self
    }

    /// The same with so many turns from up to down within a time.
    #[must_use]
    pub const fn with_flap_budget(mut self, turns: u8, within: Duration) -> Self {
        self.flaps = Some(FlapBudget { turns, within });
        self
    }

    /// The same with a number for when nothing has been known for a while.
    #[must_use]
    pub const fn with_fallback(mut self, instances: u32, after: Duration) -> Self {
        self.fallback = Some(Fallback { instances, after });
        self
    }

    pub(in crate::kernel) fn check(&self, mistakes: &mut Vec<String>) {
        let day = Duration::from_secs(86_400);
        for (name, rate) in [("rate_up", self.rate_up), ("rate_down", self.rate_down)] {
            let Some(Rate { instances, period }) = rate else { continue };
            if instances == 0 || period.is_zero() || period > day {
                mistakes.push(format!(
                    "guard.{name}: {instances} in {period:?}; use at least 1 in more than nothing and within a day"
                ));
            }
        }
        for (name, time) in [("stabilise", self.stabilise), ("hold", self.hold)] {
            if time > day {
                mistakes.push(format!("guard.{name}: {time:?} exceeds a day"));
            }
        }
        if let Some(FlapBudget { turns, within }) = self.flaps
            && (turns == 0 || usize::from(turns) > FLAPS_MAX || within.is_zero() || within > day)
        {
            mistakes.push(format!(
                "guard.flaps: {turns} within {within:?}; use 1 to {FLAPS_MAX} within a day at most"
            ));
        }
    }
}
