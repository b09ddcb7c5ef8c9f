//! Releases that go out in steps, are judged at each, and go back by themselves.

mod analysis;
mod book;
mod builder;
#[cfg(feature = "cloud-run-rollout")]
mod cloud_run;
mod decision;
mod forecast;
mod foreign_change;
mod gauges;
mod intent;
#[cfg(feature = "kubernetes-rollout")]
mod kubernetes;
mod memory_target;
mod metric_analysis;
mod metric_condition;
mod phase;
mod policy;
mod release;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod rollout;
mod state;
mod step;
mod target;
mod traffic_split;
mod under_way;
mod verdict;
mod way_back;
#[cfg(test)]
mod way_back_tests;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod tests;

pub use analysis::{Analysis, CanaryView, ClosureAnalysis};
pub use book::{PastRollout, RolloutBook};
pub use builder::RolloutBuilder;
#[cfg(feature = "cloud-run-rollout")]
pub use cloud_run::{CloudRunRollout, CloudRunWorkerPoolRollout};
pub use decision::next_step;
pub use forecast::{RolloutForecast, forecast_rollout};
pub use intent::{RolloutAction, RolloutIntent};
#[cfg(feature = "kubernetes-rollout")]
pub use kubernetes::KubernetesRollout;
pub use memory_target::MemoryRolloutTarget;
pub use metric_analysis::MetricAnalysis;
pub use metric_condition::MetricCondition;
pub use phase::{RolloutEnd, RolloutPhase};
pub use policy::{RolloutPolicy, WhenSilent};
pub use release::Release;
pub use rollout::Rollout;
pub use state::{RolloutPause, RolloutState, Tally};
pub use step::{RolloutDecision, RolloutStep};
pub use target::{Readiness, RevisionView, RolloutTarget, TargetView};
pub use traffic_split::TrafficSplit;
pub use under_way::UnderWay;
pub use verdict::Verdict;
