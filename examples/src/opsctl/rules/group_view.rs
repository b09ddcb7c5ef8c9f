//! How the rules of a group stand, told to a person.

use alfred_ops_alerts::promql::format_duration;
use alfred_ops_alerts::{RuleGroup, Transition};
use serde_json::{Value, json};

use super::rule_view::RuleView;
use super::series_file::show_time;

/// Changes of alerts that are printed for a person, the newest. A program gets more.
const CHANGES_PRINTED: usize = 20;

/// How the rules of a group stand.
#[derive(Debug)]
pub(super) struct GroupView<'g> {
    pub(super) group: &'g RuleGroup,
    /// How often it is evaluated, in milliseconds.
    pub(super) interval: i64,
    pub(super) rules: Vec<RuleView<'g>>,
    /// What changed on the way, oldest first.
    pub(super) changes: Vec<Transition>,
}

impl GroupView<'_> {
    /// Whether a rule could not be evaluated.
    pub(super) fn failed(&self) -> bool {
        self.rules.iter().any(|rule| rule.failure.is_some())
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("group {}, every {}", self.group.name, format_duration(self.interval))];
        lines.extend(self.rules.iter().flat_map(RuleView::lines));
        if self.changes.is_empty() {
            return lines;
        }
        let hidden = self.changes.len().saturating_sub(CHANGES_PRINTED);
        lines.push("  what changed on the way:".to_owned());
        if hidden > 0 {
            lines.push(format!("    {hidden} earlier changes are left out"));
        }
        lines.extend(self.changes.iter().skip(hidden).map(|change| {
            let at = show_time(change.at.timestamp_millis());
            format!("    {at}: {} went from {} to {}", change.labels, change.from, change.to)
        }));
        lines
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "group": self.group.name, "file": self.group.file, "interval_millis": self.interval,
            "rules": self.rules.iter().map(RuleView::json).collect::<Vec<_>>(),
            "changes": self.changes.iter().map(change_json).collect::<Vec<_>>(),
        })
    }
}

fn change_json(change: &Transition) -> Value {
    json!({
        "at": change.at, "labels": change.labels, "from": change.from.to_string(), "to": change.to.to_string(),
        "reason": change.reason.to_string(),
    })
}
