//! The same rules over the same series, asked of a real Prometheus and of the engine's own store, step by step.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use alfred_ops_alerts::promql::{QueryOptions, SampleValue};
use alfred_ops_alerts::{
    Alert, AlertBook, AlertEngine, Interest, PrometheusApiOptions, RuleEvaluator, RuleHealth, RuleReport,
    RuleSet, SampleStore, StoreLimits,
};
use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};

use crate::chance::Chance;
use crate::dataset::Dataset;
use crate::server::Prometheus;
use crate::timeline::Timeline;

/// A multiple of all that rules compute with `time()`.
const START: i64 = 1_700_000_400;
/// How far apart timelines begin, longer than each of them and what it looks back to.
const APART: i64 = 4 * 3600;
const SEED: u64 = 42;
const TIMELINES: u64 = 25;
const STEPS: i64 = 30;

/// A timeline and when it begins, in seconds.
struct Trial {
    start: i64,
    timeline: Timeline,
}

impl Trial {
    fn new(seed: u64, number: u64) -> Self {
        let mut timeline = Timeline::new(&Chance::new(seed, number));
        for group in &mut timeline.groups {
            // It looks at both sides.
            group.rules.retain(|rule| !rule.expr().contains("x unless"));
        }
        Self { start: START + i64::try_from(number).unwrap() * APART, timeline }
    }

    /// All samples of one step: those behind the one before, up to it.
    fn samples(&self, step: Option<i64>) -> Dataset {
        let interval = i64::from(self.timeline.interval);
        let length = i64::from(self.timeline.step);
        let lines = self.timeline.lines.iter().map(|line| {
            let samples = (0_i64..).zip(&line.values).filter_map(|(place, value)| {
                let second = place * interval;
                let within = step.is_none_or(|step| second > (step - 1) * length && second <= step * length);
                let value = value.as_ref().filter(|_| within)?;
                Some(((self.start + second) * 1000, value.map(|value| SampleValue::Float(f64::from(value)))))
            });
            (line.labels.clone(), samples.collect())
        });
        lines.collect()
    }

    fn now(&self, step: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(self.start + step * i64::from(self.timeline.step), 0).unwrap()
    }
}

/// What is to be compared of alerts and rules: nothing that the order of groups decides.
fn shown<'a>(
    alerts: impl IntoIterator<Item = &'a Alert>,
    reports: &[RuleReport],
) -> (BTreeMap<String, Vec<String>>, Vec<String>) {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for alert in alerts {
        all.entry(alert.labels.to_string()).or_default().push(format!("{alert:?}"));
    }
    let health = reports.iter().map(|report| match &report.health {
        RuleHealth::Failed(_) => format!("{} fails", report.rule),
        health => format!("{} {health:?}", report.rule),
    });
    (all, health.collect())
}

#[tokio::test]
async fn a_group_asked_of_prometheus_raises_what_it_raises_over_the_store() {
    let seed = std::env::var("ALFRED_OPS_DIFFERENTIAL_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    println!("seed {seed}");
    let trials: Vec<Trial> = (0..TIMELINES).map(|number| Trial::new(seed, number)).collect();
    let mut all: BTreeMap<Labels, _> = BTreeMap::new();
    for (labels, samples) in trials.iter().flat_map(|trial| trial.samples(None)) {
        all.entry(labels).or_insert_with(Vec::new).extend(samples);
    }
    let server = Prometheus::start(&all.into_iter().collect()).await;
    let api = Arc::new(server.api(PrometheusApiOptions::default()));
    let (mut firing, mut failing) = (0, 0);
    for trial in &trials {
        let step = Duration::from_secs(trial.timeline.step.into());
        let remote = AlertEngine::builder()
            .remote_rule_groups(Arc::clone(&api) as _, trial.timeline.groups.clone())
            .evaluation_interval(step)
            .build()
            .unwrap();
        let rules = RuleSet::of_groups(trial.timeline.groups.clone()).unwrap();
        let options = QueryOptions::default().with_subquery_step(step);
        let store = RwLock::new(SampleStore::new(StoreLimits::default(), Interest::everything(i64::MAX / 4)));
        let mut own = RuleEvaluator::new(&rules, &options);
        for step in 0..STEPS {
            for (labels, samples) in trial.samples(Some(step)) {
                let mut store = store.write().unwrap();
                for (at, value) in samples {
                    match value {
                        Some(value) => drop(store.append_value(&labels, at, &value)),
                        None => store.mark_stale(&labels, DateTime::from_timestamp_millis(at).unwrap()),
                    }
                }
            }
            let evaluation = own.evaluate(&store, trial.now(step));
            remote.evaluate(trial.now(step)).await;
            let book: AlertBook = own.book();
            let expected = shown(book.iter(), &evaluation.reports);
            let status = remote.status();
            let found = shown(&remote.alerts(), &status.rules);
            assert_eq!(found, expected, "seed {seed}, step {step}: {:#?}", trial.timeline.groups);
            firing += book.iter().count();
            failing += expected.1.iter().filter(|text| text.ends_with("fails")).count();
        }
        assert_eq!(remote.status().sources[0].failed, 0, "seed {seed}");
    }
    println!(
        "{TIMELINES} timelines of {STEPS} steps: {firing} alerts compared, {failing} evaluations beyond a limit"
    );
    assert!(firing > 0);
}
