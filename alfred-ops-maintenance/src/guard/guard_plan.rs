//! What a guard would do.

use std::fmt;

use super::Guard;
use super::change::{Change, ChangeKind};
use super::guard::PointInTime;

/// What a guard would do with a change, line by line. Nothing was asked and nothing was done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuardPlan {
    /// What would be done, in its order.
    pub steps: Vec<String>,
    /// The ways back that there would be, the cheapest first.
    pub ways_back: Vec<String>,
}

impl GuardPlan {
    pub(super) fn of(guard: &Guard, change: &Change) -> Self {
        let mut steps = vec!["look at the schema".to_owned()];
        if !guard.protected.is_empty() {
            let names: Vec<String> = guard.protected.iter().map(|(table, _)| table.to_string()).collect();
            steps.push(format!("read {}", names.join(", ")));
        }
        if let PointInTime::Archive(archive) = &guard.point_in_time {
            let place = archive.repository.location();
            steps.push(format!("make restore point {} and wait until {place} holds it", guard.label));
        }
        let name = &change.name;
        steps.push(if change.in_transaction() {
            format!("run {name} in one transaction, with {} checks inside", guard.checks.len())
        } else {
            format!("run {name}, then {} checks", guard.checks.len())
        });
        steps.extend(guard.watch.as_ref().map(|_| "watch the platform".to_owned()));
        let mut ways_back = Vec::new();
        if change.in_transaction() {
            ways_back.push("roll the transaction back".to_owned());
        }
        if guard.down.is_there() {
            ways_back.push("run the way down".to_owned());
        }
        if matches!(change.kind, ChangeKind::Migrations(_)) {
            ways_back.push("run down migrations".to_owned());
        }
        if guard.side.is_some() {
            let then = if guard.copies_back { "copy rows back, or hand it over" } else { "hand it over" };
            ways_back.push(format!("restore a side server and {then}"));
        }
        Self { steps, ways_back }
    }
}

impl fmt::Display for GuardPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.steps.join("\n"))?;
        if self.ways_back.is_empty() {
            return f.write_str("\nif that fails: no way back");
        }
        write!(f, "\nif that fails: {}", self.ways_back.join("; else "))
    }
}
