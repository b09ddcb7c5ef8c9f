//! All alerts.

use std::collections::BTreeMap;

use alfred_ops_core::Labels;

use super::{Alert, AlertState};

/// All alerts that are pending, firing, or were firing a while ago.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlertBook {
    /// By rule, then by the alert's labels.
    by_rule: BTreeMap<String, BTreeMap<Labels, Alert>>,
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

    /// The alerts of the rule `name`.
    pub fn of_rule(&self, name: &str) -> impl Iterator<Item = &Alert> {
        self.by_rule.get(name).into_iter().flat_map(BTreeMap::values)
    }

    pub(super) fn alerts(&self, rule: &str) -> Option<&BTreeMap<Labels, Alert>> {
        self.by_rule.get(rule)
    }

    pub(super) fn set(&mut self, rule: &str, alerts: BTreeMap<Labels, Alert>) {
        if !alerts.is_empty() {
            self.by_rule.insert(rule.to_owned(), alerts);
        }
    }
}
