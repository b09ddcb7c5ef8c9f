//! What can be said to `opsctl rollout`.

use std::path::PathBuf;

use alfred_ops_core::Result;
use alfred_ops_maintenance::Release;
use clap::{Args, Subcommand};

use crate::opsctl::state_url::StateUrl;

#[derive(Debug, Subcommand)]
pub(in crate::opsctl) enum RolloutCommand {
    /// Print the steps of a rollout, with what is asked before and within them, and when it ends at the earliest. Without a
    /// release, those that are left of the one under way. Changes nothing.
    Plan {
        #[command(flatten)]
        place: RolloutPlace,
        #[command(flatten)]
        release: ReleaseArguments,
    },
    /// Roll a release out, or go on with the one under way, until it has ended. It may be stopped and begun again at any
    /// moment, also on another host. Any end but the promotion ends with a status of 1.
    Run {
        #[command(flatten)]
        place: RolloutPlace,
        #[command(flatten)]
        release: ReleaseArguments,
        /// Do what can be done now, say what is waited for, and leave the rest to another call.
        #[arg(long)]
        once: bool,
    },
    /// Say where the rollout stands and what it waits for. Anything but good news ends with a status of 1.
    Status {
        #[command(flatten)]
        place: RolloutPlace,
    },
    /// List the last rollouts, and how each ended.
    History {
        #[command(flatten)]
        place: RolloutPlace,
    },
    /// Say why the rollout stands where it stands: what was measured, what the target shows, what every analysis says now,
    /// and what is left to do.
    Explain {
        #[command(flatten)]
        place: RolloutPlace,
    },
    /// Let the rollout rest with the split that it has. A candidate that is not ready goes back all the same.
    Pause {
        #[command(flatten)]
        place: RolloutPlace,
        /// Why, for those who wonder.
        #[arg(long)]
        reason: String,
    },
    /// End a pause.
    Resume {
        #[command(flatten)]
        place: RolloutPlace,
    },
    /// Send all traffic back to the stable revision. Whoever runs the rollout does it at its next look. One that is promoted
    /// already stays.
    Abort {
        #[command(flatten)]
        place: RolloutPlace,
        /// Why, for those who wonder.
        #[arg(long)]
        reason: String,
    },
}

/// Which service is meant.
#[derive(Debug, Args)]
pub(in crate::opsctl) struct RolloutPlace {
    /// The service, and how its releases go out: a file of YAML, JSON or TOML.
    #[arg(long, env = "ALFRED_OPS_ROLLOUT")]
    pub(super) config: PathBuf,
    /// Where hosts keep leases, records and histories, as postgres://USER@HOST:PORT/DATABASE, whose password comes from
    /// PGPASSWORD, or sqlite:///FILE.
    #[arg(long, env = "ALFRED_OPS_STATE")]
    pub(super) state: StateUrl,
}

/// Which release is meant.
#[derive(Debug, Args)]
pub(in crate::opsctl) struct ReleaseArguments {
    /// The name of the new revision.
    #[arg(long, requires = "image")]
    revision: Option<String>,
    /// The image that it runs, best by digest.
    #[arg(long, requires = "revision")]
    image: Option<String>,
}

impl ReleaseArguments {
    /// The release, if one is named.
    pub(super) fn release(self) -> Result<Option<Release>> {
        match (self.revision, self.image) {
            (Some(revision), Some(image)) => Release::new(revision, image).map(Some),
            _ => Ok(None),
        }
    }
}
