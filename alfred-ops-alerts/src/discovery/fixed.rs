//! Targets that are written down.

use std::time::Duration;

use alfred_ops_core::Result;
use async_trait::async_trait;

use super::{Discovery, Found};
use crate::job::TargetGroup;

/// It never changes, so one question is enough.
const POLL_INTERVAL: Duration = Duration::MAX;

/// Targets that are written down.
#[derive(Debug, Clone)]
pub struct StaticDiscovery {
    groups: Vec<TargetGroup>,
}

impl StaticDiscovery {
    /// These targets, always.
    #[must_use]
    pub const fn new(groups: Vec<TargetGroup>) -> Self {
        Self { groups }
    }
}

#[async_trait]
impl Discovery for StaticDiscovery {
    fn name(&self) -> &'static str {
        "static"
    }

    fn poll_interval(&self) -> Duration {
        POLL_INTERVAL
    }

    async fn find(&self) -> Result<Found> {
        Ok(Found::new(self.groups.clone()))
    }
}
