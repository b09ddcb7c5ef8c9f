//! `opsctl rules eval`.

use std::path::Path;
use std::time::Duration;

use alfred_ops_alerts::promql::format_duration;
use alfred_ops_alerts::{RuleFile, Transition};
use alfred_ops_core::{JobContext, Result};
use serde_json::json;

use super::check::counted;
use super::command::SeriesArguments;
use super::playback::{Playback, PlayedGroup};
use super::rule_view::RuleView;
use super::series_file::{SeriesFile, Untimed, show_time};
use crate::opsctl::report::Report;

/// Changes of alerts that are printed for a person, the newest. A program gets more.
const CHANGES_PRINTED: usize = 20;

pub(super) fn run(
    rules: &Path,
    arguments: &SeriesArguments,
    every: Duration,
    context: &JobContext,
) -> Result<Report> {
    let rules = RuleFile::load(rules)?;
    let file = SeriesFile::load(arguments, Untimed::Once, context.now())?;
    let playback = Playback::play(rules.groups, &file, every, context)?;
    let mut lines = vec![format!(
        "as of {}, on {} of {} series from {} on",
        show_time(file.at),
        counted(file.samples, "sample"),
        file.series.len(),
        show_time(file.first)
    )];
    lines.extend(file.notes.iter().chain(&playback.notes).map(|note| format!("note: {note}")));
    let mut failed = false;
    let mut groups = Vec::new();
    for group in &playback.groups {
        lines.push(format!("group {}, every {}", group.group.name, format_duration(group.interval)));
        let rules = group.group.rules.iter().enumerate();
        let views: Vec<RuleView<'_>> =
            rules.map(|(index, rule)| RuleView::new(&playback, group, index, rule, file.at)).collect();
        failed |= views.iter().any(|view| view.failure.is_some());
        lines.extend(views.iter().flat_map(RuleView::lines));
        lines.extend(changes(group));
        groups.push(json!({
            "group": group.group.name, "file": group.group.file, "interval_millis": group.interval,
            "rules": views.iter().map(RuleView::json).collect::<Vec<_>>(),
            "changes": group.transitions.iter().map(change_json).collect::<Vec<_>>(),
        }));
    }
    let json = json!({
        "at": show_time(file.at), "samples": file.samples, "series": file.series.len(),
        "notes": file.notes.iter().chain(&playback.notes).collect::<Vec<_>>(), "groups": groups,
    });
    Ok(Report::new(lines.join("\n"), json).failed_if(failed))
}

/// What changed on the way.
fn changes(group: &PlayedGroup) -> Vec<String> {
    if group.transitions.is_empty() {
        return Vec::new();
    }
    let hidden = group.transitions.len().saturating_sub(CHANGES_PRINTED);
    let mut lines = vec!["  what changed on the way:".to_owned()];
    if hidden > 0 {
        lines.push(format!("    {hidden} earlier changes are left out"));
    }
    lines.extend(group.transitions.iter().skip(hidden).map(|change| {
        let at = show_time(change.at.timestamp_millis());
        format!("    {at}: {} went from {} to {}", change.labels, change.from, change.to)
    }));
    lines
}

fn change_json(change: &Transition) -> serde_json::Value {
    json!({
        "at": change.at, "labels": change.labels, "from": change.from.to_string(), "to": change.to.to_string(),
        "reason": change.reason.to_string(),
    })
}
