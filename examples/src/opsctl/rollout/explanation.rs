//! `opsctl rollout status` and `opsctl rollout explain`.

use std::sync::Arc;

use alfred_ops_core::{ClockExt as _, Result};
use alfred_ops_maintenance::{
    Analysis, CanaryView, Readiness, RolloutDecision, RolloutEnd, RolloutPhase, RolloutState,
    RolloutTarget as _, TargetView, Verdict, forecast_rollout, next_step,
};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::desk::Desk;
use super::ended;
use super::plan::{ahead, end, json_of};
use crate::opsctl::report::{Report, second};
use crate::opsctl::time_span::ago;

/// Where the rollout stands and what it waits for.
pub(super) async fn status(desk: &Desk<'_>) -> Result<Report> {
    let Some(state) = desk.book().state().await? else { return Ok(none(desk)) };
    let next = next(desk, &state).await;
    let mut lines = standing(desk, &state);
    lines.push(match &next {
        Ok((_, decision)) => format!("  next      {decision}"),
        Err(error) => format!("  next      nobody can tell: {}", error.full()),
    });
    let json = json!({
        "rollout": desk.config.name, "state": state, "over": state.is_over(),
        "next": next.as_ref().ok().map(|(_, decision)| decision.to_string()),
    });
    Ok(Report::new(lines.join("\n"), json).failed_if(next.is_err() || is_bad(&state)))
}

/// Why the rollout stands where it stands.
pub(super) async fn explain(desk: &Desk<'_>) -> Result<Report> {
    let Some(state) = desk.book().state().await? else { return Ok(none(desk)) };
    let now = desk.context.now();
    let (view, decision) = next(desk, &state).await?;
    let mut lines = standing(desk, &state);
    lines.extend(tally(desk, &state));
    lines.extend(seen(&view, &state));
    let said = verdicts(desk, &state).await?;
    lines.extend(said.iter().map(|(name, verdict)| format!("  {name:<9} says now: {verdict}")));
    lines.push(format!("  next      {decision}"));
    let forecast = forecast_rollout(&state, &view, &desk.config.policy, now);
    if !state.is_over() {
        lines.push("  what is left, if all goes well:".to_owned());
        lines.extend(ahead(&forecast).into_iter().map(|line| format!("    {line}")));
        lines.push(format!("    {}", end(&forecast, now)));
    }
    let verdicts: Vec<Value> =
        said.iter().map(|(name, verdict)| json!({ "analysis": name, "says": verdict.to_string() })).collect();
    let json = json!({
        "rollout": desk.config.name, "state": state, "next": decision.to_string(), "verdicts": verdicts,
        "ahead": json_of(&forecast),
    });
    Ok(Report::new(lines.join("\n"), json))
}

fn none(desk: &Desk<'_>) -> Report {
    let name = &desk.config.name;
    Report::new(format!("{name}: there was no rollout yet"), json!({ "rollout": name, "state": null }))
}

/// Anything but good news.
fn is_bad(state: &RolloutState) -> bool {
    match &state.phase {
        RolloutPhase::Ended(RolloutEnd::Promoted { left }) => !left.is_empty(),
        RolloutPhase::Ended(_) | RolloutPhase::RollingBack { .. } => true,
        _ => state.tally.failures > 0 || state.abort.is_some(),
    }
}

async fn next(desk: &Desk<'_>, state: &RolloutState) -> Result<(TargetView, RolloutDecision)> {
    let view = desk.target().await?.observe().await?;
    let decision = next_step(state, &view, &desk.config.policy, desk.context.now());
    Ok((view, decision))
}

