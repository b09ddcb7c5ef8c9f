//! `chaos`: trials whose blows are drawn from a seed. Each prints the seed, replays from it, and ends with
//! `N passed, N failed`.

mod faults;
mod histories;
mod host;
mod kills;
mod leases;
mod surroundings;
mod sync_kills;

use std::process::ExitCode;

use alfred_ops_core::Result;
use clap::{Args, Parser, Subcommand};

use self::host::Host;

/// Trials whose blows are drawn from a seed: the same seed draws the same.
#[derive(Debug, Parser)]
#[command(name = "chaos", version)]
pub struct Arguments {
    #[command(subcommand)]
    trial: Trial,
}

#[derive(Debug, Subcommand)]
enum Trial {
    /// Kills hosts within backups, archiving, prunes and restores, and looks at what is left.
    Kills(Blows),
    /// Destroys a primary and its synchronous archiver together: is anything lost that was acknowledged?
    SyncKills(Blows),
    /// Restores lives of a database to moments of them, beside a replica that stopped at the same moment.
    Histories(Histories),
    /// Lets an S3 server and the network fail while backups go on: does everything heal?
    Faults(Blows),
    /// Kills and stops the leader of three replicas: is a slot missed, settled twice, or written late?
    Leases(Blows),
    /// What the trials start and kill.
    #[command(hide = true)]
    Host(Host),
}

/// How many blows, and which.
#[derive(Debug, Clone, Copy, Args)]
struct Blows {
    /// How many.
    #[arg(long, default_value_t = 20)]
    runs: u32,
    /// What they are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
struct Histories {
    #[command(flatten)]
    blows: Blows,
    /// The major version of Postgres.
    #[arg(long, default_value_t = 15)]
    postgres: u32,
}

/// Runs a trial. Fails at the first thing that is not as it should be.
#[expect(clippy::print_stdout, reason = "a program that reports")]
pub async fn run(arguments: Arguments) -> ExitCode {
    match Box::pin(carry_out(&arguments.trial)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {}", error.full());
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "a program that reports")]
async fn carry_out(trial: &Trial) -> Result<()> {
    let blows = match trial {
        Trial::Host(host) => return host.be().await,
        Trial::Kills(blows) | Trial::SyncKills(blows) | Trial::Faults(blows) | Trial::Leases(blows) => blows,
        Trial::Histories(histories) => &histories.blows,
    };
    println!("seed {}, {} runs", blows.seed, blows.runs);
    match trial {
        Trial::Kills(blows) => kills::run(*blows).await?,
        Trial::SyncKills(blows) => sync_kills::run(*blows).await?,
        Trial::Faults(blows) => faults::run(*blows).await?,
        Trial::Leases(blows) => leases::run(*blows).await?,
        Trial::Histories(histories) => histories::run(histories).await?,
        Trial::Host(_) => {}
    }
    println!("{} passed, 0 failed", blows.runs);
    Ok(())
}
