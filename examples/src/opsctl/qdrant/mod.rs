//! `opsctl qdrant`.

mod command;

use alfred_ops_core::{JobContext, Result};
use alfred_ops_scaling::qdrant::{Goal, Limits, QdrantCluster, QdrantOptions};
use serde_json::json;

pub(super) use self::command::QdrantCommand;
use self::command::{GoalArguments, Which};
use super::report::Report;
use crate::console::Console;

pub(super) async fn run(command: QdrantCommand, context: &JobContext, console: &Console) -> Result<Report> {
    match command {
        QdrantCommand::Plan { which } => {
            let (cluster, goal) = open(which)?;
            let plan = cluster.plan(&goal).await?;
            let steps: Vec<String> = plan.steps.iter().map(|step| step.action.to_string()).collect();
            let obstacles: Vec<String> = plan.obstacles.iter().map(ToString::to_string).collect();
            let json = json!({ "goal": goal.to_string(), "steps": steps, "obstacles": obstacles });
            Ok(Report::new(plan.to_string(), json).failed_if(!plan.obstacles.is_empty()))
        }
        QdrantCommand::Run { which } => {
            let (cluster, goal) = open(which)?;
            let done = Box::pin(console.watch(&context.progress, cluster.run(&goal, context))).await?;
            let json = json!({
                "goal": goal.to_string(), "transfers_started": done.transfers_started,
                "transfers_aborted": done.transfers_aborted, "replicas_dropped": done.replicas_dropped,
                "peers_removed": done.peers_removed,
            });
            Ok(Report::new(done.to_string(), json))
        }
    }
}

fn open(which: Which) -> Result<(QdrantCluster, Goal)> {
    let Which { urls, api_key, goal, transfers } = which;
    let mut options = QdrantOptions::new(urls);
    if let Some(api_key) = api_key {
        options = options.with_api_key(api_key);
    }
    if let Some([all, of_peer]) = transfers.as_deref() {
        options = options.with_limits(Limits::new(*all, *of_peer));
    }
    let GoalArguments { rebalance, repair: _, drain } = goal;
    let goal = if rebalance {
        Goal::Rebalance
    } else if drain.is_empty() {
        Goal::Repair
    } else {
        Goal::drain(drain)
    };
    Ok((QdrantCluster::new(options)?, goal))
}
