//! Unit tests of rules, in promtool's format.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use alfred_ops_core::{Labels, Result};
use chrono::{DateTime, Utc};

use super::read_tests::read;
use super::rule_file::load_text;
use super::{RuleFile, TestOutcome};
use crate::alert::{AlertState, RuleHealth};
use crate::evaluation::RuleEvaluator;
use crate::prometheus_config::{FileProblems, ReadOptions};
use crate::promql::notation::Entry;
use crate::promql::{Query, QueryOptions, SampleValue, Value};
use crate::rule::{RuleGroup, RuleSet};
use crate::store::{Interest, SampleStore, StoreLimits};

/// Unit tests of rules, as `promtool test rules` reads them.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct RuleTests {
    /// The rule files that are tested, as they are named in the file.
    pub rule_files: Vec<PathBuf>,
    /// How often the rules are evaluated. Default 1 min.
    pub evaluation_interval: Duration,
    /// The groups whose order matters, in that order.
    pub group_order: Vec<String>,
    /// Whether numbers may differ in their last digits.
    pub fuzzy: bool,
    pub(super) tests: Vec<RuleTest>,
}

/// One test: series, and what the rules make of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct RuleTest {
    pub(super) name: String,
    pub(super) interval: Duration,
    pub(super) series: Vec<(Labels, Vec<Entry>)>,
    pub(super) alerts: Vec<AlertCheck>,
    pub(super) expressions: Vec<ExpressionCheck>,
}

/// Which alerts of one name fire at a time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AlertCheck {
    pub(super) at: Duration,
    pub(super) alert: String,
    pub(super) expected: Vec<(Labels, BTreeMap<String, String>)>,
}

/// What an expression comes to at a time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ExpressionCheck {
    pub(super) at: Duration,
    pub(super) query: Query,
    pub(super) expected: Vec<(Labels, SampleValue)>,
}

impl RuleTests {
    /// Reads the text of a test file.
    ///
    /// # Errors
    /// All mistakes of the file, with their places.
    pub fn parse(text: &str, options: &ReadOptions) -> Result<Self, FileProblems> {
        read(text, options)
    }

    /// Reads a test file and the rule files that it names, and runs its tests.
    ///
    /// # Errors
    /// The file system's, and all mistakes of any of the files.
    pub fn run_file(path: &Path) -> Result<Vec<TestOutcome>> {
        let text = load_text(path, "read test file")?;
        let tests = Self::parse(&text, &ReadOptions::new(path.display().to_string()))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut groups = Vec::new();
        for file in &tests.rule_files {
            groups.extend(RuleFile::load_all(&folder.join(file))?);
        }
        tests.run(groups)
    }

    /// Runs the tests on these groups.
    ///
    /// As in promtool, all groups are evaluated at each evaluation interval, whatever their own intervals are, and alerts are
    /// compared as of the last evaluation not after the time asked for.
    ///
    /// # Errors
    /// Those of [`RuleSet::of_groups`].
    pub fn run(&self, groups: impl IntoIterator<Item = RuleGroup>) -> Result<Vec<TestOutcome>> {
        let mut groups: Vec<RuleGroup> = groups.into_iter().collect();
        let rank = |group: &RuleGroup| {
            self.group_order.iter().position(|name| *name == group.name).unwrap_or(self.group_order.len())
        };
        groups.sort_by_key(rank);
        let rules = RuleSet::of_groups(groups)?;
        Ok(self.tests.iter().map(|test| self.run_one(test, &rules)).collect())
    }

    fn run_one(&self, test: &RuleTest, rules: &RuleSet) -> TestOutcome {
        /// Everything is kept: tests are short.
        const FOREVER_MILLIS: i64 = i64::MAX / 4;
        let options = QueryOptions::default().with_subquery_step(self.evaluation_interval);
        let limits = StoreLimits::default().with_series_max(usize::MAX).with_bytes_max(usize::MAX);
        let store = RwLock::new(SampleStore::new(limits, Interest::everything(FOREVER_MILLIS)));
        let mut evaluator = RuleEvaluator::new(rules, &options);
        let mut failures = Vec::new();
        let mut loaded_until = -1;
        let step = millis(self.evaluation_interval).max(1);
        let alert_end = test.alerts.iter().map(|check| check.at).max();
        let end = test.expressions.iter().map(|check| check.at).chain(alert_end).max().map_or(0, millis);
        let mut now = 0;
        while now <= end {
            test.load(&store, loaded_until, now);
            loaded_until = now;
            let evaluation = evaluator.evaluate(&store, time(now));
            for report in &evaluation.reports {
                if let RuleHealth::Failed(error) = &report.health {
                    failures.push(format!("rule {:?} at {}: {}", report.rule, show_time(now), error.full()));
                }
            }
            let current = |check: &&AlertCheck| (now..now + step).contains(&millis(check.at));
            for check in test.alerts.iter().filter(current) {
                failures.extend(check.compare(&evaluator));
            }
            now += step;
        }
        test.load(&store, loaded_until, i64::MAX);
        let store = store.into_inner().unwrap_or_else(PoisonError::into_inner);
        failures
            .extend(test.expressions.iter().filter_map(|check| check.compare(&store, &options, self.fuzzy)));
        TestOutcome { name: test.name.clone(), checks: test.alerts.len() + test.expressions.len(), failures }
    }
}

