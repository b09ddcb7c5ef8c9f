//! What can be asked for.

use std::path::PathBuf;

use alfred_ops_core::{Lsn, PostgresOptions};
use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand};

use super::audit::AuditArguments;
use super::logs::LogsCommand;
use super::maint::MaintCommand;
use super::migrations::MigrationsCommand;
use super::place::{Place, SecondPlace};
use super::qdrant::QdrantCommand;
use super::rollout::RolloutCommand;
use super::rules::RulesCommand;
use super::secrets::SecretsCommand;
use super::simulate::SimulateArguments;

/// Operations by hand, without the host service: backups and restores of Postgres, rules of alerts, scaling
/// policies, chores, secrets, releases and dependencies.
///
/// A restore on the worst day:
///
///   1. Say where the backups are:  export ALFRED_OPS_REPOSITORY=s3://BUCKET/PREFIX  (or file:///FOLDER),
///      with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and ALFRED_OPS_KEY_FILE if they are encrypted.
///   2. See what there is:          opsctl backup list
///   3. Bring it back:              opsctl restore --into /var/lib/postgresql/15/main
///      to the newest moment, or    --time 2026-11-24T02:00:00Z, --lsn 0/3000060, --name before_migration, --xid 7341
///   4. Give the folder to the server's account (chown -R postgres:postgres FOLDER) and start Postgres of the
///      same major version on it. It replays the log, then it is open.
#[derive(Debug, Parser)]
#[command(name = "opsctl", version, verbatim_doc_comment)]
pub struct Arguments {
    /// Where the backups are.
    #[command(flatten)]
    pub(super) place: Place,
    /// Prints results and errors as one JSON document on standard output; progress goes to standard error.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Take, list and check backups.
    Backup {
        #[command(subcommand)]
        command: BackupCommand,
    },
    /// Bring a cluster back into a folder, to any moment since the backup.
    Restore(Wanted),
    /// Look after the transaction log.
    Wal {
        #[command(subcommand)]
        command: WalCommand,
    },
    /// Check, test and try rules of alerts by their files, without a server.
    Rules {
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Look after a database: what is wrong with it, and the chores that keep it well.
    Maint {
        #[command(subcommand)]
        command: MaintCommand,
    },
    /// Look after log files, and find lines in the archive of old ones, which lies beside the backups.
    Logs {
        #[command(subcommand)]
        command: LogsCommand,
    },
    /// Change API keys, signing keys and logins of databases in time, without a moment in which none is valid.
    #[command(after_long_help = include_str!("../../opsctl/secrets.yml"))]
    Secrets {
        #[command(subcommand)]
        command: SecretsCommand,
    },
    /// Roll releases out in steps that are judged, and that go back by themselves.
    #[command(after_long_help = include_str!("../../opsctl/rollout.yml"))]
    Rollout {
        #[command(subcommand)]
        command: RolloutCommand,
    },
    /// Look whether something bad is known of the dependencies, and change nothing. A finding, or a scanner that cannot look,
    /// ends with a status of 1.
    Audit(AuditArguments),
    /// Check migrations of the schema before they run, and run them from as many hosts as there are.
    Migrations {
        #[command(subcommand)]
        command: MigrationsCommand,
    },
    /// Spread, empty and repair the peers of a Qdrant cluster.
    Qdrant {
        #[command(subcommand)]
        command: QdrantCommand,
    },
    /// Play a load trace against scaling policies, to see what they would do.
    Simulate(SimulateArguments),
    /// Make and change the keys that open an encrypted repository.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum BackupCommand {
    /// Take a backup: of what has changed where the server can tell, of everything otherwise.
    Run {
        /// The server, as postgres://USER@HOST:PORT; the password comes from PGPASSWORD.
        #[arg(long, env = "ALFRED_OPS_SERVER")]
        server: PostgresOptions,
        /// Read everything, even where the server can tell what has changed.
        #[arg(long)]
        full: bool,
        /// Store everything again, so that damage to earlier backups cannot touch this one.
        #[arg(long, requires = "full")]
        independent: bool,
        /// Take the backup even if the server's disk has damaged pages. The backup's note says so, and "backup
        /// verify" finds them in it.
        #[arg(long)]
        accept_damaged_pages: bool,
    },
    /// List all backups, oldest first.
    List,
    /// Forget backups that no rule wants, and remove what nobody needs any more: what one run marks, a run
    /// three days later removes.
    Prune {
        /// Print what would be forgotten and why the rest is kept, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Keep the newest so many, however old.
        #[arg(long, default_value_t = 2)]
        copies: usize,
        /// Keep the newest of each of the last so many days.
        #[arg(long, default_value_t = 7)]
        daily: usize,
        /// Keep the newest of each of the last so many weeks.
        #[arg(long, default_value_t = 4)]
        weekly: usize,
        /// Keep the newest of each of the last so many months.
        #[arg(long, default_value_t = 12)]
        monthly: usize,
        /// Keep every moment of the last so many days restorable.
        #[arg(long, default_value_t = 7)]
        window_days: u32,
    },
    /// Show one backup.
    Show {
        /// Its identifier, the beginning of one, or "latest".
        #[arg(default_value = "latest")]
        backup: String,
    },
    /// Read a whole backup and the log from there to its end, and check every byte, every page's checksum and
    /// every record. Every damaged object is named; the status is not 0 if there is one.
    Verify {
        #[command(flatten)]
        which: Which,
        /// Only look whether everything is there in full length, without reading it.
        #[arg(long)]
        structure: bool,
    },
    /// Replace what is damaged or missing by the objects of a second copy of the repository, each after it was
    /// checked completely. What the copy does not hold whole is named and left as it is. Not beside a prune.
    Repair {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        from: SecondPlace,
    },
}

/// Which backups are meant.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Its identifier, the beginning of one, or "latest".
    #[arg(default_value = "latest")]
    pub(super) backup: String,
    /// All backups that are listed.
    #[arg(long, conflicts_with = "backup")]
    pub(super) all: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum WalCommand {
    /// Compare what is stored with what the server has written, and say what is wrong.
    Status {
        /// The server, as postgres://USER@HOST:PORT; the password comes from PGPASSWORD.
        #[arg(long, env = "ALFRED_OPS_SERVER")]
        server: PostgresOptions,
        /// The archiver's replication slot.
        #[arg(long, default_value = "alfred_ops")]
        slot: String,
    },
    /// Fetch one file of the log, as a restore_command: opsctl wal get %f "%p". It ends with status 1 if there
    /// is no such file, and with 200 if that cannot be told.
    Get {
        /// The cluster's system identifier. Without it, that of the newest backup.
        #[arg(long)]
        system: Option<String>,
        /// The name of a segment or a history.
        file: String,
        /// Where to put it.
        path: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a new key and print it. Keep it where a lost site cannot take it along.
    New,
    /// List the fingerprints of the keys that open the repository.
    List,
    /// Let another key open the repository too. No data is written again.
    Add {
        /// The file that holds the new key.
        #[arg(long)]
        new_key_file: PathBuf,
    },
    /// Take a key's access away.
    Remove {
        /// The key's fingerprint.
        fingerprint: String,
    },
}

/// What to bring back, and where.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// The folder, which is empty or does not exist.
    #[arg(long)]
    pub(super) into: PathBuf,
    /// The backup to start from: an identifier, the beginning of one, or "latest". Without it, the newest one
    /// that can reach the moment.
    #[arg(long)]
    pub(super) backup: Option<String>,
    /// The last commit before this time, such as 2026-11-24T02:00:00Z.
    #[arg(long, group = "moment")]
    pub(super) time: Option<DateTime<Utc>>,
    /// A position of the log, such as 0/3000060.
    #[arg(long, group = "moment")]
    pub(super) lsn: Option<Lsn>,
    /// The end of a transaction, itself included.
    #[arg(long, group = "moment")]
    pub(super) xid: Option<u32>,
    /// A restore point made with pg_create_restore_point.
    #[arg(long, group = "moment")]
    pub(super) name: Option<String>,
    /// The end of the backup: as early as possible.
    #[arg(long, group = "moment")]
    pub(super) immediate: bool,
    /// The timeline to follow, where the cluster was promoted or restored more than once. Without it, the newest
    /// that the backup is part of.
    #[arg(long)]
    pub(super) timeline: Option<u32>,
    /// Leave the log in the repository: Postgres fetches it with this program while it replays. The server's
    /// account needs the same environment (credentials, key file) as this command.
    #[arg(long)]
    pub(super) serve_log: bool,
    /// The folder holds an older or damaged state of the same cluster: read and write only what differs, and
    /// remove what does not belong there.
    #[arg(long)]
    pub(super) update: bool,
    /// Where a tablespace goes: OLD_FOLDER=NEW_FOLDER. May be repeated.
    #[arg(long, value_parser = relocation)]
    pub(super) tablespace: Vec<(String, PathBuf)>,
}

fn relocation(text: &str) -> Result<(String, PathBuf), String> {
    let (old, new) = text.split_once('=').ok_or("it is not OLD_FOLDER=NEW_FOLDER")?;
    Ok((old.to_owned(), PathBuf::from(new)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent_and_the_help_restores() {
        Arguments::command().debug_assert();
        let help = Arguments::command().render_long_help().to_string();
        for word in [
            "opsctl backup list",
            "opsctl restore --into",
            "chown -R postgres",
            "  secrets ",
            "  rollout ",
            "  audit ",
        ] {
            assert!(help.contains(word), "{help}");
        }
    }
}
