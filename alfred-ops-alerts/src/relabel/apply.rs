//! Applies rules.

use alfred_ops_core::Labels;
use md5::{Digest as _, Md5};

use super::draft::Draft;
use super::expansion::expand;
use super::letter_case;
use super::{RelabelAction, RelabelRule};

/// The labels after all `rules` in order, or nothing if one of them drops them.
///
/// Labels that no rule changes are returned as they came, without a copy.
///
/// ```
/// use alfred_ops_alerts::{RelabelRule, RelabelSpec, relabel};
/// use alfred_ops_core::Labels;
///
/// let rule = RelabelRule::new(
///     RelabelSpec::default()
///         .with_source_labels(["__address__"])
///         .with_regex("([^:]+):.*")
///         .with_target_label("host"),
/// )?;
/// let labels = Labels::from_pairs([("__address__", "db:5432")]);
/// let labels = relabel(&[rule], labels).expect("no rule drops it");
/// assert_eq!(labels.get("host"), Some("db"));
/// # Ok::<(), alfred_ops_core::Error>(())
/// ```
#[must_use]
pub fn apply(rules: &[RelabelRule], labels: Labels) -> Option<Labels> {
    let mut draft = Draft::new(labels);
    rules.iter().all(|rule| apply_one(rule, &mut draft)).then(|| draft.finish())
}

/// Applies one rule and says whether the labels are kept.
fn apply_one(rule: &RelabelRule, draft: &mut Draft) -> bool {
    let spec = rule.spec();
    let target = &*spec.target_label;
    match spec.action {
        RelabelAction::Keep => return rule.regex().is_match(&joined(rule, draft)),
        RelabelAction::Drop => return !rule.regex().is_match(&joined(rule, draft)),
        RelabelAction::KeepEqual => return draft.get(target) == joined(rule, draft),
        RelabelAction::DropEqual => return draft.get(target) != joined(rule, draft),
        RelabelAction::Replace => replace(rule, draft),
        RelabelAction::Lowercase => draft.set(target, letter_case::lower(&joined(rule, draft))),
        RelabelAction::Uppercase => draft.set(target, letter_case::upper(&joined(rule, draft))),
        RelabelAction::HashMod => {
            let shard = hash(&joined(rule, draft)) % spec.modulus.max(1);
            draft.set(target, shard.to_string());
        }
        RelabelAction::LabelMap => {
            let mapped = draft.collect(|name, value| {
                let captures = rule.regex().captures(name)?;
                Some((expand(&spec.replacement, &captures), value.to_owned()))
            });
            for (name, value) in mapped {
                // An expansion may come out empty, and no label has no name.
                if !name.is_empty() {
                    draft.set(&name, value);
                }
            }
        }
        RelabelAction::LabelDrop => remove(draft, |name| rule.regex().is_match(name)),
        RelabelAction::LabelKeep => remove(draft, |name| !rule.regex().is_match(name)),
    }
    true
}

fn joined(rule: &RelabelRule, draft: &Draft) -> String {
    let spec = rule.spec();
    let mut text = String::new();
    for (index, name) in spec.source_labels.iter().enumerate() {
        if index > 0 {
            text.push_str(&spec.separator);
        }
        text.push_str(draft.get(name));
    }
    text
}

fn replace(rule: &RelabelRule, draft: &mut Draft) {
    let spec = rule.spec();
    let value = joined(rule, draft);
    let Some(captures) = rule.regex().captures(&value) else { return };
    let target = expand(&spec.target_label, &captures);
    if spec.scheme.allows_label(&target) {
        draft.set(&target, expand(&spec.replacement, &captures));
    }
}

fn remove(draft: &mut Draft, mut doomed: impl FnMut(&str) -> bool) {
    for name in draft.collect(|name, _| doomed(name).then(|| name.to_owned())) {
        draft.remove(&name);
    }
}

/// The last eight bytes of the MD5 hash, the first of them the most significant.
fn hash(text: &str) -> u64 {
    let digest = Md5::digest(text.as_bytes());
    digest.iter().skip(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}
