//! Expressions evaluated at one time.

use alfred_ops_core::{Error, ErrorKind, Labels, Result};
use chrono::{DateTime, Utc};

use super::vector::{combine, intersect};
use super::{Expr, Reading, counter, histogram};
use crate::store::{Matcher, SampleStore, Selector, Series};

/// The samples as they are at one time: what expressions are evaluated against. Pure.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'s> {
    samples: &'s SampleStore,
    now: DateTime<Utc>,
}

/// What a rule's expression comes to.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Outcome {
    /// The readings that meet the expression's comparisons.
    pub held: Vec<Reading>,
    /// The readings that its outermost comparison looked at, so that "no longer true" can be told from
    /// "no longer there". Equal to `held` where the outermost part compares nothing.
    pub watched: Vec<Reading>,
}

enum Value {
    Number(f64),
    Readings(Vec<Reading>),
}

impl<'s> Moment<'s> {
    /// The samples as they are at `now`.
    #[must_use]
    pub const fn new(samples: &'s SampleStore, now: DateTime<Utc>) -> Self {
        Self { samples, now }
    }

    /// Evaluates a rule's expression.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) if the sides of an operation do not meet one to one.
    pub fn outcome(&self, expr: &Expr) -> Result<Outcome> {
        match expr {
            Expr::Compare { of, comparison, threshold } => {
                let watched = self.readings(of)?;
                let holds = |reading: &&Reading| comparison.holds(reading.value, *threshold);
                let held = watched.iter().filter(holds).cloned().collect();
                Ok(Outcome { held, watched })
            }
            Expr::And { left, right, on } => {
                let left = self.outcome(left)?;
                let held = intersect(left.held, &self.readings(right)?, on.as_deref());
                Ok(Outcome { held, watched: left.watched })
            }
            _ => {
                let held = self.readings(expr)?;
                Ok(Outcome { watched: held.clone(), held })
            }
        }
    }

    /// Evaluates an expression; a number becomes one reading without labels.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) if the sides of an operation do not meet one to one.
    pub fn readings(&self, expr: &Expr) -> Result<Vec<Reading>> {
        Ok(match self.value(expr)? {
            Value::Number(value) => vec![Reading { labels: Labels::empty(), value }],
            Value::Readings(readings) => readings,
        })
    }

    fn value(&self, expr: &Expr) -> Result<Value> {
        Ok(Value::Readings(match expr {
            Expr::Number(number) => return Ok(Value::Number(*number)),
            Expr::Latest(selector) => self.latest(selector),
            Expr::Rate { selector, window } => self
                .each(selector, |series| {
                    counter::increase(series, self.now, *window).map(|growth| growth / window.as_secs_f64())
                })
                .map(Reading::nameless)
                .collect(),
            Expr::Increase { selector, window } => self
                .each(selector, |series| counter::increase(series, self.now, *window))
                .map(Reading::nameless)
                .collect(),
            Expr::Aggregate { aggregation, by, of } => aggregation.apply(by, self.readings(of)?),
            Expr::HistogramQuantile { quantile, of } => histogram::quantiles(*quantile, self.readings(of)?),
            Expr::Arithmetic { operator, left, right, on } => {
                let each = |readings: Vec<Reading>, of: &dyn Fn(f64) -> f64| {
                    readings.into_iter().map(|r| Reading { value: of(r.value), ..r.nameless() }).collect()
                };
                match (self.value(left)?, self.value(right)?) {
                    (Value::Number(left), Value::Number(right)) => {
                        return Ok(Value::Number(operator.of(left, right)));
                    }
                    (Value::Readings(left), Value::Number(right)) => {
                        each(left, &|left| operator.of(left, right))
                    }
                    (Value::Number(left), Value::Readings(right)) => {
                        each(right, &|right| operator.of(left, right))
                    }
                    (Value::Readings(left), Value::Readings(right)) => {
                        combine(*operator, left, &right, on.as_deref())?
                    }
                }
            }
            Expr::Compare { .. } | Expr::And { .. } => self.outcome(expr)?.held,
            Expr::Absent(selector) => self.absent(selector),
        }))
    }

    fn latest(&self, selector: &Selector) -> Vec<Reading> {
        let lookback = self.samples.limits().lookback;
        self.each(selector, |series| Some(series.latest(self.now, lookback)?.value)).collect()
    }

    fn each<'a>(
        &'a self,
        selector: &'a Selector,
        of: impl Fn(&Series) -> Option<f64> + 'a,
    ) -> impl Iterator<Item = Reading> + 'a {
        let reading =
            move |series: &Series| Some(Reading { value: of(series)?, labels: series.labels().clone() });
        self.samples.select(selector).filter_map(reading)
    }

    fn absent(&self, selector: &Selector) -> Vec<Reading> {
        if !self.latest(selector).is_empty() {
            return Vec::new();
        }
        let equalities = selector.matchers().iter().filter_map(|matcher| match matcher {
            Matcher::Equal { name, value } => Some((name, value)),
            _ => None,
        });
        vec![Reading { labels: Labels::from_pairs(equalities), value: 1.0 }]
    }
}

