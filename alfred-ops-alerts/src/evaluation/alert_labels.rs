//! The labels that a rule gives to what it finds.

use alfred_ops_core::Labels;

use crate::promql::VectorSample;
use crate::rule::{ALERT_NAME, CheckedRule};
use crate::template::Environment;

/// The labels of the alert that `rule` raises for `sample`.
pub(crate) fn alert_labels(
    rule: &CheckedRule,
    sample: &VectorSample,
    environment: &Environment<'_>,
) -> Labels {
    let nameless = sample.labels.without(|name| name == Labels::NAME);
    set_labels(rule, sample, &nameless, environment).with(ALERT_NAME, &rule.name)
}

/// The labels `of` the sample with those that the rule sets.
pub(super) fn set_labels(
    rule: &CheckedRule,
    sample: &VectorSample,
    of: &Labels,
    environment: &Environment<'_>,
) -> Labels {
    rule.labels.iter().fold(of.clone(), |labels, (name, template)| {
        labels.with(name, &template.render(&sample.labels, &sample.value, environment))
    })
}
