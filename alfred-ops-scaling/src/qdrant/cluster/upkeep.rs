//! Keeping a cluster at its goal.

use std::time::Duration;

use alfred_ops_core::{Activation, Job, JobContext, JobReport, Result};
use async_trait::async_trait;

use super::QdrantCluster;
use crate::qdrant::Goal;

/// Brings a cluster to a goal and keeps it there: a job that looks every so often and finds nothing to do, or does it.
///
/// A supervisor runs it under its lease, so that one host owns the cluster; see [`QdrantCluster::run`]. A peer that is not
/// reached counts as lost for [`Goal::Repair`]: choose a period in which it comes back from a restart.
#[derive(Debug)]
pub struct QdrantUpkeep {
    cluster: QdrantCluster,
    goal: Goal,
    period: Duration,
    name: &'static str,
}

impl QdrantUpkeep {
    /// Keeps `cluster` at `goal`, looking every `period`.
    #[must_use]
    pub const fn new(cluster: QdrantCluster, goal: Goal, period: Duration) -> Self {
        let name = match goal {
            Goal::Rebalance => "qdrant-rebalance",
            Goal::Drain(_) => "qdrant-drain",
            Goal::Repair => "qdrant-repair",
        };
        Self { cluster, goal, period, name }
    }
}

/// A job named `qdrant-rebalance`, `qdrant-drain` or `qdrant-repair`.
#[async_trait]
impl Job for QdrantUpkeep {
    fn name(&self) -> &str {
        self.name
    }

    fn activation(&self) -> Activation {
        Activation::Every(self.period)
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        Ok(JobReport::new(self.cluster.run(&self.goal, context).await?.to_string()))
    }
}
