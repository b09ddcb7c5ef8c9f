//! What the kernel is to achieve.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use super::{Guard, HpaV2, Kpa, Rules, Slo, TargetTracking};

/// What the kernel is to achieve: how a number is found, and within what it must stay. The default is the brief's rules,
/// between 0 and 20 instances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Policy {
    /// Never fewer instances.
    pub min: u32,
    /// Never more.
    pub max: u32,
    /// Older readings count as missing.
    pub stale_after: Duration,
    /// How the number is found.
    pub strategy: Strategy,
    /// What a found number must pass before it is obeyed.
    pub guard: Guard,
}

/// How the number of instances is found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Strategy {
    /// Limits that have to be passed for a time: the brief's.
    Rules(Rules),
    /// What Kubernetes' horizontal pod autoscaler does.
    HpaV2(HpaV2),
    /// What Knative's pod autoscaler does.
    Kpa(Kpa),
    /// A share of the processors that is kept.
    TargetTracking(TargetTracking),
    /// A wait that most messages must not exceed, at the least cost.
    Slo(Slo),
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(Rules::default())
    }
}

impl Policy {
    /// A policy of this strategy between 0 and 20 instances, as the platform's services are configured.
    #[must_use]
    pub fn new(strategy: impl Into<Strategy>) -> Self {
        Self {
            min: 0,
            max: 20,
            stale_after: Duration::from_secs(60),
            strategy: strategy.into(),
            guard: Guard::default(),
        }
    }

    /// The same policy within other bounds.
    ///
    /// # Errors
    /// As of [`check`](Self::check).
    pub fn with_bounds(mut self, min: u32, max: u32) -> Result<Self> {
        (self.min, self.max) = (min, max);
        self.check()?;
        Ok(self)
    }

    /// The same policy with other safeguards.
    #[must_use]
    pub fn with_guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    /// How often the strategy is to be asked: as its original is, and every 2 s for [`Slo`].
    #[must_use]
    pub const fn period(&self) -> Duration {
        Duration::from_secs(match self.strategy {
            Strategy::Rules(_) | Strategy::HpaV2(_) => 15,
            Strategy::TargetTracking(_) => 5,
            Strategy::Kpa(_) | Strategy::Slo(_) => 2,
        })
    }

    /// Refuses a policy that makes no sense.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with every mistake in it.
    pub fn check(&self) -> Result<()> {
        let Self { min, max, .. } = *self;
        let mut mistakes = Vec::new();
        if min > max {
            mistakes.push(format!("min: {min} exceeds max: {max}"));
        }
        if max == 0 {
            mistakes.push("max: 0 leaves nobody to work".to_owned());
        }
        if max > INSTANCES_MAX {
            mistakes.push(format!("max: {max} is more than {INSTANCES_MAX}"));
        }
        if self.stale_after.is_zero() {
            mistakes.push("stale_after: 0 leaves nothing to believe".to_owned());
        }
        match &self.strategy {
            Strategy::Rules(rules) => rules.check(&mut mistakes),
            Strategy::HpaV2(hpa) => hpa.check(&mut mistakes),
            Strategy::Kpa(kpa) => kpa.check(&mut mistakes),
            Strategy::TargetTracking(tracking) => tracking.check(&mut mistakes),
            Strategy::Slo(slo) => slo.check(&mut mistakes),
        }
        self.guard.check(&mut mistakes);
        if mistakes.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidInput, "check scaling policy", mistakes.join("; ")))
    }
}

/// More instances of one service than any platform runs.
const INSTANCES_MAX: u32 = 60_000;

macro_rules! strategies {
    ($($name:ident),*) => {
        $(impl From<$name> for Strategy {
            fn from(strategy: $name) -> Self {
                Self::$name(strategy)
            }
        })*
    };
}
strategies!(Rules, HpaV2, Kpa, TargetTracking, Slo);
