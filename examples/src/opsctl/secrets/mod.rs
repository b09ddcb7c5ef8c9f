//! `opsctl secrets`.

mod command;
mod config;
mod desk;
mod explanation;
mod program_issuer;
mod standing;

use alfred_ops_core::{Error, ErrorKind, JobContext, Result};
use alfred_ops_maintenance::{ChoreOutcome, RotationPlan, RotationRecord};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

pub(super) use self::command::SecretsCommand;
use self::config::SecretConfig;
use self::desk::Desk;
use super::report::{Report, chore_run, second};

pub(super) async fn run(command: SecretsCommand, context: &JobContext) -> Result<Report> {
    match command {
        SecretsCommand::Plan { care, names } => plan(&Desk::to_plan(&care, context).await?, &names).await,
        SecretsCommand::Run { care, names } => work(&Desk::to_work(&care, context).await?, &names).await,
        SecretsCommand::Status { care, names } => {
            standing::status(&Desk::to_look(&care, context).await?, &names).await
        }
        SecretsCommand::History { care, name } => history(&Desk::to_look(&care, context).await?, &name).await,
        SecretsCommand::Explain { care, name } => {
            explanation::explain(&Desk::to_look(&care, context).await?, &name).await
        }
        SecretsCommand::Jwks { care, name } => {
            let keys = Desk::to_look(&care, context).await?.signing_keys(name.as_deref())?.jwks().await?;
            let json = serde_json::from_str(&keys.body).map_err(|source| {
                Error::new(ErrorKind::Internal, "print keys", "they are not JSON").with_source(source)
            })?;
            Ok(Report::new(&*keys.body, json))
        }
        SecretsCommand::Renew { care, name, reason } => {
            let desk = Desk::to_look(&care, context).await?;
            desk.book(desk.find(&name)?).want(&reason).await?;
            let text = format!("{name} is changed at the next run that finds no other rotation under way");
            Ok(Report::new(text, json!({ "secret": name, "wanted": reason })))
        }
    }
}

async fn plan(desk: &Desk<'_>, names: &[String]) -> Result<Report> {
    let mut reports = Vec::new();
    for secret in desk.chosen(names)? {
        let plan = match desk.caretaker(secret) {
            Ok(caretaker) => caretaker.plan(desk.context).await,
            Err(error) => Err(error),
        };
        reports.push(match plan {
            Ok(plan) => Report::new(format!("{}\n{}", secret.name, indented(&plan)), json_of(secret, &plan)),
            Err(error) => failure(secret, &error),
        });
    }
    Ok(of_all(reports))
}

async fn work(desk: &Desk<'_>, names: &[String]) -> Result<Report> {
    let mut reports = Vec::new();
    for secret in desk.chosen(names)? {
        desk.context.check("rotate secrets")?;
        let ran = match desk.caretaker(secret) {
            Ok(caretaker) => caretaker.run(desk.context).await,
            Err(error) => Err(error),
        };
        reports.push(match ran {
            Ok(ran) => {
                let (record, name) = (ran.record(), &secret.name);
                let text = record.map_or_else(|| ran.to_string(), chore_run);
                let json = record.map_or_else(|| json!({ "not_now": ran.to_string() }), |run| json!(run));
                let is_good = record.is_some_and(|record| record.outcome == ChoreOutcome::Finished);
                Report::new(format!("{name}\n{}", indented(&text)), json!({ "secret": name, "run": json }))
                    .failed_if(!is_good)
            }
            Err(error) => failure(secret, &error),
        });
    }
    Ok(of_all(reports))
}

/// One after the other; a list for a program, however many there are.
fn of_all(reports: Vec<Report>) -> Report {
    let failed = reports.iter().any(|report| report.failed);
    let (texts, jsons): (Vec<String>, Vec<Value>) =
        reports.into_iter().map(|report| (report.text, report.json)).unzip();
    Report::new(texts.join("\n"), Value::Array(jsons)).failed_if(failed)
}

async fn history(desk: &Desk<'_>, name: &str) -> Result<Report> {
    let secret = desk.find(name)?;
    let record = desk.book(secret).record().await?;
    let runs = desk.caretaker(secret)?.book(desk.context).history().await?;
    let mut lines = generations(&record);
    if lines.is_empty() {
        lines.push("it has no generation yet".to_owned());
    }
    if runs.is_empty() {
        lines.push("it never ran".to_owned());
    }
    lines.extend(runs.iter().map(chore_run));
    let json = json!({
        "secret": name, "past": record.past, "generations": record.generations, "runs": runs,
    });
    Ok(Report::new(lines.join("\n"), json))
}

/// Those that were and those that are, oldest first.
fn generations(record: &RotationRecord) -> Vec<String> {
    let used = |at: Option<DateTime<Utc>>| {
        at.map_or_else(|| "never used".to_owned(), |at| format!("used from {}", second(at)))
    };
    let past = record.past.iter().map(|past| {
        let (used, destroyed) = (used(past.active_at), second(past.destroyed_at));
        format!("generation {} {} {used}, destroyed {destroyed}", past.number, named(&past.handle))
    });
    let alive = record.generations.iter().map(|generation| {
        let (used, since) = (used(generation.active_at), second(generation.since));
        let (number, handle, phase) = (generation.number, named(&generation.handle), generation.phase);
        format!("generation {number} {handle} {used}, {phase} since {since}")
    });
    past.chain(alive).collect()
}

/// What names a generation to those who verify it.
fn named(handle: &str) -> String {
    if handle.is_empty() { "without a name".to_owned() } else { format!("({handle})") }
}

fn failure(secret: &SecretConfig, error: &Error) -> Report {
    let name = &secret.name;
    let json = json!({
        "secret": name, "error": error.full(), "kind": error.kind().name(), "remedy": error.remedy(),
    });
    Report::new(format!("{name}\n  failed: {}", error.full()), json).failed_if(true)
}

fn json_of(secret: &SecretConfig, plan: &RotationPlan) -> Value {
    let steps = plan
        .steps
        .iter()
        .map(|(step, reason)| json!({ "step": step.to_string(), "reason": reason.to_string() }));
    let waits = plan.waits.as_ref().map(|(until, what)| json!({ "until": until, "for": what }));
    json!({
        "secret": secret.name, "plan": plan.to_string(), "steps": steps.collect::<Vec<_>>(), "waits": waits,
        "obstacles": plan.obstacles, "strangers": plan.strangers,
    })
}

fn indented(text: &impl ToString) -> String {
    let lines = text.to_string();
    lines.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
