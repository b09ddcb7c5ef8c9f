//! What can be said to `opsctl migrations`.

use std::path::PathBuf;

use alfred_ops_core::PostgresOptions;
use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(in crate::opsctl) enum MigrationsCommand {
    /// Say what is dangerous about migrations while others use the database, and how else to write them. Bad news
    /// (anything worse than a notice) ends with a status of 1.
    #[command(visible_alias = "lint")]
    Check {
        /// Files of SQL, and folders of them as sqlx' migrator reads them.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// The server's major version.
        #[arg(long, default_value_t = 15)]
        postgres: u16,
        /// A server that tells its version, how large its tables are, of which types, which are partitioned and what its domains
        /// ask for, so that no alarm rings for small ones and what is advised can be done: postgres://USER@HOST:PORT/DATABASE; the password comes from PGPASSWORD.
        #[arg(long)]
        facts: Option<PostgresOptions>,
    },
    /// Say whether the application that runs and the one that comes can work with the new schema, by preparing their queries
    /// in a scratch database. A query that does not fit ends with a status of 1.
    Compatible {
        /// The folder of migrations, as sqlx' migrator reads it: VERSION_DESCRIPTION.sql.
        folder: PathBuf,
        /// The last version that is applied to the database of the service.
        #[arg(long)]
        applied: i64,
        /// A server for tests where a database can be made, as postgres://USER@HOST:PORT/DATABASE; the password comes from
        /// PGPASSWORD.
        #[arg(long)]
        scratch: PostgresOptions,
        /// The queries of the application that runs: a folder that "cargo sqlx prepare" wrote for it.
        #[arg(long)]
        old: Option<PathBuf>,
        /// The queries of the application that comes.
        #[arg(long)]
        new: Option<PathBuf>,
    },
    /// Say what a run would do.
    Plan {
        #[command(flatten)]
        which: Which,
    },
    /// Apply what is pending, one replica at a time, giving way to who holds a lock.
    Run {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::opsctl) struct Which {
    /// The folder of migrations, as sqlx' migrator reads it: VERSION_DESCRIPTION.sql.
    pub(super) folder: PathBuf,
    /// The server, as postgres://USER@HOST:PORT/DATABASE; the password comes from PGPASSWORD.
    #[arg(long, env = "ALFRED_OPS_SERVER")]
    pub(super) server: PostgresOptions,
}
