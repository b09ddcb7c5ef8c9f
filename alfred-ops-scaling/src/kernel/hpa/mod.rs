//! What Kubernetes' horizontal pod autoscaler does, version 2 of its API.

mod basis;
mod behavior;
mod history;
mod hpa_v2;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub use basis::HpaBasis;
pub use behavior::{HpaBehavior, HpaPolicy, HpaPolicyKind, HpaRules, HpaSelect};
pub use history::HpaHistory;
pub use hpa_v2::{HpaMetric, HpaV2};

pub(super) use state::HpaState;
pub(super) use step::propose;
