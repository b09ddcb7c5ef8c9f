//! `opsctl rollout`.

mod carrying;
mod command;
mod config;
mod desk;
mod explanation;
mod plan;
mod program_check;
mod program_target;
mod query_analysis;
mod target;

use alfred_ops_core::{JobContext, Result};
use alfred_ops_maintenance::{PastRollout, RolloutEnd};
use serde_json::json;

pub(super) use self::command::RolloutCommand;
use self::desk::Desk;
use super::report::{Report, second};
use crate::console::Console;

pub(super) async fn run(command: RolloutCommand, context: &JobContext, console: &Console) -> Result<Report> {
    match command {
        RolloutCommand::Plan { place, release } => {
            plan::plan(&Desk::to_plan(&place, context).await?, release.release()?).await
        }
        RolloutCommand::Run { place, release, once } => {
            carrying::carry(&Desk::to_work(&place, context).await?, release.release()?, once, console).await
        }
        RolloutCommand::Status { place } => explanation::status(&Desk::to_look(&place, context).await?).await,
        RolloutCommand::Explain { place } => {
            explanation::explain(&Desk::to_look(&place, context).await?).await
        }
        RolloutCommand::History { place } => {
            Ok(history(&Desk::to_look(&place, context).await?.book().history().await?))
        }
        RolloutCommand::Pause { place, reason } => {
            let desk = Desk::to_look(&place, context).await?;
            let found = desk.book().pause(&reason).await?;
            Ok(wished(&desk, found, "is paused", &json!({ "paused": found, "reason": reason })))
        }
        RolloutCommand::Resume { place } => {
            let desk = Desk::to_look(&place, context).await?;
            let found = desk.book().resume().await?;
            Ok(wished(&desk, found, "goes on", &json!({ "resumed": found })))
        }
        RolloutCommand::Abort { place, reason } => {
            let desk = Desk::to_look(&place, context).await?;
            let found = desk.book().abort(&reason).await?;
            Ok(wished(&desk, found, "goes back", &json!({ "aborted": found, "reason": reason })))
        }
    }
}

/// What became of a wish. Without a rollout it was no good wish.
fn wished(desk: &Desk<'_>, found: bool, becomes: &str, json: &serde_json::Value) -> Report {
    let becomes = if found { becomes } else { "has no rollout under way" };
    Report::new(format!("{} {becomes}", desk.config.name), json.clone()).failed_if(!found)
}

fn history(past: &[PastRollout]) -> Report {
    let line = |past: &PastRollout| {
        let (release, times) = (&past.release, (second(past.started_at), second(past.ended_at)));
        let end = ended(&past.end);
        format!("{} to {}  {} ({})  {end}", times.0, times.1, release.revision, release.image)
    };
    let lines: Vec<String> = past.iter().map(line).collect();
    let text = if lines.is_empty() { "no rollout has ended yet".to_owned() } else { lines.join("\n") };
    Report::new(text, json!(past))
}

/// How a rollout ended, and why.
fn ended(end: &RolloutEnd) -> String {
    match end {
        RolloutEnd::Promoted { left } if left.is_empty() => "promoted".to_owned(),
        RolloutEnd::Promoted { left } => format!("promoted; {left}"),
        RolloutEnd::RolledBack { reason } => format!("rolled back: {reason}"),
        RolloutEnd::Refused { reason } => format!("refused: {reason}"),
        RolloutEnd::HandedBack { reason } => format!("handed back: {reason}"),
        other => other.name().to_owned(),
    }
}
