//! What a component says of itself.

use serde::{Deserialize, Serialize};

/// How well a component is, from best to worst.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// It does its work.
    #[default]
    Healthy,
    /// It does its work late, or in part.
    Degraded {
        /// What is wrong, in one line.
        reason: String,
    },
    /// It does not do its work.
    Unhealthy {
        /// What is wrong, in one line.
        reason: String,
    },
}

impl Status {
    /// Late or partial work.
    #[must_use]
    pub fn degraded(reason: impl Into<String>) -> Self {
        Self::Degraded { reason: reason.into() }
    }

    /// No work.
    #[must_use]
    pub fn unhealthy(reason: impl Into<String>) -> Self {
        Self::Unhealthy { reason: reason.into() }
    }

    /// Zero for healthy, growing as it gets worse: for metrics and for comparing.
    #[must_use]
    pub const fn severity(&self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Degraded { .. } => 1,
            Self::Unhealthy { .. } => 2,
        }
    }
}

/// What a component's failure means for the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// The host is as unhealthy as this component.
    #[default]
    Critical,
    /// The host is at worst degraded by it.
    NonCritical,
}
