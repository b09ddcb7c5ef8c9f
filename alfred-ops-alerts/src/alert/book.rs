//! All alerts.

use std::collections::BTreeMap;

use super::{Alert, AlertState, Alerts};

/// All alerts that are pending, firing, or were firing a while ago.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlertBook {
    /// By the group's file and name and the place of the rule within it.
    by_rule: BTreeMap<(String, String, usize), Alerts>,
}

impl AlertBook {
    /// All alerts, by rule and labels.
    pub fn iter(&self) -> impl Iterator<Item = &Alert> {
        self.by_rule.values().flat_map(BTreeMap::values)
    }

    /// The alerts that stand at `state`.
    pub fn in_state(&self, state: AlertState) -> impl Iterator<Item = &Alert> {
        self.iter().filter(move |alert| alert.state == state)
    }

    /// The alerts of the rules named `name`.
    pub fn named<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b Alert> {
        self.iter().filter(move |alert| alert.name() == name)
    }

    pub(crate) fn set(&mut self, file: &str, group: &str, rule: usize, alerts: &Alerts) {
        if !alerts.is_empty() {
            self.by_rule.insert((file.to_owned(), group.to_owned(), rule), alerts.clone());
        }
    }
}
