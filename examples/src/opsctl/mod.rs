//! `opsctl`: operations by hand, for the day when the host service is gone.

mod arguments;
mod audit;
mod backup;
mod config_file;
mod keys;
mod logs;
mod maint;
mod migrations;
mod place;
mod program;
mod qdrant;
mod repair;
mod report;
mod restore;
mod rollout;
mod rules;
mod secrets;
mod server;
mod simulate;
mod state_url;
mod text_file;
mod time_span;
mod verify;
mod wal;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::RetentionPolicy;
use alfred_ops_core::{ErrorKind, JobContext, Result};
use tokio_util::sync::CancellationToken;

use self::report::Report;
use crate::console::Console;

pub use self::arguments::Arguments;
use self::arguments::{BackupCommand, Command, KeyCommand, WalCommand};

/// Does what the arguments say and prints the result. Ctrl-C stops at the next safe point.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]
pub async fn run(arguments: Arguments) -> ExitCode {
    let cancel = CancellationToken::new();
    let context = JobContext::system().with_cancel(cancel.clone());
    let console = Console::on_stderr(Arc::clone(&context.clock));
    let json = arguments.json;
    let for_postgres = matches!(&arguments.command, Command::Wal { command: WalCommand::Get { .. } });
    let mut work = Box::pin(command(arguments, &context, &console));
    let outcome = tokio::select! {
        outcome = &mut work => outcome,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("stopping");
            cancel.cancel();
            work.await
        }
    };
    // Postgres takes a status up to 125 for the end of the log, and stops at a higher one.
    let unknown = outcome.as_ref().is_err_and(|error| for_postgres && error.kind() != ErrorKind::NotFound);
    let status = if unknown { ExitCode::from(200) } else { ExitCode::FAILURE };
    match outcome {
        Ok(report) => {
            println!("{}", if json { report.json.to_string() } else { report.text });
            if report.failed {
                return ExitCode::FAILURE;
            }
        }
        Err(error) if json => {
            let error = serde_json::json!({
                "error": error.full(), "kind": error.kind().name(), "remedy": error.remedy(),
            });
            println!("{error}");
            return status;
        }
        Err(error) => {
            eprintln!("opsctl: {}", error.full());
            return status;
        }
    }
    ExitCode::SUCCESS
}

async fn command(arguments: Arguments, context: &JobContext, console: &Console) -> Result<Report> {
    let Arguments { place, command, .. } = arguments;
    match command {
        Command::Backup {
            command: BackupCommand::Run { server, full, independent, accept_damaged_pages },
        } => {
            let request = backup::request(full, independent);
            backup::run(&place, &server, request, accept_damaged_pages, context, console).await
        }
        Command::Backup { command: BackupCommand::List } => backup::list(&place).await,
        Command::Backup {
            command: BackupCommand::Prune { dry_run, copies, daily, weekly, monthly, window_days },
        } => {
            let window = Duration::from_secs(u64::from(window_days) * 24 * 3600);
            let policy = RetentionPolicy::default()
                .with_copies_min(copies)
                .with_calendar(daily, weekly, monthly)
                .with_window(window);
            backup::prune(&place, &policy, dry_run, context, console).await
        }
        Command::Backup { command: BackupCommand::Show { backup } } => backup::show(&place, &backup).await,
        Command::Backup { command: BackupCommand::Verify { which, structure } } => {
            verify::run(&place, &which, structure, context, console).await
        }
        Command::Backup { command: BackupCommand::Repair { which, from } } => {
            repair::run(&place, &which, &from, context, console).await
        }
        Command::Restore(wanted) => restore::restore(&place, &wanted, context, console).await,
        Command::Wal { command: WalCommand::Status { server, slot } } => {
            wal::status(&place, &server, &slot, context).await
        }
        Command::Wal { command: WalCommand::Get { system, file, path } } => {
            wal::get(&place, system.as_deref(), &file, &path).await
        }
        Command::Rules { command } => rules::run(command, context).await,
        Command::Maint { command } => maint::run(command, context).await,
        Command::Logs { command } => logs::run(&place, command, context).await,
        Command::Secrets { command } => secrets::run(command, context).await,
        Command::Rollout { command } => rollout::run(command, context, console).await,
        Command::Audit(arguments) => audit::run(arguments, context).await,
        Command::Migrations { command } => migrations::run(command, context).await,
        Command::Qdrant { command } => qdrant::run(command, context, console).await,
        Command::Simulate(arguments) => simulate::run(arguments, context).await,
        Command::Key { command: KeyCommand::New } => Ok(keys::new(context)),
        Command::Key { command: KeyCommand::List } => keys::list(&place).await,
        Command::Key { command: KeyCommand::Add { new_key_file } } => keys::add(&place, &new_key_file).await,
        Command::Key { command: KeyCommand::Remove { fingerprint } } => {
            keys::remove(&place, &fingerprint).await
        }
    }
}
