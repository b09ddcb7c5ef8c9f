//! Reads files that test rules.

use std::time::Duration;

use alfred_ops_core::Labels;

use super::rule_tests::{AlertCheck, ExpressionCheck, RuleTest};
use super::{RuleTests, block::place_within};
use crate::prometheus_config::{FileProblems, Form, ReadOptions, Report};
use crate::promql::notation::{Entry, parse_histogram, parse_labels, parse_values};
use crate::promql::{Position, Query, QueryError, SampleValue};
use crate::rule::ALERT_NAME;
use crate::yaml;

const INTERVAL_DEFAULT: Duration = Duration::from_secs(60);

/// Reads the text of a test file.
pub(super) fn read(text: &str, options: &ReadOptions) -> Result<RuleTests, FileProblems> {
    let report = Report::new(options);
    let mut tests = RuleTests { evaluation_interval: INTERVAL_DEFAULT, ..RuleTests::default() };
    match yaml::read(text) {
        Err(fault) => report.refuse(fault.place, "", fault.what, "correct the YAML"),
        Ok(None) => {}
        Ok(Some(node)) => {
            if let Some(root) = Form::open(&report, &node, String::new()) {
                let files = root.texts("rule_files").into_iter();
                tests.rule_files = files.map(|(path, _)| path.into()).collect();
                let interval = root.duration("evaluation_interval").filter(|interval| !interval.is_zero());
                tests.evaluation_interval = interval.unwrap_or(INTERVAL_DEFAULT);
                tests.group_order =
                    root.texts("group_eval_order").into_iter().map(|(name, _)| name).collect();
                tests.fuzzy = root.flag("fuzzy_compare").unwrap_or(false);
                for (index, form) in root.forms("tests").into_iter().enumerate() {
                    let interval = tests.evaluation_interval;
                    tests.tests.push(Reader { text, form: &form }.test(index, interval));
                    form.close();
                }
                root.close();
            }
        }
    }
    report.finish()?;
    Ok(tests)
}

struct Reader<'f, 'a> {
    text: &'a str,
    form: &'f Form<'a>,
}

impl Reader<'_, '_> {
    fn test(&self, index: usize, interval: Duration) -> RuleTest {
        let form = self.form;
        let name = form.text("name").filter(|name| !name.is_empty());
        form.ignore(&["external_url"], "no template of this runner asks for it");
        form.ignore(&["external_labels"], "no template of this runner asks for them");
        form.ignore(&["start_timestamp"], "tests begin at zero");
        RuleTest {
            name: name.unwrap_or_else(|| format!("test {}", index + 1)),
            interval: form.duration("interval").filter(|interval| !interval.is_zero()).unwrap_or(interval),
            series: form.forms("input_series").into_iter().filter_map(|form| self.series(form)).collect(),
            alerts: form.forms("alert_rule_test").into_iter().map(|form| self.alert(form)).collect(),
            expressions: form
                .forms("promql_expr_test")
                .into_iter()
                .filter_map(|form| self.expression(form))
                .collect(),
        }
    }

    /// Reads a field by a function that says what is wrong.
    fn read<T>(
        &self,
        form: &Form<'_>,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, QueryError>,
    ) -> Option<T> {
        let text = form.text(key)?;
        match read(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                let position = error.position().unwrap_or(Position { line: 1, column: 1 });
                let node = form.node(key)?;
                let place = place_within(self.text, node.place, position);
                let path = format!("{}.{key}", form.path);
                form.report.refuse(place, &path, error.message(), error.hint().unwrap_or_default());
                None
            }
        }
    }

    fn series(&self, form: Form<'_>) -> Option<(Labels, Vec<Entry>)> {
        let labels = self.read(&form, "series", parse_labels);
        let values = self.read(&form, "values", parse_values);
        form.close();
        Some((labels?, values?))
    }

    fn alert(&self, form: Form<'_>) -> AlertCheck {
        let alert = form.text("alertname").unwrap_or_default();
        if alert.is_empty() {
            form.refuse("alertname", "no alert is named", "name the alert of a rule");
        }
        let expected = form.forms("exp_alerts").into_iter().map(|form| {
            let labels = Labels::from_pairs(form.text_map("exp_labels")).with(ALERT_NAME, &alert);
            let annotations = form.text_map("exp_annotations");
            form.close();
            (labels, annotations)
        });
        let expected = expected.collect();
        let at = form.duration("eval_time").unwrap_or_default();
        form.close();
        AlertCheck { at, alert, expected }
    }

    fn expression(&self, form: Form<'_>) -> Option<ExpressionCheck> {
        let query = self.read(&form, "expr", Query::parse);
        let at = form.duration("eval_time").unwrap_or_default();
        let samples = form.forms("exp_samples").into_iter().map(|form| {
            let labels = match form.text("labels") {
                Some(text) if !text.trim().is_empty() => {
                    self.read(&form, "labels", parse_labels).unwrap_or_default()
                }
                _ => Labels::empty(),
            };
            let number = |text: &str| {
                text.parse::<f64>().map_err(|_| QueryError::syntax(format!("{text:?} is not a number")))
            };
            let histogram = form.has("histogram");
            let value = match histogram {
                true => self.read(&form, "histogram", parse_histogram).map(SampleValue::from),
                false => self.read(&form, "value", number).map(SampleValue::from),
            };
            form.close();
            (labels, value.unwrap_or(SampleValue::Float(0.0)))
        });
        let expected = samples.collect();
        form.close();
        Some(ExpressionCheck { at, query: query?, expected })
    }
}
