//! `opsctl rules …`.

mod asked_reasons;
mod asked_rule;
mod check;
mod command;
mod doctor;
mod eval;
mod explanation;
mod group_view;
mod past_source;
mod playback;
mod query;
mod rule_view;
mod series_file;
mod server;
mod source_arguments;
mod test;

use alfred_ops_core::{Error, ErrorKind, JobContext, Result, blocking};

pub(super) use self::command::RulesCommand;
use self::server::Server;
pub(super) use self::source_arguments::duration;
use self::source_arguments::{SourceArguments, SourcePlace};
use super::report::Report;

/// Does what is asked of rules. Nothing is written, so that it may be stopped at any time.
pub(super) async fn run(command: RulesCommand, context: &JobContext) -> Result<Report> {
    tokio::select! {
        biased;
        () = context.cancel.cancelled(), if asks_server(&command) => {
            Err(Error::new(ErrorKind::Cancelled, "ask query source", "the caller asked to stop"))
        }
        outcome = work(command, context) => outcome,
    }
}

/// Whether dropping the work stops it. What reads files looks at the context itself.
const fn asks_server(command: &RulesCommand) -> bool {
    match command {
        RulesCommand::Query { source, .. } | RulesCommand::Eval { source, .. } => source.place.url.is_some(),
        _ => false,
    }
}

async fn work(command: RulesCommand, context: &JobContext) -> Result<Report> {
    match command {
        RulesCommand::Query {
            expr,
            source: SourceArguments { place: SourcePlace { url: Some(url), .. }, reading, server },
        } => {
            let server = Server::new(&url, &server, reading.time, context)?;
            query::ask(&expr, &server).await
        }
        RulesCommand::Eval {
            rules,
            source: SourceArguments { place: SourcePlace { url: Some(url), .. }, reading, server },
            every,
        } => {
            let server = Server::new(&url, &server, reading.time, context)?;
            eval::ask(&rules, &server, every).await
        }
        command => {
            let context = context.clone();
            blocking(move || on_files(command, &context)).await?
        }
    }
}

fn on_files(command: RulesCommand, context: &JobContext) -> Result<Report> {
    match command {
        RulesCommand::Check { files } => Ok(check::run(&files)),
        RulesCommand::Test { files } => Ok(test::run(&files)),
        RulesCommand::Query { expr, source } => query::run(&expr, &source, context),
        RulesCommand::Eval { rules, source, every } => eval::run(&rules, &source, every, context),
        RulesCommand::Doctor { files, series, every } => doctor::run(&files, &series, every, context),
    }
}
