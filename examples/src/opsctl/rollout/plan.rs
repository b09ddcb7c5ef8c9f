//! `opsctl rollout plan`.

use alfred_ops_core::{Error, ErrorKind, Result};
use alfred_ops_maintenance::{
    Release, RolloutForecast, RolloutState, RolloutTarget as _, TargetView, forecast_rollout,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::config::AnalysisConfig;
use super::desk::Desk;
use super::ended;
use crate::opsctl::report::{Report, second};
use crate::opsctl::time_span::span;

/// The steps of a rollout, with what is asked before and within them.
pub(super) async fn plan(desk: &Desk<'_>, release: Option<Release>) -> Result<Report> {
    let (name, now) = (&desk.config.name, desk.context.now());
    let running = desk.book().state().await?.filter(|state| !state.is_over());
    let target = desk.target().await?;
    let view = target.observe().await?;
    let state = match (running, release) {
        (Some(running), Some(release)) if running.release != release => {
            let what = format!("{} is being rolled out", running.release.revision);
            return Err(Error::new(ErrorKind::Conflict, "plan rollout", what)
                .with_target(name)
                .with_remedy("wait for it, or abort it"));
        }
        (Some(running), _) => running,
        (None, Some(release)) => {
            target.check(&release)?;
            match RolloutState::begin("plan".to_owned(), release, &view, now) {
                Ok(state) => state,
                Err(obstacle) => {
                    let json = json!({ "rollout": name, "obstacle": obstacle });
                    return Ok(Report::new(format!("{name}: obstacle: {obstacle}"), json).failed_if(true));
                }
            }
        }
        (None, None) => {
            return Err(Error::new(ErrorKind::InvalidInput, "plan rollout", "no rollout is under way")
                .with_target(name)
                .with_remedy("give --revision and --image of a release"));
        }
    };
    Ok(told(desk, &state, &view, now))
}

fn told(desk: &Desk<'_>, state: &RolloutState, view: &TargetView, now: DateTime<Utc>) -> Report {
    let config = &desk.config;
    let forecast = forecast_rollout(state, view, &config.policy, now);
    let asked = |names: Vec<&str>| if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    let staging = config.staging.iter().map(|check| check.name.as_str()).collect();
    let gates = config.gates.iter().map(|check| check.name.as_str()).collect();
    let analyses = config.analyses.iter().map(AnalysisConfig::name).collect();
    let policy = &config.policy;
    let mut lines = vec![
        format!(
            "{}: {} ({}) takes the place of {} ({})",
            config.name, state.release.revision, state.release.image, state.stable, state.stable_image
        ),
        format!("  in staging asks  {}", asked(staging)),
        format!("  gates            {}", asked(gates)),
        format!(
            "  each step asks   {}, {} times with {} between",
            asked(analyses),
            policy.passes,
            span(TimeDelta::from_std(policy.interval).unwrap_or(TimeDelta::MAX))
        ),
        format!(
            "  goes back after  {} failures in a step, {} in a row",
            policy.failures, policy.failures_in_a_row
        ),
    ];
    lines.extend(ahead(&forecast).into_iter().map(|line| format!("  {line}")));
    lines.push(format!("  {}", end(&forecast, now)));
    let mut json = json_of(&forecast);
    json["rollout"] = json!(config.name);
    json["release"] = json!(state.release);
    json["stable"] = json!(state.stable);
    Report::new(lines.join("\n"), json)
}

/// The steps, each with its time.
pub(super) fn ahead(forecast: &RolloutForecast) -> Vec<String> {
    forecast.steps.iter().map(|(time, decision)| format!("{}  {decision}", second(*time))).collect()
}

/// When it ends at the earliest, and how.
pub(super) fn end(forecast: &RolloutForecast, now: DateTime<Utc>) -> String {
    let (at, away) = (second(forecast.ends_at), span(forecast.ends_at - now));
    match (&forecast.end, &forecast.rests) {
        (Some(end), _) => format!("ends at the earliest at {at}, in {away}: {}", ended(end)),
        (None, Some(rests)) => format!("rests from {at}: {rests}"),
        (None, None) => format!("goes on after {at}"),
    }
}

pub(super) fn json_of(forecast: &RolloutForecast) -> Value {
    let steps = forecast.steps.iter().map(
        |(time, decision)| json!({ "at": time, "step": decision.to_string(), "reason": decision.reason }),
    );
    json!({
        "steps": steps.collect::<Vec<_>>(), "ends_at": forecast.ends_at, "rests": forecast.rests,
        "end": forecast.end.as_ref().map(|end| json!({ "name": end.name(), "text": ended(end) })),
    })
}