/// Two readings of one alert's labels are a fault of the rule.
pub(crate) fn duplicate(labels: &Labels) -> Error {
    let message = format!("several readings have the labels {labels} once the metric's name is removed");
    Error::new(ErrorKind::InvalidInput, "evaluate rule", message)
        .with_remedy("aggregate to labels that tell the alerts apart")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use alfred_ops_core::exposition::{Limits, parse};
    use chrono::TimeDelta;

    use super::*;
    use crate::expr::{Aggregation, Arithmetic};

    /// Loads `page` at five times, a minute apart, every value multiplied by the number of the time.
    fn samples(page: &str) -> (SampleStore, DateTime<Utc>) {
        let mut store = SampleStore::default();
        let page = parse(page, &Limits::default()).unwrap();
        let mut now = DateTime::UNIX_EPOCH;
        for factor in [1.0, 2.0, 3.0, 4.0, 5.0] {
            now += TimeDelta::minutes(1);
            for sample in &page.samples {
                store.append(&sample.labels, now, sample.value * factor);
            }
        }
        (store, now)
    }

    fn check(page: &str, expr: &Expr, expected: &[(&str, f64)]) {
        let (store, now) = samples(page);
        let mut actual: Vec<(String, f64)> = Moment::new(&store, now)
            .readings(expr)
            .unwrap()
            .into_iter()
            .map(|reading| (reading.labels.to_string(), reading.value))
            .collect();
        actual.sort_by(|left, right| left.0.cmp(&right.0));
        let expected: Vec<(String, f64)> =
            expected.iter().map(|(labels, value)| ((*labels).to_owned(), *value)).collect();
        assert_eq!(actual, expected, "{expr:?}");
    }

    fn metric(name: &str) -> Expr {
        Selector::metric(name).into()
    }

    const PAGE: &str = "a{i=\"1\"} 1\na{i=\"2\"} 2\nb{i=\"1\"} 2\nb{i=\"3\"} 2\nz{i=\"1\"} 0\n";

    #[test]
    fn operations_follow_promql() {
        check(PAGE, &metric("a").above(7.0), &[("a{i=\"2\"}", 10.0)]);
        check(PAGE, &metric("a").divided_by(metric("b")), &[("{i=\"1\"}", 0.5)]);
        check(PAGE, &metric("a").divided_by(metric("z")).above(1.0), &[("{i=\"1\"}", f64::INFINITY)]);
        check(PAGE, &metric("z").divided_by(metric("z")).above(0.0), &[]);
        check(PAGE, &metric("a").and(metric("b")), &[("a{i=\"1\"}", 5.0)]);
        check(PAGE, &metric("a").sum_by([""; 0]), &[("{}", 15.0)]);
        check(PAGE, &metric("a").aggregated(Aggregation::Max, [""; 0]), &[("{}", 10.0)]);
        check(PAGE, &metric("a").aggregated(Aggregation::Avg, ["i"]).below(6.0), &[("{i=\"1\"}", 5.0)]);
        check(PAGE, &Expr::Number(1.0).combined(Arithmetic::Subtract, metric("z")), &[("{i=\"1\"}", 1.0)]);
        check(PAGE, &Expr::Absent(Selector::metric("a")), &[]);
        check(PAGE, &Expr::Absent(Selector::metric("a").with("i", "9")), &[("{i=\"9\"}", 1.0)]);
        let one_of = Selector::metric("a").one_of("i", ["2", "3"]);
        check(PAGE, &one_of.into(), &[("a{i=\"2\"}", 10.0)]);
        check(PAGE, &Selector::metric("a").without("i", "2").into(), &[("a{i=\"1\"}", 5.0)]);
        let window = Duration::from_secs(300);
        check(
            PAGE,
            &Expr::rate(Selector::metric("b").with("i", "1"), window),
            &[("{i=\"1\"}", 10.0 / 300.0)],
        );
    }

    #[test]
    fn sides_that_meet_many_to_one_are_refused() {
        let page = "n{db=\"x\",i=\"1\"} 40\nn{db=\"y\",i=\"1\"} 45\nlimit{i=\"1\"} 100\n";
        let (store, now) = samples(page);
        let on = |left, right| Expr::Arithmetic {
            operator: Arithmetic::Divide,
            left: Box::new(metric(left)),
            right: Box::new(metric(right)),
            on: Some(vec!["i".to_owned()]),
        };
        let error = Moment::new(&store, now).readings(&on("n", "limit")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "combine series: several series on the left side meet at {i=\"1\"}; \
             aggregate both sides to the labels by which they should meet"
        );
        assert!(Moment::new(&store, now).readings(&on("limit", "n")).is_err());
        // Without `on` their label sets never meet: the platform's own rule, which can never fire.
        assert!(
            Moment::new(&store, now).readings(&metric("n").divided_by(metric("limit"))).unwrap().is_empty()
        );
        let summed = metric("n").sum_by(["i"]).divided_by(metric("limit").sum_by(["i"]));
        check(page, &summed.above(0.8), &[("{i=\"1\"}", 0.85)]);
    }

    #[test]
    fn what_was_watched_is_told_apart_from_what_held() {
        let (store, now) = samples(PAGE);
        let outcome = Moment::new(&store, now).outcome(&metric("a").above(7.0)).unwrap();
        assert_eq!((outcome.held.len(), outcome.watched.len()), (1, 2));
    }
}
