//! Reads relabelling rules.

use super::form::Form;
use crate::relabel::{NameScheme, RelabelAction, RelabelRule, RelabelSpec};

pub(super) fn read_rules(form: &Form<'_>, key: &'static str, scheme: NameScheme) -> Vec<RelabelRule> {
    form.forms(key).into_iter().filter_map(|form| read_rule(form, scheme)).collect()
}

fn read_rule(form: Form<'_>, scheme: NameScheme) -> Option<RelabelRule> {
    let mut spec = RelabelSpec::default().with_scheme(scheme);
    let mut known = true;
    if let Some(word) = form.text("action") {
        match RelabelAction::from_name(&word) {
            Some(action) => spec.action = action,
            None => {
                known = false;
                let actions = RelabelAction::ALL.map(RelabelAction::name).join(", ");
                form.refuse(
                    "action",
                    format!("{word:?} is not a known action"),
                    &format!("write one of {actions}"),
                );
            }
        }
    }
    spec.source_labels = form.texts("source_labels").into_iter().map(|(name, _)| name).collect();
    // Nothing in a field that has a default means the empty text, not the default.
    let text = |key, default: String| match form.node_or_null(key) {
        Some(_) => form.text(key).unwrap_or_default(),
        None => default,
    };
    spec.separator = text("separator", spec.separator);
    spec.regex = text("regex", spec.regex);
    spec.replacement = text("replacement", spec.replacement);
    spec.target_label = form.text("target_label").unwrap_or_default();
    spec.modulus = form.number("modulus").unwrap_or(0);
    // What is wrong with a rule depends on its action.
    let checked = known.then(|| RelabelRule::check(spec));
    let rule = match checked {
        Some(Ok(rule)) => Some(rule),
        Some(Err(mistakes)) => {
            for mistake in mistakes {
                form.refuse(mistake.field, mistake.what, mistake.remedy);
            }
            None
        }
        None => None,
    };
    form.close();
    rule
}
