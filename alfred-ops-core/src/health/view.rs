//! The state of health at one moment. Pure.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Criticality, Status};

/// All components and what they add up to, as a health endpoint serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HealthView {
    /// The worst of the critical components; the others only degrade it.
    #[serde(flatten)]
    pub status: Status,
    /// The components by name.
    pub components: Vec<ComponentView>,
}

/// One component at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ComponentView {
    /// Its name.
    pub name: String,
    /// What its failure means for the host.
    pub criticality: Criticality,
    /// What it last said, or that it has been silent for too long.
    #[serde(flatten)]
    pub status: Status,
    /// When it last said so.
    pub reported_at: DateTime<Utc>,
}

impl HealthView {
    /// Adds the components up.
    pub(super) fn roll_up(components: Vec<ComponentView>) -> Self {
        let mut status = Status::Healthy;
        for component in &components {
            let share = match (&component.status, component.criticality) {
                (Status::Healthy, _) => continue,
                (Status::Unhealthy { reason }, Criticality::Critical) => {
                    Status::unhealthy(format!("{}: {reason}", component.name))
                }
                (Status::Degraded { reason } | Status::Unhealthy { reason }, _) => {
                    Status::degraded(format!("{}: {reason}", component.name))
                }
            };
            if share.severity() > status.severity() {
                status = share;
            }
        }
        Self { status, components }
    }
}
