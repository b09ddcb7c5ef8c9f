//! What the kernel remembers.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::guard::GuardState;
use super::hpa::HpaState;
use super::kpa::KpaState;
use super::moment::Moment;
use super::rules::RulesState;
use super::slo::SloState;
use super::target_tracking::TrackingState;

/// What the kernel remembers between two looks. The default knows nothing, so that a restart delays a step and never causes
/// one down. A state that was kept under another strategy counts as knowing nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What moments are counted from.
    beginning: Option<DateTime<Utc>>,
    pub(super) memory: Memory,
    pub(super) guard: GuardState,
}

impl State {
    /// When `now` is in this state's time. A clock that went back before its beginning begins it anew; what strategies have
    /// learnt stays.
    pub(super) fn moment(&mut self, now: DateTime<Utc>) -> Moment {
        let beginning = self.beginning.filter(|beginning| now >= *beginning);
        if beginning.is_none() {
            (self.beginning, self.guard) = (Some(now), GuardState::default());
        }
        Moment::of(now, beginning.unwrap_or(now))
    }
}

/// What a strategy remembers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Memory {
    #[default]
    Nothing,
    Rules(RulesState),
    Hpa(HpaState),
    Kpa(KpaState),
    Tracking(TrackingState),
    Slo(SloState),
}

macro_rules! memories {
    ($($name:ident, $kind:ident, $state:ty;)*) => {
        impl Memory {
            $(/// What was remembered under this strategy; nothing if it was another.
            pub(super) fn $name(&mut self) -> &mut $state {
                if !matches!(self, Self::$kind(_)) {
                    *self = Self::$kind(<$state>::default());
                }
                match self {
                    Self::$kind(state) => state,
                    _ => unreachable!("it has just been set"),
                }
            })*
        }
    };
}
memories! {
    rules, Rules, RulesState;
    hpa, Hpa, HpaState;
    kpa, Kpa, KpaState;
    tracking, Tracking, TrackingState;
    slo, Slo, SloState;
}
