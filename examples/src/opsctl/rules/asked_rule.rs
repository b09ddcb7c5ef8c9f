//! How a rule stands at a server.

use std::sync::Arc;

use alfred_ops_alerts::{GroupRule, QuerySource, RuleGroup, RuleHealth, Transition};

use super::asked_reasons::why_empty;
use super::past_source::{PastSource, Window};
use super::rule_view::{RuleView, duration, samples, sorted};
use super::series_file::show_time;
use super::server::{Server, time};

/// Evaluates a rule with what the server answers: at the time of the look, and before it for as long as the rule waits.
/// Returns how it stands, and which of its alerts changed on the way.
///
/// Nothing is recorded: what other rules record is the server's.
pub(super) async fn ask<'g>(
    server: &Server,
    group: &'g RuleGroup,
    rule: &'g GroupRule,
    interval: i64,
) -> (RuleView<'g>, Vec<Transition>) {
    let mut view = RuleView::of(rule);
    let waits = match rule {
        GroupRule::Alert(rule) => rule.for_duration.saturating_add(rule.keep_firing_for),
        GroupRule::Record(_) => std::time::Duration::ZERO,
    };
    let window = Window::before(server.at, waits, interval);
    let offset = i64::try_from(group.query_offset.as_millis()).unwrap_or(i64::MAX);
    let api: Arc<dyn QuerySource> = Arc::<alfred_ops_alerts::PrometheusApi>::clone(&server.api);
    let source = Arc::new(PastSource::new(api, window.earlier(offset)));
    let mut alone = group.clone();
    alone.rules = vec![rule.clone()];
    let engine = match server.engine(&source, alone) {
        Ok(engine) => engine,
        Err(error) => {
            view.failure = Some(error.full());
            return (view, Vec::new());
        }
    };
    let mut changes = Vec::new();
    for now in window.times() {
        changes.extend(engine.evaluate(time(now)).await);
    }
    if let Some(report) = engine.status().rules.into_iter().next() {
        view.warnings = report.warnings;
        if let RuleHealth::Failed(error) = report.health {
            view.failure = Some(error.full());
        }
    }
    view.alerts = sorted(engine.alerts());
    if view.failure.is_none() {
        let answer = source.instant(rule.expr(), time(server.at.saturating_sub(offset))).await;
        view.samples = samples(answer.ok().map(|answer| answer.value));
        if view.samples.is_empty() {
            view.why_empty = why_empty(&engine, rule.name(), server.at).await;
        }
    }
    view.notes = notes(&view, &source, window).await;
    (view, changes)
}

/// What a person should know about how it was asked.
async fn notes(view: &RuleView<'_>, source: &PastSource, window: Window) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(error) = source.failure().await {
        notes.push(format!("it is not known what held before: {error}"));
    } else if window.first < window.last {
        let step = duration(std::time::Duration::from_millis(u64::try_from(window.step).unwrap_or(0)));
        let first = time(window.first);
        let longer = view.alerts.iter().any(|alert| alert.active_at <= first);
        let longer = if longer { "; what held then may have held longer" } else { "" };
        notes.push(format!("asked every {step} from {} on{longer}", show_time(window.first)));
    }
    if view.rule.expr().contains("ALERTS") {
        notes.push("ALERTS is what this rule alone has raised here, not the server's".to_owned());
    }
    notes
}
