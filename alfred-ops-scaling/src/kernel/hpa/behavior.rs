//! How fast the autoscaler goes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How fast it goes up and down; `spec.behavior`. The default is Kubernetes': up by the larger of 100 % and 4 instances in 15 s,
/// down to what was the most in 5 min.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HpaBehavior {
    /// `scaleUp`.
    pub up: HpaRules,
    /// `scaleDown`.
    pub down: HpaRules,
}

/// How fast it goes in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HpaRules {
    /// `stabilizationWindowSeconds`: the least of what was wanted within it counts on the way up, the most on the way down.
    pub window: Duration,
    /// Which of the policies counts.
    pub select: HpaSelect,
    /// How much may change in which time.
    pub policies: Vec<HpaPolicy>,
}

/// Which of several policies counts; `selectPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HpaSelect {
    /// The one that allows the largest change.
    Max,
    /// The one that allows the smallest.
    Min,
    /// None: this direction is shut.
    Disabled,
}

/// How much may change in which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HpaPolicy {
    /// What the value counts.
    pub kind: HpaPolicyKind,
    /// How much.
    pub value: u32,
    /// In which time, whole seconds.
    pub period: Duration,
}

/// What a policy's value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HpaPolicyKind {
    /// Instances.
    Pods,
    /// Hundredths of what there was when the period began.
    Percent,
}

impl Default for HpaBehavior {
    fn default() -> Self {
        let period = Duration::from_secs(15);
        let (double, four) = (HpaPolicy::percent(100, period), HpaPolicy::pods(4, period));
        Self {
            up: HpaRules { window: Duration::ZERO, select: HpaSelect::Max, policies: vec![double, four] },
            down: HpaRules {
                window: Duration::from_secs(300),
                select: HpaSelect::Max,
                policies: vec![HpaPolicy::percent(100, period)],
            },
        }
    }
}

impl HpaPolicy {
    /// So many instances in this time.
    #[must_use]
    pub const fn pods(value: u32, period: Duration) -> Self {
        Self { kind: HpaPolicyKind::Pods, value, period }
    }

    /// So many hundredths in this time.
    #[must_use]
    pub const fn percent(value: u32, period: Duration) -> Self {
        Self { kind: HpaPolicyKind::Percent, value, period }
    }

    /// As many as there may be after going up from `start`.
    #[expect(clippy::cast_possible_truncation, reason = "float casts saturate, as in the original")]
    pub(super) fn up_from(&self, start: i64) -> i64 {
        match self.kind {
            HpaPolicyKind::Pods => start + i64::from(self.value),
            HpaPolicyKind::Percent => (real(start) * (1.0 + f64::from(self.value) / 100.0)).ceil() as i64,
        }
    }

    /// As few as there may be after going down from `start`.
    #[expect(clippy::cast_possible_truncation, reason = "float casts saturate, as in the original")]
    pub(super) fn down_from(&self, start: i64) -> i64 {
        match self.kind {
            HpaPolicyKind::Pods => start - i64::from(self.value),
            HpaPolicyKind::Percent => (real(start) * (1.0 - f64::from(self.value) / 100.0)) as i64,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of instances have far fewer than 53 bits")]
const fn real(count: i64) -> f64 {
    count as f64
}

impl HpaRules {
    /// The longest period of all policies.
    pub(super) fn longest_period(&self) -> Duration {
        self.policies.iter().map(|policy| policy.period).max().unwrap_or_default()
    }
}
