//! `opsctl rules …`.

mod check;
mod command;
mod doctor;
mod eval;
mod explanation;
mod playback;
mod query;
mod rule_view;
mod series_file;
mod test;

use alfred_ops_core::{JobContext, Result, blocking};

pub(super) use self::command::RulesCommand;
use super::report::Report;

/// Does what is asked of rules. Nothing is written, so that it may be stopped at any time.
pub(super) async fn run(command: RulesCommand, context: &JobContext) -> Result<Report> {
    let context = context.clone();
    blocking(move || match command {
        RulesCommand::Check { files } => Ok(check::run(&files)),
        RulesCommand::Test { files } => Ok(test::run(&files)),
        RulesCommand::Query { expr, series } => query::run(&expr, &series, &context),
        RulesCommand::Eval { rules, series, every } => eval::run(&rules, &series, every, &context),
        RulesCommand::Doctor { files, series, every } => doctor::run(&files, &series, every, &context),
    })
    .await?
}
