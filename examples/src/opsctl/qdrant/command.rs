//! What can be said to `opsctl qdrant`.

use alfred_ops_core::Secret;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(in crate::opsctl) enum QdrantCommand {
    /// Say how a cluster would be brought to a goal. Changes nothing.
    Plan {
        #[command(flatten)]
        which: Which,
    },
    /// Bring a cluster to a goal, however often it is stopped in between.
    Run {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, Args)]
pub(in crate::opsctl) struct Which {
    /// The REST URL of each peer, such as http://qdrant-0:6333.
    #[arg(long = "url", env = "ALFRED_OPS_QDRANT", value_delimiter = ',', required = true)]
    pub(super) urls: Vec<String>,
    /// The cluster's API key.
    #[arg(long, env = "QDRANT_API_KEY", hide_env_values = true)]
    pub(super) api_key: Option<Secret>,
    #[command(flatten)]
    pub(super) goal: GoalArguments,
    /// Transfers at once, in all and of one peer.
    #[arg(long, value_names = ["ALL", "PEER"], num_args = 2)]
    pub(super) transfers: Option<Vec<usize>>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(in crate::opsctl) struct GoalArguments {
    /// Spread replicas evenly, over new peers too.
    #[arg(long)]
    pub(super) rebalance: bool,
    /// Give every shard its replicas back. A peer that is not reached counts as lost.
    #[arg(long)]
    pub(super) repair: bool,
    /// Empty these peers and take them out.
    #[arg(long, value_name = "PEER", value_delimiter = ',')]
    pub(super) drain: Vec<u64>,
}