/// What the record says.
fn standing(desk: &Desk<'_>, state: &RolloutState) -> Vec<String> {
    let (now, release) = (desk.context.now(), &state.release);
    let phase = match state.end() {
        Some(end) => ended(end),
        None => state.phase.to_string(),
    };
    let mut lines = vec![
        format!(
            "{}: {} ({}) over {}: {phase}, since {} ({})",
            desk.config.name,
            release.revision,
            release.image,
            state.stable,
            second(state.since),
            ago(state.since, now)
        ),
        format!("  began     {}", second(state.started_at)),
        format!("  traffic   {}", state.split),
    ];
    if let RolloutPhase::Canary { .. } = state.phase {
        let (tally, policy) = (&state.tally, &desk.config.policy);
        lines.push(format!(
            "  tally     {} of {} passes, {} failures",
            tally.passes, policy.passes, tally.failures
        ));
    }
    if let Some(pause) = &state.paused {
        lines.push(format!("  paused    since {}: {}", second(pause.since), pause.reason));
    }
    if let Some(reason) = &state.abort {
        lines.push(format!("  aborted   {reason}"));
    }
    if let Some(intent) = &state.intent {
        lines.push(format!("  changing  {}; the target does not show it yet", intent.action));
    }
    lines
}

/// What was measured in this step, and what it is measured by.
fn tally(desk: &Desk<'_>, state: &RolloutState) -> Vec<String> {
    let RolloutPhase::Canary { step } = state.phase else { return Vec::new() };
    let (tally, policy, now) = (&state.tally, &desk.config.policy, desk.context.now());
    let at = |time: Option<DateTime<Utc>>| {
        time.map_or_else(|| "not yet".to_owned(), |time| format!("{} ({})", second(time), ago(time, now)))
    };
    let mut lines = vec![
        format!("  step      {} of {}", step.saturating_add(1), policy.steps.len()),
        format!("  passes    {}; {} lead to the next step", tally.passes, policy.passes),
        format!(
            "  failures  {}, of which {} in a row; {}, or {} in a row, lead back",
            tally.failures, tally.failures_in_a_row, policy.failures, policy.failures_in_a_row
        ),
        format!("  analysed  {}", at(tally.analysed_at)),
        format!(
            "  data      {}; without any for {} s it is silence",
            at(tally.data_at),
            policy.silence.as_secs()
        ),
    ];
    if let Some(bad) = tally.first_bad {
        let within = policy.interval.as_secs().saturating_mul(2);
        lines.push(format!("  on trial  since {}; a pass within {within} s ends it", second(bad)));
    }
    let last = match (&tally.analysed_at, tally.last.as_str()) {
        (None, _) => "nothing was said yet",
        (Some(_), "") => "pass",
        (Some(_), last) => last,
    };
    lines.push(format!("  last      {last}"));
    lines
}

/// What the target shows.
fn seen(view: &TargetView, state: &RolloutState) -> Vec<String> {
    let named = [&state.stable, &state.release.revision];
    let mut lines: Vec<String> = named
        .into_iter()
        .map(|name| match view.revisions.get(name) {
            Some(found) => {
                let readiness = match &found.readiness {
                    Readiness::Ready => "ready".to_owned(),
                    Readiness::Starting => "starting".to_owned(),
                    Readiness::Failed { reason } => format!("failed: {reason}"),
                };
                format!("  target    {name} runs {}, {readiness}", found.image)
            }
            None => format!("  target    {name} is not there"),
        })
        .collect();
    lines.push(match &view.split {
        Some(split) => format!("  target    gives {split}"),
        None => "  target    gives traffic to no named revisions".to_owned(),
    });
    lines.extend(view.under_way.iter().map(|rest| format!("  target    is not there yet: {rest}")));
    lines
}

/// What every analysis says now. It counts for nothing: only whoever runs the rollout counts.
async fn verdicts(desk: &Desk<'_>, state: &RolloutState) -> Result<Vec<(String, Verdict)>> {
    if !matches!(state.phase, RolloutPhase::Canary { .. }) {
        return Ok(Vec::new());
    }
    let analyses: Vec<Arc<dyn Analysis>> = desk.analyses(Some(&state.release))?;
    let canary = CanaryView::of(state);
    let mut verdicts = Vec::new();
    for analysis in analyses {
        let limit = desk.config.policy.interval / 2;
        let judged = desk.context.clock.timeout(limit, "analyse", analysis.judge(&canary)).await;
        let verdict = match judged {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(error)) | Err(error) => Verdict::NoData(error.full()),
        };
        verdicts.push((analysis.name().to_owned(), verdict));
    }
    Ok(verdicts)
}
