//! Rules and series by chance, and what our evaluation makes of them at every step.

use std::collections::BTreeMap;
use std::sync::RwLock;
use std::time::Duration;

use alfred_ops_alerts::promql::{Query, QueryOptions, SampleValue, Value};
use alfred_ops_alerts::{
    AlertState, Interest, RecordingRule, Rule, RuleEvaluator, RuleGroup, RuleHealth, RuleSet, SampleStore,
    StoreLimits,
};
use alfred_ops_core::Labels;
use chrono::DateTime;

use crate::chance::Chance;

/// So many times the rules are evaluated.
const STEPS: u32 = 30;
/// Everything that rules write.
pub(crate) const WRITTEN: &str = r#"{__name__=~"ALERTS|ALERTS_FOR_STATE|rec:.+"}"#;

/// One series: its labels and a value, nothing, or the mark of an end at each interval.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) labels: Labels,
    pub(crate) values: Vec<Option<Option<u32>>>,
}

/// Rules and series.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// How far apart evaluations are, in seconds.
    pub(crate) step: u32,
    /// How far apart samples are, in seconds.
    pub(crate) interval: u32,
    pub(crate) groups: Vec<RuleGroup>,
    pub(crate) lines: Vec<Line>,
}

/// The labels and annotations of an alert that fires.
pub(crate) type Firing = (Labels, BTreeMap<String, String>);

/// What there is at one step: all that rules have written, and the alerts that fire by their rules' names.
#[derive(Debug)]
pub(crate) struct Moment {
    pub(crate) second: u32,
    pub(crate) written: Vec<(Labels, f64)>,
    pub(crate) firing: BTreeMap<String, Vec<Firing>>,
}

impl Timeline {
    pub(crate) fn new(chance: &Chance) -> Self {
        let step = chance.any(&[30, 60]);
        let interval = chance.any(&[15, 30, 60]);
        let count = STEPS * step / interval + 1;
        let lines = (0..6).map(|number| Line {
            labels: Labels::from_pairs([
                ("__name__", if number < 4 { "x" } else { "c" }),
                ("i", ["0", "1", "2", "3", "4", "5"][number]),
                ("g", ["a", "b"][number % 2]),
            ]),
            values: if number < 4 { levels(chance, count) } else { totals(chance, count) },
        });
        let lines = lines.collect();
        let groups = (0..=chance.below(2)).map(|number| group(chance, number)).collect();
        Self { step, interval, groups, lines }
    }

    /// What our evaluation makes of it; `None` if a rule could not be evaluated.
    pub(crate) fn evaluate(&self) -> Option<Vec<Moment>> {
        let rules = RuleSet::of_groups(self.groups.clone()).unwrap();
        let options = QueryOptions::default().with_subquery_step(Duration::from_secs(self.step.into()));
        let store = RwLock::new(SampleStore::new(StoreLimits::default(), Interest::everything(i64::MAX / 4)));
        let mut evaluator = RuleEvaluator::new(&rules, &options);
        let written = Query::parse(WRITTEN).unwrap();
        let mut moments = Vec::new();
        let mut failed = false;
        for number in 0..STEPS {
            let second = number * self.step;
            let millis = i64::from(second) * 1000;
            self.load(&store, number.checked_sub(1).map(|before| before * self.step), second);
            let evaluation = evaluator.evaluate(&store, DateTime::from_timestamp_millis(millis).unwrap());
            failed |= evaluation.reports.iter().any(|report| matches!(report.health, RuleHealth::Failed(_)));
            let book = evaluator.book();
            let mut firing: BTreeMap<String, Vec<Firing>> = BTreeMap::new();
            for name in self.groups.iter().flat_map(|group| &group.rules).map(|rule| rule.name()) {
                let alerts = book.named(name).filter(|alert| alert.state == AlertState::Firing);
                firing.insert(
                    name.to_owned(),
                    alerts.map(|alert| (alert.labels.clone(), alert.annotations.clone())).collect(),
                );
            }
            firing.retain(|name, _| name.starts_with("Alert"));
            moments.push(Moment { second, written: Vec::new(), firing });
        }
        let store = store.into_inner().unwrap();
        for moment in &mut moments {
            let at = i64::from(moment.second) * 1000;
            let Value::Vector(samples) = written.instant(&store, at, &options).unwrap().value else {
                continue;
            };
            let float = |value: SampleValue| value.float().unwrap();
            moment.written = samples.into_iter().map(|sample| (sample.labels, float(sample.value))).collect();
        }
        (!failed).then_some(moments)
    }

