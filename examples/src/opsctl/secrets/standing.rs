//! `opsctl secrets status`.

use alfred_ops_core::{Result, Status};
use alfred_ops_maintenance::{Chore as _, Generation, Phase, RotationPlan, RotationRecord, plan_rotation};
use serde_json::{Value, json};

use super::config::SecretConfig;
use super::desk::Desk;
use crate::opsctl::report::{Report, second};
use crate::opsctl::time_span::span;

/// One secret in the table.
struct Row {
    name: String,
    kind: &'static str,
    generation: String,
    phase: String,
    age: String,
    next: String,
    /// What is wrong, if anything.
    faults: Vec<String>,
    json: Value,
}

/// A table with a line for each secret, and what is wrong below.
pub(super) async fn status(desk: &Desk<'_>, names: &[String]) -> Result<Report> {
    let mut rows = Vec::new();
    for secret in desk.chosen(names)? {
        rows.push(match row(desk, secret).await {
            Ok(row) => row,
            Err(error) => unknown(secret, error.full()),
        });
    }
    let title = line(["secret", "kind", "gen", "phase", "age", "next"], &rows);
    let table = rows
        .iter()
        .map(|row| line([&row.name, row.kind, &row.generation, &row.phase, &row.age, &row.next], &rows));
    let faults =
        rows.iter().flat_map(|row| row.faults.iter().map(move |fault| format!("{}: {fault}", row.name)));
    let text = std::iter::once(title).chain(table).chain(faults).collect::<Vec<_>>().join("\n");
    let failed = rows.iter().any(|row| !row.faults.is_empty());
    Ok(Report::new(text, rows.into_iter().map(|row| row.json).collect()).failed_if(failed))
}

/// One line, as wide as the widest of each column.
fn line([name, kind, generation, phase, age, next]: [&str; 6], rows: &[Row]) -> String {
    let width = |least: usize, of: fn(&Row) -> &str| {
        rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0).max(least)
    };
    let (names, kinds) = (width(6, |row| &row.name), width(4, |row| row.kind));
    let (phases, ages) = (width(5, |row| &row.phase), width(3, |row| &row.age));
    format!("{name:<names$}  {kind:<kinds$}  {generation:>3}  {phase:<phases$}  {age:>ages$}  {next}")
}

async fn row(desk: &Desk<'_>, secret: &SecretConfig) -> Result<Row> {
    let (caretaker, now) = (desk.caretaker(secret)?, desk.context.now());
    let facts = caretaker.chore().inspect(desk.context).await?;
    let plan = plan_rotation(&facts, &secret.policy, now);
    let standing = caretaker.standing(desk.context).await?;
    let active = facts.record.active();
    let mut faults = plan.obstacles.clone();
    if active.is_none() {
        faults.push("no generation of it is active".to_owned());
    }
    // The last run may have met what is still an obstacle.
    match standing.status() {
        Status::Degraded { reason } | Status::Unhealthy { reason }
            if !faults.iter().any(|fault| reason.contains(fault.as_str())) =>
        {
            faults.push(reason);
        }
        _ => {}
    }
    let age = active.and_then(|generation| generation.active_at).map(|since| now - since);
    let json = json!({
        "secret": secret.name, "kind": secret.kind.name(),
        "active": active.map(|generation| generation.number),
        "age_seconds": age.map(|age| age.num_seconds()),
        "phases": facts.record.generations.iter().map(|generation| json!({
            "generation": generation.number, "phase": generation.phase, "since": generation.since,
        })).collect::<Vec<_>>(),
        "next": next(&plan), "due": !plan.steps.is_empty(), "paused": standing.paused, "faults": faults,
    });
    Ok(Row {
        name: secret.name.clone(),
        kind: secret.kind.name(),
        generation: active.map_or_else(|| "-".to_owned(), |generation| generation.number.to_string()),
        phase: phase(&facts.record),
        age: age.map_or_else(|| "-".to_owned(), span),
        next: standing.paused.map_or_else(|| next(&plan), |reason| format!("paused: {reason}")),
        faults,
        json,
    })
}

fn unknown(secret: &SecretConfig, error: String) -> Row {
    let dash = || "-".to_owned();
    Row {
        name: secret.name.clone(),
        kind: secret.kind.name(),
        generation: dash(),
        phase: "unknown".to_owned(),
        age: dash(),
        next: dash(),
        json: json!({ "secret": secret.name, "kind": secret.kind.name(), "faults": [error] }),
        faults: vec![error],
    }
}

/// The active one's, and where another stands that is on its way in or out.
fn phase(record: &RotationRecord) -> String {
    let other = |generation: &&Generation| generation.phase != Phase::Active;
    let others = record.generations.iter().filter(other);
    let mut parts: Vec<String> =
        others.map(|generation| format!("{} {}", generation.number, generation.phase)).collect();
    if record.active().is_some() {
        parts.insert(0, "active".to_owned());
    }
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

fn next(plan: &RotationPlan) -> String {
    match (plan.steps.first(), &plan.waits, plan.obstacles.first()) {
        (Some((step, reason)), ..) => format!("{step}: {reason}"),
        (None, Some((Some(until), what)), _) => format!("at {}, after {what}", second(*until)),
        (None, Some((None, what)), _) => format!("when they are done: {what}"),
        (None, None, Some(obstacle)) => obstacle.clone(),
        (None, None, None) => "nothing".to_owned(),
    }
}
