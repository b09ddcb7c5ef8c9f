//! A rule that was checked.

use alfred_ops_core::{Error, Result};

use super::anchored_regex::AnchoredRegex;
use super::{RelabelAction, RelabelMistake, RelabelSpec};

/// A relabelling rule that was checked and can be [applied](super::apply).
#[derive(Debug, Clone, PartialEq)]
pub struct RelabelRule {
    spec: RelabelSpec,
    regex: AnchoredRegex,
}

impl RelabelRule {
    /// Checks a rule as Prometheus does.
    ///
    /// # Errors
    /// `InvalidInput`, naming the first field that is wrong; [`RelabelRule::check`] names all.
    pub fn new(spec: RelabelSpec) -> Result<Self> {
        Self::check(spec).map_err(|mistakes| {
            let first = mistakes.into_iter().next().unwrap_or_else(|| RelabelMistake {
                field: "action",
                what: "the rule is wrong".to_owned(),
                remedy: "correct it",
            });
            Error::caused_by("check relabelling rule", first)
        })
    }

    /// Checks a rule as Prometheus does.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn check(spec: RelabelSpec) -> Result<Self, Vec<RelabelMistake>> {
        let mut mistakes = Vec::new();
        check_labels(&spec, &mut mistakes);
        check_unused(&spec, &mut mistakes);
        let regex = AnchoredRegex::new(&spec.regex).map_err(|what| RelabelMistake {
            field: "regex",
            what: format!("{:?} is no regular expression: {what}", spec.regex),
            remedy: "write it in RE2's syntax",
        });
        match regex {
            Ok(regex) if mistakes.is_empty() => Ok(Self { spec, regex }),
            regex => {
                mistakes.extend(regex.err());
                Err(mistakes)
            }
        }
    }

    /// The rule as it was written down.
    #[must_use]
    pub const fn spec(&self) -> &RelabelSpec {
        &self.spec
    }

    pub(super) const fn regex(&self) -> &AnchoredRegex {
        &self.regex
    }
}

fn check_labels(spec: &RelabelSpec, mistakes: &mut Vec<RelabelMistake>) {
    const NAME: &str = "give a valid label name";
    let RelabelSpec { action, scheme, target_label, .. } = spec;
    let mut refuse = |field, what, remedy| mistakes.push(RelabelMistake { field, what, remedy });
    for name in spec.source_labels.iter().filter(|name| !scheme.allows_label(name)) {
        refuse("source_labels", format!("{name:?} is not a valid label name"), NAME);
    }
    if *action == RelabelAction::HashMod && spec.modulus == 0 {
        refuse("modulus", "0 divides no hash".to_owned(), "set `modulus` to the number of shards");
    }
    let sets_label = *action == RelabelAction::Replace || action.sets_named_label();
    let valid = if *action == RelabelAction::Replace && target_label.contains('$') {
        scheme.allows_template(target_label)
    } else {
        scheme.allows_label(target_label)
    };
    if sets_label && target_label.is_empty() {
        refuse("target_label", format!("the action {action} needs a label to act on"), "set `target_label`");
    } else if sets_label && !valid {
        refuse("target_label", format!("{target_label:?} is not a valid label name"), NAME);
    }
    if *action == RelabelAction::LabelMap && !scheme.allows_template(&spec.replacement) {
        let what = format!("{:?} gives no valid label name", spec.replacement);
        refuse("replacement", what, "give a label name with references such as `$1`");
    }
}

/// Some actions refuse fields that they do not read, so that nobody believes them read.
fn check_unused(spec: &RelabelSpec, mistakes: &mut Vec<RelabelMistake>) {
    let default = RelabelSpec::default();
    let action = spec.action;
    let equal = matches!(action, RelabelAction::KeepEqual | RelabelAction::DropEqual);
    let letters = matches!(action, RelabelAction::Lowercase | RelabelAction::Uppercase);
    let names = matches!(action, RelabelAction::LabelDrop | RelabelAction::LabelKeep);
    let changed = [
        ("source_labels", names && !spec.source_labels.is_empty()),
        ("target_label", names && !spec.target_label.is_empty()),
        ("regex", equal && spec.regex != default.regex),
        ("modulus", (equal || names) && spec.modulus != default.modulus),
        ("separator", (equal || names) && spec.separator != default.separator),
        ("replacement", (equal || names || letters) && spec.replacement != default.replacement),
    ];
    for (field, _) in changed.into_iter().filter(|(_, changed)| *changed) {
        mistakes.push(RelabelMistake {
            field,
            what: format!("the action {action} does not use it"),
            remedy: "remove the field",
        });
    }
}
