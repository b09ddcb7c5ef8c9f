//! What can be said to `opsctl logs`.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};

use crate::opsctl::state_url::StateUrl;

#[derive(Debug, Subcommand)]
pub(in crate::opsctl) enum LogsCommand {
    /// Close, compress and remove the log files of other services in a folder.
    Care {
        #[command(flatten)]
        files: Files,
        /// A program that tells the service to open its log anew, with its arguments: --tell "systemctl kill -s HUP agent".
        /// Without it, files are copied and cut, which may lose what is written between the two.
        #[arg(long)]
        tell: Option<String>,
    },
    /// Move closed log files into the archive once they are old, and remove from there what is too old. Closed are those that
    /// `care`, or the service's own writer, has named by the time: agent.log.20261124T020000Z.000000000.
    Archive {
        #[command(flatten)]
        files: Files,
        /// How old a file is then.
        #[arg(long, default_value_t = 30)]
        after_days: u64,
        /// For how long a line stays in the archive.
        #[arg(long, default_value_t = 365)]
        keep_days: u64,
    },
    /// Say when the care of a host's logs, or their archiving, is due, when it was last done, and what is wrong. Anything but
    /// good news ends with a status of 1.
    Status {
        #[command(flatten)]
        which: Which,
    },
    /// List the last runs, each with its plan, what it did, and how it ended.
    History {
        #[command(flatten)]
        which: Which,
    },
    /// List what the archive has of a time.
    List {
        #[command(flatten)]
        range: Range,
    },
    /// Print the lines of a time from the archive. A piece that cannot be read ends with a status of 1.
    Grep {
        #[command(flatten)]
        range: Range,
        /// Only lines that contain this.
        #[arg(long)]
        text: Vec<String>,
        /// Only lines of JSON with this member, as NAME=VALUE, with dots between names: fields.task=42.
        #[arg(long)]
        field: Vec<String>,
        /// Stop after so many lines.
        #[arg(long, default_value_t = 10_000)]
        limit: usize,
    },
    /// Write what the archive has of a time into a folder.
    Restore {
        #[command(flatten)]
        range: Range,
        /// The folder.
        #[arg(long)]
        into: PathBuf,
    },
}

/// Which files are meant.
#[derive(Debug, Args)]
pub(in crate::opsctl) struct Files {
    /// The folder.
    pub(super) folder: PathBuf,
    /// What the host is called in the archive.
    #[arg(long, env = "HOSTNAME", default_value = "localhost")]
    pub(super) host: String,
    /// How the names of logs end.
    #[arg(long, default_value = ".log")]
    pub(super) suffix: String,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Where hosts keep leases and histories, as postgres://USER@HOST:PORT/DATABASE, whose password comes from PGPASSWORD,
    /// or sqlite:///FILE. Without it, a lock on the folder keeps other runs out, and nobody knows of this one.
    #[arg(long, env = "ALFRED_OPS_STATE")]
    pub(super) state: Option<StateUrl>,
}

/// Which chore is meant.
#[derive(Debug, Args)]
pub(in crate::opsctl) struct Which {
    /// The chore.
    pub(super) chore: LogChore,
    /// What the host is called.
    #[arg(long, env = "HOSTNAME", default_value = "localhost")]
    pub(super) host: String,
    /// Where hosts keep leases and histories, as postgres://USER@HOST:PORT/DATABASE, whose password comes from PGPASSWORD,
    /// or sqlite:///FILE.
    #[arg(long, env = "ALFRED_OPS_STATE")]
    pub(super) state: Option<StateUrl>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogChore {
    /// Log files of other services are closed, compressed and removed.
    Care,
    /// Closed files go into the archive.
    Archive,
}

/// Which lines are meant.
#[derive(Debug, Args)]
pub(in crate::opsctl) struct Range {
    /// From this time on, such as 2026-11-24T02:00:00Z.
    #[arg(long)]
    pub(super) from: DateTime<Utc>,
    /// Before this time, such as 2026-11-24T03:00:00Z.
    #[arg(long)]
    pub(super) to: DateTime<Utc>,
    /// Of this host, HOST, or of this log, HOST/LOG.
    #[arg(long)]
    pub(super) log: Option<String>,
}
