//! `opsctl rules eval`.

use std::path::Path;
use std::time::Duration;

use alfred_ops_alerts::{QuerySource as _, RuleFile};
use alfred_ops_core::{JobContext, Result};
use serde_json::{Value, json};

use super::asked_rule;
use super::check::counted;
use super::group_view::GroupView;
use super::playback::{Playback, interval_millis};
use super::rule_view::RuleView;
use super::series_file::{SeriesFile, Untimed, show_time};
use super::server::Server;
use super::source_arguments::SourceArguments;
use crate::opsctl::report::Report;

/// On series of a file.
pub(super) fn run(
    rules: &Path,
    arguments: &SourceArguments,
    every: Duration,
    context: &JobContext,
) -> Result<Report> {
    let rules = RuleFile::load(rules)?;
    let file = SeriesFile::load(arguments.place.file()?, &arguments.reading, Untimed::Once, context.now())?;
    let playback = Playback::play(rules.groups, &file, every, context)?;
    let groups = playback.groups.iter().map(|group| {
        let rules = group.group.rules.iter().enumerate();
        GroupView {
            group: &group.group,
            interval: group.interval,
            rules: rules.map(|(index, rule)| RuleView::new(&playback, group, index, rule, file.at)).collect(),
            changes: group.transitions.clone(),
        }
    });
    let groups: Vec<GroupView<'_>> = groups.collect();
    let headline = format!(
        "as of {}, on {} of {} series from {} on",
        show_time(file.at),
        counted(file.samples, "sample"),
        file.series.len(),
        show_time(file.first)
    );
    let notes: Vec<&String> = file.notes.iter().chain(&playback.notes).collect();
    let json = json!({
        "at": show_time(file.at), "samples": file.samples, "series": file.series.len(), "notes": notes,
    });
    Ok(report(headline, &notes, &groups, json))
}

/// By asking a server, one rule after the other: it has other work too.
pub(super) async fn ask(rules: &Path, server: &Server, every: Duration) -> Result<Report> {
    let rules = RuleFile::load(rules)?;
    server.check().await?;
    let mut groups = Vec::new();
    for group in &rules.groups {
        let interval = interval_millis(group, every);
        let mut view = GroupView { group, interval, rules: Vec::new(), changes: Vec::new() };
        for rule in &group.rules {
            let (rule, changes) = asked_rule::ask(server, group, rule, interval).await;
            view.rules.push(rule);
            view.changes.extend(changes);
        }
        view.changes.sort_by_key(|change| change.at);
        groups.push(view);
    }
    let headline = format!("as of {}, by {}", show_time(server.at), server.api.name());
    let json = json!({
        "at": show_time(server.at), "source": server.api.name(), "samples": null, "series": null, "notes": [],
    });
    Ok(report(headline, &[], &groups, json))
}

fn report(headline: String, notes: &[&String], groups: &[GroupView<'_>], mut json: Value) -> Report {
    let mut lines = vec![headline];
    lines.extend(notes.iter().map(|note| format!("note: {note}")));
    lines.extend(groups.iter().flat_map(GroupView::lines));
    json["groups"] = groups.iter().map(GroupView::json).collect();
    Report::new(lines.join("\n"), json).failed_if(groups.iter().any(GroupView::failed))
}
