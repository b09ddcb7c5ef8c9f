//! What decides: pure functions of state, inputs, policy and time.

mod decision;
mod explain;
mod guard;
mod hpa;
mod inputs;
mod kpa;
mod look;
mod moment;
mod number;
mod peaks;
mod policy;
mod proposal;
mod record;
mod rules;
mod slo;
mod state;
mod step;
mod target_tracking;
mod window;

pub use decision::{Basis, Bound, Decision, HoldReason, Verdict};
pub use guard::{Fallback, FlapBudget, Guard, Rate};
pub use hpa::{
    HpaBasis, HpaBehavior, HpaHistory, HpaMetric, HpaPolicy, HpaPolicyKind, HpaRules, HpaSelect, HpaV2,
};
pub use inputs::{Ceiling, Inputs, Reading, Resource, ScheduledBounds, Signal};
pub use kpa::{Kpa, KpaBasis};
pub(crate) use number::ceil;
pub use policy::{Policy, Strategy};
pub use record::DecisionRecord;
pub use rules::{Restart, Rules, RulesBasis, Threshold, TriggerStatus, Triggers};
pub use slo::{Slo, SloBasis};
pub use state::State;
pub use step::step;
pub use target_tracking::{TargetTracking, TrackingBasis};
