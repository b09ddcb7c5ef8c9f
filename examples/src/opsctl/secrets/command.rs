//! What can be said to `opsctl secrets`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::opsctl::state_url::StateUrl;

#[derive(Debug, Subcommand)]
pub(in crate::opsctl) enum SecretsCommand {
    /// Say exactly what a run would do with the secrets now, why, and what is in its way. Changes nothing.
    Plan {
        #[command(flatten)]
        care: Care,
        /// These only.
        names: Vec<String>,
    },
    /// Do what is due with the secrets now, as far as it can be done without a wait. One that fails keeps no other from its
    /// turn; any failure or obstacle ends with a status of 1.
    Run {
        #[command(flatten)]
        care: Care,
        /// These only.
        names: Vec<String>,
    },
    /// Say how old the secrets are, where they stand and what comes next. Anything but good news ends with a status of 1.
    Status {
        #[command(flatten)]
        care: Care,
        /// These only.
        names: Vec<String>,
    },
    /// List the generations of a secret and the last runs of its care.
    History {
        #[command(flatten)]
        care: Care,
        /// The secret.
        name: String,
    },
    /// Say why a secret stands where it stands, and what will happen to it when.
    Explain {
        #[command(flatten)]
        care: Care,
        /// The secret.
        name: String,
    },
    /// Print the public keys by which tokens are verified, as they are to be published (RFC 7517).
    Jwks {
        #[command(flatten)]
        care: Care,
        /// The signing keys. May be left out if there is one kind only.
        name: Option<String>,
    },
    /// Ask for a new generation before its time, as after a leak. The next run begins it, once no other is under way.
    Renew {
        #[command(flatten)]
        care: Care,
        /// The secret.
        name: String,
        /// Why, for those who wonder.
        #[arg(long)]
        reason: String,
    },
}

/// Which secrets, and where they and their records are.
#[derive(Debug, Args)]
pub(in crate::opsctl) struct Care {
    /// Which secrets there are and how they are cared for: a file of YAML, JSON or TOML. Passwords in it are best said as
    /// ${env:NAME} or ${file:PATH}.
    #[arg(long, env = "ALFRED_OPS_SECRETS")]
    pub(super) config: PathBuf,
    /// Where hosts keep leases, records and histories, as postgres://USER@HOST:PORT/DATABASE, whose password comes from
    /// PGPASSWORD, or sqlite:///FILE.
    #[arg(long, env = "ALFRED_OPS_STATE")]
    pub(super) state: StateUrl,
}
