//! Which rule a saved alert belongs to.

use serde::{Deserialize, Serialize};

use crate::rule::CheckedGroup;

/// Which rule a saved alert belongs to: by what the rule is, not by its place, so that rules may be moved, added and
/// changed between two runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct RuleKey {
    pub(crate) file: String,
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) expr: String,
    /// Tells rules apart that differ in nothing above: one condition at two severities.
    #[serde(default)]
    pub(crate) nth: usize,
}

/// The keys of a group's rules, in their order.
pub(crate) fn rule_keys(checked: &CheckedGroup) -> Vec<RuleKey> {
    let mut keys: Vec<RuleKey> = Vec::with_capacity(checked.rules.len());
    for rule in &checked.rules {
        let mut key = RuleKey {
            file: checked.group.file.clone(),
            group: checked.group.name.clone(),
            name: rule.name.clone(),
            expr: rule.query.text().to_owned(),
            nth: 0,
        };
        key.nth = keys.iter().filter(|other| (&other.name, &other.expr) == (&key.name, &key.expr)).count();
        keys.push(key);
    }
    keys
}
