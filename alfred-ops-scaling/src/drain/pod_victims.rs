//! Pods that go first.

use std::collections::BTreeMap;

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;

use super::{RankedInstance, VictimChoice};
use crate::PodCosts;

/// What pods cost that may not go, and those that may: less than one that comes after the choice and costs nothing.
const KEPT: i32 = 1000;
const GOING: i32 = -1000;

/// Chooses pods of a Deployment or ReplicaSet by their deletion cost. Those that do not run or are not ready go before that is
/// looked at: none of them may have a lease, or the number does not fall by more than the others of them.
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
    async fn instances(&self) -> Result<Vec<RankedInstance>> {
        self.costs.ranked().await
    }

    async fn choose(&self, victims: &[String]) -> Result<()> {
        let cost = |pod: RankedInstance| {
            let cost = if victims.contains(&pod.name) { GOING } else { KEPT };
            (pod.name, cost)
        };
        let costs: BTreeMap<String, i32> = self.costs.ranked().await?.into_iter().map(cost).collect();
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
