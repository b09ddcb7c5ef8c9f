//! Pods that go first.

use std::collections::BTreeMap;

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;

use super::VictimChoice;
use crate::PodCosts;

/// What pods cost that may not go, and those that may: less than one that comes after the choice and costs nothing.
const KEPT: i32 = 1000;
const GOING: i32 = -1000;

/// Chooses pods of a Deployment or ReplicaSet by their deletion cost.
#[derive(Debug)]
pub struct PodVictims {
    costs: PodCosts,
}

impl PodVictims {
    /// Chooses among the pods that `costs` looks after.
    #[must_use]
    pub const fn new(costs: PodCosts) -> Self {
        Self { costs }
    }
}

#[async_trait]
impl VictimChoice for PodVictims {
    async fn instances(&self) -> Result<Vec<String>> {
        self.costs.names().await
    }

    async fn choose(&self, victims: &[String]) -> Result<()> {
        let cost = |name: String| {
            let cost = if victims.contains(&name) { GOING } else { KEPT };
            (name, cost)
        };
        let costs: BTreeMap<String, i32> = self.costs.names().await?.into_iter().map(cost).collect();
        let report = self.costs.set(&costs).await?;
        if report.is_complete() {
            return Ok(());
        }
        let failed = report.failed.into_iter().next();
        let message = "the deletion cost of some pods is not set";
        let error = Error::new(ErrorKind::Unavailable, "choose pods to stop", message);
        Err(match failed {
            Some((pod, source)) => error.with_target(pod).with_source(source),
            None => error,
        })
    }
}
