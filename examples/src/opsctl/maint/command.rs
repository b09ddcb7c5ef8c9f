//! What can be said to `opsctl maint`.

use alfred_ops_core::PostgresOptions;
use clap::{Args, Subcommand, ValueEnum};

use super::chore_memory::ChoreMemory;
use super::image_options::ImageOptions;
use super::index_options::IndexOptions;
use crate::opsctl::state_url::StateUrl;

#[derive(Debug, Subcommand)]
pub(in crate::opsctl) enum MaintCommand {
    /// Say what is wrong with a database, why it matters and what helps. Changes nothing. A warning or worse ends with a
    /// status of 1.
    Doctor {
        /// The server, as postgres://USER@HOST:PORT/DATABASE; the password comes from PGPASSWORD.
        #[arg(long, env = "ALFRED_OPS_SERVER")]
        server: PostgresOptions,
    },
    /// Say exactly what a chore would do now, why, and what is in its way, which ends with a status of 1. Changes nothing.
    Plan {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        indexes: IndexOptions,
    },
    /// Do a chore now, due or not, unless somebody paused it or works on its target. Asks no gate: gates are the hosts', and who
    /// calls this has decided. `plan` says beforehand what it would do and why. A run that did not come to its end, or did not
    /// help, ends with a status of 1.
    Run {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        indexes: IndexOptions,
    },
    /// Say when a chore is due, when it was last done, and why it does not help, by the chore's default cadence: a host that
    /// gave it another judges by that one. Anything but good news ends with a status of 1.
    Status {
        #[command(flatten)]
        which: Which,
    },
    /// List the last runs of a chore, each with its plan, what it did, and how it ended.
    History {
        #[command(flatten)]
        which: Which,
    },
    /// Keep every host from a chore; a run stops between two steps.
    Pause {
        #[command(flatten)]
        which: Which,
        /// Why, for those who wonder.
        #[arg(long)]
        reason: String,
    },
    /// Take the pause back.
    Resume {
        #[command(flatten)]
        which: Which,
    },
    /// Stop the run of a chore between two steps, wherever it runs.
    Abort {
        #[command(flatten)]
        which: Which,
    },
}

/// Which chore is meant.
#[derive(Debug, Args)]
pub(in crate::opsctl) struct Which {
    /// The chore.
    pub(super) chore: ChoreName,
    /// The server, as postgres://USER@HOST:PORT/DATABASE; the password comes from PGPASSWORD.
    #[arg(long, env = "ALFRED_OPS_SERVER", required_unless_present = "name")]
    pub(super) server: Option<PostgresOptions>,
    /// Where hosts keep leases and histories, as postgres://USER@HOST:PORT/DATABASE, whose password comes from PGPASSWORD,
    /// or sqlite:///FILE. Without it, nobody else knows of this call.
    #[arg(long, env = "ALFRED_OPS_STATE")]
    pub(super) state: Option<StateUrl>,
    #[command(flatten)]
    pub(super) images: ImageOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ChoreName {
    /// Images of an engine or a registry that nobody needs.
    Images,
    /// What failed builds of indexes left, indexes that are bloated or serve nobody, and those that are missing.
    Indexes,
    /// Tasks whose worker died.
    Requeue,
    /// Rows of processed_msgs that are older than 48 hours.
    Retention,
    /// Sessions that keep others from working.
    Sessions,
    /// VACUUM, ANALYZE and freezing where autovacuum left something to do.
    Vacuum,
}

impl ChoreName {
    pub(super) const fn memory(self) -> ChoreMemory {
        match self {
            // An image's age counts from the first look at it.
            Self::Images => ChoreMemory::Vital,
            Self::Indexes | Self::Requeue | Self::Retention | Self::Sessions | Self::Vacuum => {
                ChoreMemory::Spare
            }
        }
    }
}