impl RuleTest {
    /// Loads the samples after `after` and not after `until`.
    fn load(&self, store: &RwLock<SampleStore>, after: i64, until: i64) {
        let mut store = store.write().unwrap_or_else(PoisonError::into_inner);
        let interval = millis(self.interval).max(1);
        for (labels, entries) in &self.series {
            let mut at = 0;
            for entry in entries {
                if at > until {
                    break;
                }
                if at > after {
                    match entry {
                        Entry::Missing => {}
                        Entry::Stale => store.mark_stale(labels, time(at)),
                        Entry::Value(value) => {
                            store.append_value(labels, at, value);
                        }
                    }
                }
                at += interval;
            }
        }
    }
}

impl AlertCheck {
    fn compare(&self, evaluator: &RuleEvaluator) -> Option<String> {
        let book = evaluator.book();
        let firing = book.named(&self.alert).filter(|alert| alert.state == AlertState::Firing);
        let mut actual: Vec<(Labels, BTreeMap<String, String>)> =
            firing.map(|alert| (alert.labels.clone(), alert.annotations.clone())).collect();
        let mut expected: Vec<(Labels, BTreeMap<String, String>)> = self.expected.clone();
        for side in [&mut actual, &mut expected] {
            side.sort_by(|left, right| left.0.cmp(&right.0));
        }
        if actual == expected {
            return None;
        }
        let show = |alerts: &[(Labels, BTreeMap<String, String>)]| {
            let lines: Vec<String> = alerts
                .iter()
                .map(|(labels, annotations)| format!("\n    {labels} {annotations:?}"))
                .collect();
            if lines.is_empty() { "\n    none".to_owned() } else { lines.concat() }
        };
        let at = show_time(millis(self.at));
        Some(format!("alert {} at {at}: expected{}\n  got{}", self.alert, show(&expected), show(&actual)))
    }
}

impl ExpressionCheck {
    fn compare(&self, store: &SampleStore, options: &QueryOptions, fuzzy: bool) -> Option<String> {
        let at = millis(self.at);
        let fail = |got: String| {
            let expected = show_samples(&self.expected);
            Some(format!("expression {} at {}: expected{expected}\n  got{got}", self.query, show_time(at)))
        };
        let mut actual: Vec<(Labels, SampleValue)> = match self.query.instant(store, at, options) {
            Err(error) => return fail(format!("\n    {error}")),
            Ok(answer) => match answer.value {
                Value::Scalar(value) => vec![(Labels::empty(), value.into())],
                Value::Vector(samples) => {
                    samples.into_iter().map(|sample| (sample.labels, sample.value)).collect()
                }
                Value::Text(_) | Value::Matrix(_) => {
                    return fail("\n    neither a vector nor a number".to_owned());
                }
            },
        };
        let mut expected = self.expected.clone();
        for side in [&mut actual, &mut expected] {
            side.sort_by(|left, right| left.0.cmp(&right.0));
        }
        let same = actual.len() == expected.len()
            && actual
                .iter()
                .zip(&expected)
                .all(|(left, right)| left.0 == right.0 && equal(&left.1, &right.1, fuzzy));
        if same { None } else { fail(show_samples(&actual)) }
    }
}

fn equal(left: &SampleValue, right: &SampleValue, fuzzy: bool) -> bool {
    /// As many digits as agree between two orders of the same sum.
    const TOLERANCE: f64 = 1e-12;
    match (left, right) {
        (SampleValue::Float(left), SampleValue::Float(right)) => {
            #[expect(clippy::float_cmp, reason = "promtool compares exactly unless told otherwise")]
            let same = left == right || (left.is_nan() && right.is_nan());
            same || (fuzzy && (left - right).abs() <= TOLERANCE * left.abs().max(right.abs()))
        }
        (left, right) => left == right,
    }
}

fn show_samples(samples: &[(Labels, SampleValue)]) -> String {
    let lines: Vec<String> =
        samples.iter().map(|(labels, value)| format!("\n    {labels} {value}")).collect();
    if lines.is_empty() { "\n    nothing".to_owned() } else { lines.concat() }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn show_time(millis: i64) -> String {
    crate::promql::format_duration(millis)
}