    /// Loads the samples behind `after` and until `until`, in seconds.
    fn load(&self, store: &RwLock<SampleStore>, after: Option<u32>, until: u32) {
        let mut store = store.write().unwrap();
        for line in &self.lines {
            for (second, value) in (0..).step_by(self.interval as usize).zip(&line.values) {
                if after.is_some_and(|after| second <= after) || second > until {
                    continue;
                }
                let at = DateTime::from_timestamp_millis(i64::from(second) * 1000).unwrap();
                match value {
                    Some(Some(value)) => {
                        store.append(&line.labels, at, f64::from(*value));
                    }
                    Some(None) => store.mark_stale(&line.labels, at),
                    None => {}
                }
            }
        }
    }
}

/// Values that stay for a while, with gaps and ends.
fn levels(chance: &Chance, count: u32) -> Vec<Option<Option<u32>>> {
    let mut level = chance.below(4);
    let mut gap = 0;
    let one = |_| {
        if chance.percent(15) {
            level = chance.below(4);
        }
        if gap > 0 {
            gap -= 1;
            return None;
        }
        if chance.percent(4) {
            gap = chance.below(15);
            return chance.percent(50).then_some(None);
        }
        Some(Some(level))
    };
    (0..count).map(one).collect()
}

/// Counts that start again now and then.
fn totals(chance: &Chance, count: u32) -> Vec<Option<Option<u32>>> {
    let mut total = 0;
    let one = |_| {
        total = if chance.percent(4) { 0 } else { total + chance.below(4) * chance.below(2) };
        Some(Some(total))
    };
    (0..count).map(one).collect()
}

fn seconds(chance: &Chance, of: &[u64]) -> Duration {
    Duration::from_secs(chance.any(of))
}

fn group(chance: &Chance, number: u32) -> RuleGroup {
    let mut group = RuleGroup::new(format!("group{number}"));
    if chance.percent(30) {
        group = group.with_label("team", chance.any(&["ops", "dev"]));
    }
    if chance.percent(20) {
        group = group.with_limit(chance.any(&[3, 6]));
    }
    if chance.percent(15) {
        group = group.with_query_offset(seconds(chance, &[30, 60]));
    }
    for place in 0..=chance.below(5) {
        if chance.percent(40) {
            let expressions = [
                "sum by (g) (x)",
                "x > 1",
                "max(x)",
                "rate(c[2m])",
                "count by (g) (ALERTS)",
                "vector(time() % 300)",
            ];
            let mut rule = RecordingRule::new(format!("rec:{number}_{place}"), chance.any(&expressions));
            if chance.percent(30) {
                rule = rule.with_label(chance.any(&["g", "extra"]), chance.any(&["z", ""]));
            }
            group = group.with_rules([rule]);
        } else {
            group = group.with_rules([alert(chance, &format!("Alert{number}_{place}"))]);
        }
    }
    group
}

fn alert(chance: &Chance, name: &str) -> Rule {
    let expressions = [
        "x > 1",
        "x == 3",
        "sum by (g) (x) > 3",
        "rec:0_0 > 2",
        "rec:0_1 > 1",
        "rate(c[2m]) > 0.01",
        "absent(x{i=\"0\"})",
        "ALERTS{alertname=\"Alert0_0\", alertstate=\"firing\"}",
        "count(ALERTS{alertstate=\"pending\"}) > 1",
        "vector(time() % 240) < 120",
        "changes(x[3m]) > 1",
        "max_over_time(x[3m:1m]) >= 3",
        "x * 1e6 > 1",
        "x unless on (i) ALERTS{alertstate=\"firing\"}",
    ];
    let mut rule = Rule::new(name, chance.any(&expressions))
        .with_for(seconds(chance, &[0, 0, 30, 60, 90, 120, 300]))
        .with_keep_firing_for(seconds(chance, &[0, 0, 0, 60, 90, 300]));
    if chance.percent(50) {
        // Where a template comes to nothing, the server's ALERTS have the template itself for a label.
        let values = ["page", "of {{ $labels.g }}", "v{{ $value }}", ""];
        rule = rule.with_label(chance.any(&["severity", "g"]), chance.any(&values));
    }
    if chance.percent(50) {
        let texts = [
            "{{ $labels.i }} is {{ $value }}",
            "{{ $value | humanizePercentage }} of {{ $labels.g }}",
            "plain",
        ];
        rule = rule.with_annotation("summary", chance.any(&texts));
    }
    rule
}
