//! The autoscaler's settings.

use serde::{Deserialize, Serialize};

use super::{HpaBehavior, HpaRules};

/// What Kubernetes' horizontal pod autoscaler does: a number for each metric, the largest of them, then the behaviour's
/// stabilisation and rates, step by step as in Kubernetes 1.27 and newer.
///
/// It is to be asked every 15 s. A metric that cannot be believed keeps it from scaling down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HpaV2 {
    /// What counts.
    pub metrics: Vec<HpaMetric>,
    /// Ratios this close to 1 change nothing.
    pub tolerance: f64,
    /// How fast it goes up and down.
    pub behavior: HpaBehavior,
}

/// A metric and its target.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HpaMetric {
    /// The share of the processors in use, averaged over the instances; `Resource` with `Utilization`.
    Cpu(f64),
    /// The same of the memory.
    Memory(f64),
    /// Messages that wait for each instance; `External` with `AverageValue`.
    QueuedEach(f64),
}

impl HpaMetric {
    pub(super) const fn target(self) -> f64 {
        match self {
            Self::Cpu(target) | Self::Memory(target) | Self::QueuedEach(target) => target,
        }
    }
}

impl HpaV2 {
    /// These metrics with Kubernetes' defaults for all else.
    #[must_use]
    pub fn new(metrics: impl IntoIterator<Item = HpaMetric>) -> Self {
        Self { metrics: metrics.into_iter().collect(), tolerance: 0.1, behavior: HpaBehavior::default() }
    }

    /// The same with another behaviour.
    #[must_use]
    pub fn with_behavior(mut self, behavior: HpaBehavior) -> Self {
        self.behavior = behavior;
        self
    }

    pub(in crate::kernel) fn check(&self, mistakes: &mut Vec<String>) {
        if self.metrics.is_empty() {
            mistakes.push("hpa.metrics: there is none; name at least one".to_owned());
        }
        for metric in &self.metrics {
            let target = metric.target();
            if !(target.is_finite() && target > 0.0) {
                mistakes.push(format!("hpa.metrics: the target {target} is not above 0"));
            }
        }
        if !(0.0..1.0).contains(&self.tolerance) {
            mistakes.push(format!("hpa.tolerance: {} is not within 0 and 1", self.tolerance));
        }
        let HpaBehavior { up, down } = &self.behavior;
        for (name, rules) in [("up", up), ("down", down)] {
            check_rules(name, rules, mistakes);
        }
    }
}

fn check_rules(name: &str, rules: &HpaRules, mistakes: &mut Vec<String>) {
    if rules.policies.is_empty() {
        mistakes.push(format!("hpa.behavior.{name}.policies: there is none; name at least one"));
    }
    for policy in &rules.policies {
        if policy.value == 0 {
            mistakes
                .push(format!("hpa.behavior.{name}: a policy's value is 0; disable the direction instead"));
        }
        if !(1..=1800).contains(&policy.period.as_secs()) {
            let period = policy.period;
            mistakes.push(format!("hpa.behavior.{name}: the period {period:?} is not within 1 s and 30 min"));
        }
    }
    if rules.window.as_secs() > 3600 {
        mistakes.push(format!("hpa.behavior.{name}: the window {:?} exceeds an hour", rules.window));
    }
}
