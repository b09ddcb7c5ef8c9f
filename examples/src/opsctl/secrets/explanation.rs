//! `opsctl secrets explain`.

use std::time::Duration;

use alfred_ops_core::Result;
use alfred_ops_maintenance::{
    Chore as _, Generation, Phase, RotationFacts, RotationForecast, RotationPolicy, forecast_rotation,
    plan_rotation,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::desk::Desk;
use super::named;
use crate::opsctl::report::{Report, second};
use crate::opsctl::time_span::{ago, span};

/// Why a secret stands where it stands, and what will happen to it when.
pub(super) async fn explain(desk: &Desk<'_>, name: &str) -> Result<Report> {
    let (secret, now) = (desk.find(name)?, desk.context.now());
    let caretaker = desk.caretaker(secret)?;
    let facts = caretaker.chore().inspect(desk.context).await?;
    let (plan, forecast) =
        (plan_rotation(&facts, &secret.policy, now), forecast_rotation(&facts, &secret.policy, now));
    let standing = caretaker.standing(desk.context).await?;
    let mut lines = vec![
        format!("{name} is a secret of the kind {} in the store {}", secret.kind.name(), desk.store.name()),
        format!("  {}", times(&secret.policy)),
    ];
    if facts.record.generations.is_empty() {
        lines.push("  no generation of it is known".to_owned());
    }
    let generations = facts.record.generations.iter();
    lines.extend(generations.map(|generation| format!("  {}", why(generation, &facts, &secret.policy, now))));
    if let Some((step, since)) = &facts.record.doing {
        lines.push(format!(
            "  a run was about to {step}, {}; the next looks how far it came",
            ago(*since, now)
        ));
    }
    if let Some(reason) = &facts.record.wanted {
        lines.push(format!("  a new one is wanted: {reason}"));
    }
    if let Some(reason) = &standing.paused {
        lines.push(format!(
            "  its care is paused, so that nothing happens until somebody resumes it: {reason}"
        ));
    }
    if !plan.strangers.is_empty() {
        let versions: Vec<String> = plan.strangers.iter().map(ToString::to_string).collect();
        lines.push(format!("  versions {} are somebody else's, and are left alone", versions.join(", ")));
    }
    lines.extend(plan.obstacles.iter().map(|obstacle| format!("  obstacle: {obstacle}")));
    lines.push("  what will happen, if every step succeeds and nobody changes anything:".to_owned());
    lines.extend(ahead(&forecast, now).into_iter().map(|line| format!("    {line}")));
    let steps = forecast.steps.iter().map(
        |(time, step, reason)| json!({ "at": time, "step": step.to_string(), "reason": reason.to_string() }),
    );
    let json = json!({
        "secret": name, "kind": secret.kind.name(), "store": desk.store.name(), "record": facts.record,
        "users": facts.users, "versions": facts.view.versions, "active_version": facts.view.active,
        "obstacles": plan.obstacles, "strangers": plan.strangers, "paused": standing.paused,
        "ahead": steps.collect::<Vec<_>>(), "ends": forecast.ends,
    });
    Ok(Report::new(lines.join("\n"), json))
}

fn times(policy: &RotationPolicy) -> String {
    let span = |time: Duration| span(TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX));
    format!(
        "a new one comes every {}; caches keep it for {}, what is made with it is good for {}, clocks differ by {}; \
         the old one could be brought back for {}",
        span(policy.every),
        span(policy.cache_ttl),
        span(policy.token_ttl),
        span(policy.skew),
        span(policy.disabled_for)
    )
}

/// Why a generation stands where it stands.
fn why(
    generation: &Generation,
    facts: &RotationFacts,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> String {
    let until = |since: DateTime<Utc>, span: Duration| {
        let span = TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
        second(since.checked_add_signed(span).unwrap_or(DateTime::<Utc>::MAX_UTC))
    };
    let since = generation.since;
    let reason = match generation.phase {
        Phase::Staged if generation.version.is_none() => "its making did not come to its end".to_owned(),
        Phase::Staged => "it is in the store, and nobody else knows it".to_owned(),
        Phase::Published => {
            let until = until(since, policy.publish_for());
            format!("it is valid, and caches have until {until} to read it before it is used")
        }
        Phase::Active => {
            let until = until(generation.active_at.unwrap_or(since), policy.every);
            format!("it is used, and is good until {until}")
        }
        Phase::Retiring => {
            let until = until(since, policy.retire_for());
            let users = match facts.users {
                0 => String::new(),
                users => format!("; {users} still use it, and it is never locked while somebody does"),
            };
            format!("it was replaced; caches and what was made with it have until {until} to expire{users}")
        }
        Phase::Revoked => {
            let until = until(since, policy.disabled_for);
            format!("it is locked, and could be brought back until {until}")
        }
    };
    let version = generation.version.map_or_else(String::new, |version| format!(", version {version},"));
    format!(
        "generation {}{version} {} is {} since {} ({}): {reason}",
        generation.number,
        named(&generation.handle),
        generation.phase,
        second(since),
        ago(since, now)
    )
}

fn ahead(forecast: &RotationForecast, now: DateTime<Utc>) -> Vec<String> {
    let steps = forecast.steps.iter().map(|(time, step, reason)| {
        let when = if *time <= now { "at the next run".to_owned() } else { second(*time) };
        format!("{when}  {step}: {reason}")
    });
    let ends = forecast.ends.iter().map(|ends| format!("and then not before this is over: {ends}"));
    let lines: Vec<String> = steps.chain(ends).collect();
    if lines.is_empty() { vec!["nothing".to_owned()] } else { lines }
}
