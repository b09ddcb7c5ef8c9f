//! Groups that are asked of a source, in simulated time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::{
    ClosureSource, Error, ErrorKind, Labels, MemoryStateStore, Result, Sample, SimulatedClock, TaskSet,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use mockall::predicate::{always, eq};
use tokio_util::sync::CancellationToken;

use super::{AlertEngine, AlertEngineBuilder};
use crate::promql::notation::parse_labels;
use crate::promql::{Answer, SampleValue, Value, VectorSample};
use crate::query_source::MockQuerySource;
use crate::{
    Alert, AlertState, MemoryQuerySource, MemorySink, NotificationStatus, QuerySource, Reason, RecordingRule,
    Rule, RuleGroup, RuleHealth, Target,
};

mod asking;
mod reloading;
mod running;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

fn vector(samples: &[(&str, f64)]) -> Result<Answer> {
    let samples = samples.iter().map(|(labels, value)| VectorSample {
        labels: parse_labels(labels).unwrap(),
        value: (*value).into(),
    });
    Ok(Answer { value: Value::Vector(samples.collect()), annotations: Default::default() })
}

fn down() -> Error {
    Error::new(ErrorKind::Unavailable, "ask query source", "no connection")
}

/// A source that answers from a list, remembers what it was asked, and can be away.
#[derive(Debug, Default)]
struct Fleet {
    answers: Mutex<BTreeMap<String, Vec<(&'static str, f64)>>>,
    asked: Mutex<Vec<(String, DateTime<Utc>)>>,
    away: Mutex<bool>,
}

impl Fleet {
    fn set(&self, query: &str, samples: &[(&'static str, f64)]) {
        self.answers.lock().unwrap().insert(query.to_owned(), samples.to_vec());
    }

    fn set_away(&self, away: bool) {
        *self.away.lock().unwrap() = away;
    }

    /// What was asked since the last call, sorted.
    fn asked(&self) -> Vec<String> {
        let mut asked: Vec<String> = self.asked.lock().unwrap().drain(..).map(|(query, _)| query).collect();
        asked.sort_unstable();
        asked
    }
}

#[async_trait]
impl QuerySource for Fleet {
    fn name(&self) -> &str {
        "fleet"
    }

    async fn instant(&self, query: &str, at: DateTime<Utc>) -> Result<Answer> {
        self.asked.lock().unwrap().push((query.to_owned(), at));
        if *self.away.lock().unwrap() {
            return Err(down());
        }
        vector(self.answers.lock().unwrap().get(query).map(Vec::as_slice).unwrap_or_default())
    }

    async fn range(&self, _: &str, _: DateTime<Utc>, _: DateTime<Utc>, _: Duration) -> Result<Answer> {
        Err(down())
    }
}

fn engine(source: Arc<dyn QuerySource>, rules: impl IntoIterator<Item = Rule>) -> AlertEngine {
    let group = RuleGroup::new("remote").with_rules(rules);
    builder(source, [group]).build().unwrap()
}

fn builder(source: Arc<dyn QuerySource>, groups: impl IntoIterator<Item = RuleGroup>) -> AlertEngineBuilder {
    let clock = SimulatedClock::starting_at(at(0));
    AlertEngine::builder().remote_rule_groups(source, groups).clock(clock.shared())
}

fn stands(engine: &AlertEngine) -> Vec<(String, AlertState)> {
    engine.alerts().iter().map(|alert| (alert.labels.to_string(), alert.state)).collect()
}

fn failure(engine: &AlertEngine, rule: &str) -> Option<String> {
    let reports = engine.status().rules;
    let report = reports.iter().find(|report| report.rule == rule).unwrap();
    match &report.health {
        RuleHealth::Failed(error) => Some(error.full()),
        _ => None,
    }
}
