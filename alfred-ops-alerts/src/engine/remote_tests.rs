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

#[tokio::test]
async fn the_whole_expression_is_asked_of_the_source_as_of_the_groups_offset() {
    let mut source = MockQuerySource::new();
    source.expect_name().return_const("fleet".to_owned());
    let expr = "sum by (job) (rate(errors_total[5m])) > 2";
    let mut asked = mockall::Sequence::new();
    source
        .expect_instant()
        .with(eq(expr), eq(at(-30)))
        .times(1)
        .in_sequence(&mut asked)
        .returning(|_, _| vector(&[("{job=\"a\"}", 3.0)]));
    // Later nothing holds; what the condition looks at is asked only now, that the alert would end.
    source
        .expect_instant()
        .with(eq(expr), eq(at(-15)))
        .times(1)
        .in_sequence(&mut asked)
        .returning(|_, _| vector(&[]));
    source
        .expect_instant()
        .with(eq("sum by (job) (rate(errors_total[5m]))"), eq(at(-15)))
        .times(1)
        .in_sequence(&mut asked)
        .returning(|_, _| vector(&[("{job=\"a\"}", 1.0)]));
    source.expect_range().with(always(), always(), always(), always()).never();
    let group = RuleGroup::new("remote")
        .with_query_offset(Duration::from_secs(30))
        .with_rules([Rule::new("Errors", expr).with_label("severity", "page")]);
    let engine = builder(Arc::new(source), [group]).build().unwrap();
    let changes = engine.step(at(0)).await;
    assert_eq!((changes[0].to, changes[0].value, changes[0].at), (AlertState::Firing, 3.0, at(0)));
    assert_eq!(changes[0].labels.to_string(), r#"{alertname="Errors",job="a",severity="page"}"#);
    let changes = engine.step(at(15)).await;
    assert_eq!((changes[0].to, changes[0].reason), (AlertState::Resolved, Reason::Cleared));
}

#[tokio::test]
async fn a_source_that_is_away_leaves_alerts_as_they_were() {
    let fleet = Arc::new(Fleet::default());
    fleet.set("up == 0", &[("up{i=\"1\"}", 0.0)]);
    let engine =
        engine(Arc::<Fleet>::clone(&fleet), [Rule::new("Down", "up == 0").with_for(Duration::from_secs(30))]);
    engine.step(at(0)).await;
    engine.step(at(30)).await;
    let firing = [("{alertname=\"Down\",i=\"1\"}".to_owned(), AlertState::Firing)];
    assert_eq!(stands(&engine), firing);
    fleet.set_away(true);
    assert!(engine.step(at(45)).await.is_empty());
    assert_eq!(stands(&engine), firing);
    assert_eq!(
        failure(&engine, "Down").unwrap(),
        "evaluate rule (Down): the source \"fleet\" has no answer: ask query source: no connection"
    );
    let status = engine.status().sources.remove(0);
    assert_eq!((status.name.as_str(), status.asked, status.failed), ("fleet", 3, 1));
    assert!(status.last_error.unwrap().contains("no connection"));
    // What is gone when it is back has ended; that its series is gone as well is known at once.
    fleet.set_away(false);
    fleet.set("up == 0", &[]);
    let changes = engine.step(at(60)).await;
    assert_eq!((changes[0].to, changes[0].reason), (AlertState::Resolved, Reason::Vanished));
    assert!(failure(&engine, "Down").is_none() && engine.status().sources[0].last_error.is_none());
}

#[tokio::test]
async fn one_of_several_queries_that_fails_fails_its_rule_only() {
    let mut source = MockQuerySource::new();
    source.expect_name().return_const("fleet".to_owned());
    source.expect_instant().returning(|query, _| match query {
        "a > 0" => Err(Error::new(ErrorKind::InvalidInput, "ask query source", "many-to-many")),
        _ => vector(&[("{}", 1.0)]),
    });
    let engine = engine(Arc::new(source), [Rule::new("A", "a > 0"), Rule::new("B", "b > 0")]);
    engine.step(at(0)).await;
    assert_eq!(stands(&engine), [("{alertname=\"B\"}".to_owned(), AlertState::Firing)]);
    assert!(failure(&engine, "A").unwrap().ends_with("many-to-many") && failure(&engine, "B").is_none());
}

#[tokio::test]
async fn the_same_query_is_asked_once_for_all_rules() {
    let fleet = Arc::new(Fleet::default());
    fleet.set("x > 1", &[("x", 2.0)]);
    let rules = [Rule::new("Warn", "x > 1").with_label("severity", "warning"), Rule::new("Page", "x > 1")];
    let engine = engine(Arc::<Fleet>::clone(&fleet), rules);
    assert_eq!(engine.step(at(0)).await.len(), 2);
    assert_eq!(fleet.asked(), ["x > 1"]);
}

#[tokio::test]
async fn templates_ask_the_source_in_as_many_rounds_as_they_need() {
    let fleet = Arc::new(Fleet::default());
    fleet.set("x > 1", &[("x{i=\"1\"}", 2.0), ("x{i=\"2\"}", 3.0)]);
    fleet.set("owner{i=\"1\"}", &[("{team=\"red\"}", 7.0)]);
    fleet.set("count(y{team=\"red\"})", &[("{}", 4.0)]);
    let text = "{{ with printf \"owner{i=%q}\" $labels.i | query }}{{ . | first | label \"team\" }} \
                {{ with printf \"count(y{team=%q})\" (. | first | label \"team\") | query }}{{ . | first | value }}\
                {{ end }}{{ else }}nobody{{ end }}";
    let label = "{{ with query \"owner{i='1'}\" }}{{ end }}x";
    let rule = Rule::new("X", "x > 1").with_annotation("owner", text).with_label("l", label);
    let engine = engine(Arc::<Fleet>::clone(&fleet), [rule]);
    engine.step(at(0)).await;
    let told: Vec<String> =
        engine.alerts().iter().map(|alert: &Alert| alert.annotations["owner"].clone()).collect();
    assert_eq!(told, ["red 4", "nobody"]);
    assert_eq!(
        fleet.asked(),
        ["count(y{team=\"red\"})", "owner{i=\"1\"}", "owner{i=\"2\"}", "owner{i='1'}", "x > 1"]
    );
}

#[tokio::test]
async fn a_template_that_gets_no_answer_tells_so_in_its_place() {
    let mut source = MockQuerySource::new();
    source.expect_name().return_const("fleet".to_owned());
    source.expect_instant().returning(|query, _| match query {
        "x" => vector(&[("x", 1.0)]),
        _ => Err(down()),
    });
    let engine = engine(
        Arc::new(source),
        [Rule::new("X", "x")
            .with_annotation("a", "{{ query \"y\" }}")
            .with_annotation("b", "{{ query \"sum(\" }}")],
    );
    engine.step(at(0)).await;
    let alert = &engine.alerts()[0];
    assert!(alert.annotations["a"].starts_with("<error expanding template: "), "{:?}", alert.annotations);
    assert!(alert.annotations["a"].contains("the source \"fleet\" has no answer"), "{:?}", alert.annotations);
    assert!(alert.annotations["b"].contains("parse query: 1:4"), "{:?}", alert.annotations);
}

#[tokio::test]
async fn templates_may_not_ask_without_end() {
    let fleet = Arc::new(Fleet::default());
    fleet.set("x", &[("x", 1.0)]);
    // Two thousand queries that all differ.
    let text = "{{ range query \"many\" }}{{ query (printf \"y%v\" .Value) }}{{ end }}";
    let many: Vec<(&'static str, f64)> = (0..2000).map(|number| ("{}", f64::from(number))).collect();
    fleet.set("many", &many);
    let engine = engine(Arc::<Fleet>::clone(&fleet), [Rule::new("X", "x").with_annotation("a", text)]);
    engine.step(at(0)).await;
    assert_eq!(fleet.asked().len(), 1001);
    let told = engine.alerts()[0].annotations["a"].clone();
    assert!(told.contains("was not asked: templates ask for more than 1000 queries"), "{told}");
}

#[tokio::test]
async fn what_rules_record_stays_here_and_is_looked_at_here() {
    let fleet = Arc::new(Fleet::default());
    fleet.set("sum by (job) (up)", &[("{job=\"a\"}", 3.0)]);
    fleet.set("absent(up)", &[("{}", 1.0)]);
    fleet.set("count(up)", &[("{}", 5.0)]);
    let group = RuleGroup::new("remote")
        .with_rules([
            RecordingRule::new("job:up:sum", "sum by (job) (up)"),
            RecordingRule::new("unused", "absent(up)"),
        ])
        .with_rules([
            Rule::new("Few", "job:up:sum < 4")
                .with_annotation("of", "{{ query \"count(up)\" | first | value }}"),
            Rule::new("None", "absent(up)"),
            Rule::new("Any", "ALERTS{alertname=\"Few\", alertstate=\"firing\"}"),
        ]);
    let engine = builder(Arc::<Fleet>::clone(&fleet), [group]).build().unwrap();
    engine.step(at(0)).await;
    let names: Vec<String> = engine.alerts().iter().map(|alert| alert.name().to_owned()).collect();
    assert_eq!(names, ["Few", "None", "Any"]);
    assert_eq!(engine.alerts()[0].annotations["of"], "5");
    assert_eq!(fleet.asked(), ["absent(up)", "count(up)", "sum by (job) (up)"]);
    // Only what a rule looks at is kept: the recorded series and one of ALERTS.
    assert_eq!(engine.status().samples.series, 2);
}

#[tokio::test]
async fn rules_that_cannot_be_answered_are_refused_with_the_remedy() {
    let fleet: Arc<dyn QuerySource> = Arc::new(Fleet::default());
    let group = RuleGroup::new("remote")
        .with_rules([RecordingRule::new("job:up:sum", "sum by (job) (up)")])
        .with_rules([Rule::new("Mixed", "job:up:sum / on () count(up{job=\"x\"}) < 0.5")]);
    let error = builder(Arc::clone(&fleet), [group.clone()]).build().unwrap_err().to_string();
    let said = "rule \"Mixed\": the expression looks at up{job=\"x\"} of the source \"fleet\" and at job:up:sum of this \
                engine's own rules, and neither side has the other's series; record what is wanted of \"fleet\" by a rule of \
                its own and look at what that records";
    assert!(error.contains(said), "{error}");
    let change = RuleGroup::new("change").with_rules([Rule::new("Now", "up == 0").evaluated_on_change()]);
    let error = builder(Arc::clone(&fleet), [change]).build().unwrap_err().to_string();
    assert!(
        error.contains("its group is asked of \"fleet\", whose changes nobody sees; move it to"),
        "{error}"
    );
    // Without a source the same rules are fine.
    let mut own = group.clone();
    own.source = None;
    AlertEngine::builder().rule_groups([own]).build().unwrap();
    let other: Arc<dyn QuerySource> = Arc::new(Fleet::default());
    let error =
        builder(fleet, []).query_source(other).rule_groups([RuleGroup::new("g").with_source("nobody")]);
    let error = error.build().unwrap_err().to_string();
    assert!(error.contains("two query sources are named \"fleet\""), "{error}");
    assert!(
        error.contains("group \"g\": there is no query source \"nobody\" (there is fleet); add it by"),
        "{error}"
    );
}

#[tokio::test]
async fn groups_with_a_source_are_exchanged_and_keep_their_alerts() {
    let fleet = Arc::new(Fleet::default());
    fleet.set("x > 1", &[("x", 2.0)]);
    fleet.set("x > 2", &[("x", 2.5)]);
    let engine = engine(Arc::<Fleet>::clone(&fleet), [Rule::new("X", "x > 1")]);
    engine.step(at(0)).await;
    let next = RuleGroup::new("remote").with_rules([Rule::new("X", "x > 2")]);
    let reload = engine.reload([next.clone().with_source("fleet")], at(5)).unwrap();
    assert_eq!((reload.groups_changed, reload.transitions.len()), (1, 0));
    fleet.asked();
    assert!(engine.step(at(15)).await.is_empty());
    assert_eq!((engine.alerts()[0].value, fleet.asked()), (2.5, vec!["x > 2".to_owned()]));
}

#[tokio::test]
async fn a_group_that_names_its_source_again_is_not_disturbed() {
    let fleet = Arc::new(Fleet::default());
    fleet.set("x > 1", &[("x", 2.0)]);
    let rule = Rule::new("X", "x > 1").with_for(Duration::from_secs(60));
    let engine = engine(Arc::<Fleet>::clone(&fleet), [rule.clone()]);
    engine.step(at(0)).await;
    let same = RuleGroup::new("remote").with_rules([rule]).with_source("fleet");
    let reload = engine.reload([same], at(5)).unwrap();
    assert_eq!((reload.groups_unchanged, reload.groups_changed), (1, 0));
    assert_eq!(engine.step(at(60)).await[0].reason, Reason::Held { since: at(0) });
}

#[tokio::test]
async fn a_reload_that_names_an_unknown_source_changes_nothing() {
    let fleet = Arc::new(Fleet::default());
    fleet.set("x > 1", &[("x", 2.0)]);
    let rule = || Rule::new("X", "x > 1").with_for(Duration::from_secs(60));
    let engine = engine(Arc::<Fleet>::clone(&fleet), [rule()]);
    engine.step(at(0)).await;
    let groups = [
        RuleGroup::new("remote").with_rules([rule()]).with_source("other"),
        RuleGroup::new("more").with_rules([Rule::new("Y", "y > 1")]).with_source("third"),
        RuleGroup::new("good").with_rules([Rule::new("Z", "vector(1)")]),
    ];
    let error = engine.reload(groups, at(5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let said = error.to_string();
    for part in
        ["reload rules: group \"remote\": there is no query source \"other\" (there is fleet)", "\"third\""]
    {
        assert!(said.contains(part), "{part} in {said}");
    }
    fleet.asked();
    // The old rule is asked as before, and its time has not begun anew.
    let changes = engine.step(at(60)).await;
    assert_eq!((changes.len(), changes[0].reason), (1, Reason::Held { since: at(0) }));
    assert_eq!(fleet.asked(), ["x > 1"]);
}

#[tokio::test]
async fn a_change_of_source_alone_changes_the_group_and_keeps_its_alerts() {
    let fleet = Arc::new(Fleet::default());
    fleet.set("x > 1", &[("x", 2.0)]);
    let memory = Arc::new(MemoryQuerySource::new("memory"));
    let x = parse_labels("x").unwrap();
    for seconds in [0, 60] {
        assert!(memory.push(&x, at(seconds), Some(SampleValue::Float(3.0))));
    }
    let group =
        || RuleGroup::new("remote").with_rules([Rule::new("X", "x > 1").with_for(Duration::from_secs(60))]);
    let engine = builder(Arc::<Fleet>::clone(&fleet), [group()])
        .query_source(Arc::<MemoryQuerySource>::clone(&memory))
        .build()
        .unwrap();
    engine.step(at(0)).await;
    fleet.asked();
    let reload = engine.reload([group().with_source("memory")], at(5)).unwrap();
    assert_eq!((reload.groups_changed, reload.groups_unchanged, reload.transitions.len()), (1, 0, 0));
    assert_eq!(engine.step(at(60)).await[0].reason, Reason::Held { since: at(0) });
    assert_eq!((engine.alerts()[0].value, fleet.asked().len()), (3.0, 0));
}

#[tokio::test]
async fn a_group_that_has_no_source_any_more_waits_for_its_series() {
    let fleet = Arc::new(Fleet::default());
    let samples =
        [("x{i=\"1\",job=\"j\",instance=\"h:1\"}", 2.0), ("x{i=\"2\",job=\"j\",instance=\"h:1\"}", 2.0)];
    fleet.set("x > 1", &samples);
    let values = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&values);
    let target = ClosureSource::new("x", move || {
        let gauge = |(i, value): &(&str, f64)| Sample::new(Labels::metric("x").with("i", i), *value);
        Ok(shared.lock().unwrap().iter().map(gauge).collect())
    });
    let group = || RuleGroup::new("remote").with_rules([Rule::new("X", "x > 1")]);
    let engine = builder(Arc::<Fleet>::clone(&fleet), [group()])
        .target(Target::in_process("j", "h:1", Arc::new(target)))
        .build()
        .unwrap();
    engine.step(at(0)).await;
    assert_eq!(stands(&engine).len(), 2);
    assert_eq!(engine.reload([group()], at(5)).unwrap().groups_changed, 1);
    // Nothing has been scraped yet.
    assert!(engine.evaluate(at(6)).await.is_empty());
    // One is well again, the other is not seen within the lookback.
    *values.lock().unwrap() = vec![("1", 0.0)];
    let changes = engine.step(at(15)).await;
    assert_eq!(changes.iter().map(|change| change.labels.get("i")).collect::<Vec<_>>(), [Some("1")]);
    assert_eq!(changes[0].reason, Reason::Cleared);
    let changes = engine.step(at(305)).await;
    assert_eq!(changes.iter().map(|change| change.reason).collect::<Vec<_>>(), [Reason::Vanished]);
}

#[tokio::test]
async fn a_restart_keeps_alerts_and_believes_the_sources_first_answer() {
    let fleet = Arc::new(Fleet::default());
    fleet.set("x > 1", &[("x{i=\"1\"}", 2.0), ("x{i=\"2\"}", 2.0)]);
    let store = Arc::new(MemoryStateStore::new(SimulatedClock::starting_at(at(0)).shared()));
    let start = || {
        let group =
            RuleGroup::new("remote").with_rules([Rule::new("X", "x > 1").with_for(Duration::from_secs(60))]);
        builder(Arc::<Fleet>::clone(&fleet), [group])
            .state(Arc::<MemoryStateStore>::clone(&store), "alerts")
            .build()
            .unwrap()
    };
    let first = start();
    for seconds in [0, 30, 60] {
        first.step(at(seconds)).await;
    }
    let second = start();
    fleet.set_away(true);
    assert!(second.step(at(75)).await.is_empty());
    assert_eq!(stands(&second).iter().filter(|(_, state)| *state == AlertState::Firing).count(), 2);
    fleet.set_away(false);
    fleet.set("x > 1", &[("x{i=\"2\"}", 2.0)]);
    let changes = second.step(at(90)).await;
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].labels.get("i"), Some("1"));
}

#[tokio::test]
async fn what_asks_nobody_leaves_groups_with_a_source_alone() {
    let fleet = Arc::new(Fleet::default());
    fleet.set("x > 1", &[("x", 2.0)]);
    let engine = builder(
        Arc::<Fleet>::clone(&fleet),
        [RuleGroup::new("remote").with_rules([Rule::new("X", "x > 1")])],
    )
    .rules([Rule::new("Own", "vector(1)")])
    .build()
    .unwrap();
    let own: Vec<String> =
        engine.evaluate_once(at(0)).iter().map(|change| change.labels.to_string()).collect();
    assert_eq!(own, ["{alertname=\"Own\"}"]);
    assert!(fleet.asked().is_empty());
    assert_eq!(engine.evaluate(at(0)).await.len(), 1);
}

/// Answers nothing, ever.
#[derive(Debug)]
struct Silent;

#[async_trait]
impl QuerySource for Silent {
    fn name(&self) -> &str {
        "silent"
    }

    async fn instant(&self, _: &str, _: DateTime<Utc>) -> Result<Answer> {
        std::future::pending().await
    }

    async fn range(&self, _: &str, _: DateTime<Utc>, _: DateTime<Utc>, _: Duration) -> Result<Answer> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_silent_source_holds_up_nobody_and_is_given_up_after_the_interval() {
    let clock = SimulatedClock::starting_at(at(0));
    let fleet = Arc::new(Fleet::default());
    fleet.set("x > 1", &[("x", 2.0)]);
    let sink = Arc::new(MemorySink::new("memory"));
    let rules = |name: &str| RuleGroup::new(name).with_interval(Duration::from_secs(10));
    let engine = AlertEngine::builder()
        .remote_rule_groups(Arc::new(Silent), [rules("silent").with_rules([Rule::new("Silent", "x > 1")])])
        .remote_rule_groups(
            Arc::<Fleet>::clone(&fleet),
            [rules("remote").with_rules([Rule::new("X", "x > 1")])],
        )
        .sink(Arc::<MemorySink>::clone(&sink))
        .clock(clock.shared())
        .build()
        .unwrap();
    let cancel = CancellationToken::new();
    let tasks = TaskSet::new(&CancellationToken::new());
    let (runner, token) = (engine.clone(), cancel.clone());
    let run = tasks.spawn(async move { runner.run(token).await });
    let settle = async || {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    };
    for _ in 0..5 {
        settle().await;
        clock.advance(Duration::from_secs(5));
    }
    settle().await;
    let told: Vec<_> = sink.notifications().iter().map(|told| told.status).collect();
    assert_eq!(told, [NotificationStatus::Firing]);
    let error = failure(&engine, "Silent").unwrap();
    assert!(error.contains("the source \"silent\" has no answer: ask query source (silent)"), "{error}");
    assert!(error.contains("give the group a longer interval or fewer rules"), "{error}");
    assert!(failure(&engine, "X").is_none());
    // It stops at once, although a question is under way.
    cancel.cancel();
    run.await.unwrap().unwrap();
}

/// A gauge for each value, away where it is none.
fn gauges(values: &[Option<u32>]) -> Vec<Sample> {
    let gauge = |(number, value): (usize, &Option<u32>)| {
        value.map(|value| {
            let labels = Labels::metric("x").with("i", &number.to_string()).with("g", ["a", "b"][number % 2]);
            Sample::new(labels, f64::from(value))
        })
    };
    values.iter().enumerate().filter_map(gauge).collect()
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(40))]
    #[test]
    fn a_source_and_the_own_store_raise_the_same_alerts(
        steps in proptest::collection::vec(proptest::collection::vec(proptest::option::weighted(0.8, 0_u32..4), 3), 1..25)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(steps));
    }
}

async fn compare(steps: Vec<Vec<Option<u32>>>) {
    let groups = || {
        let text = "{{ $labels.i }} is {{ $value }} of {{ query \"sum(x)\" | first | value }}";
        RuleGroup::new("g")
            .with_rules([RecordingRule::new("g:x:max", "max by (g) (x)").with_label("by", "rule")])
            .with_rules([
                Rule::new("High", "x > 1").with_for(Duration::from_secs(30)).with_annotation("text", text),
                Rule::new("Kept", "sum by (g) (x) > 3").with_keep_firing_for(Duration::from_secs(45)),
                Rule::new("Max", "g:x:max == 3").with_label("max", "{{ $value }}"),
                Rule::new("Grows", "delta(x[1m]) > 1"),
                Rule::new("Many", "count(ALERTS{alertstate=\"firing\"}) > 2"),
                Rule::new("Gone", "absent(x{i=\"0\"})"),
            ])
            .with_limit(9)
    };
    let now = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&now);
    let target = ClosureSource::new("x", move || Ok(gauges(&shared.lock().unwrap())));
    let clock = SimulatedClock::starting_at(at(0));
    let own = AlertEngine::builder()
        .target(Target::in_process("j", "h:1", Arc::new(target)))
        .rule_groups([groups()])
        .keep_all(Duration::from_secs(600))
        .clock(clock.shared())
        .build()
        .unwrap();
    let memory = Arc::new(MemoryQuerySource::new("memory"));
    let remote = builder(Arc::<MemoryQuerySource>::clone(&memory), [groups()]).build().unwrap();
    let mut before: Vec<Labels> = Vec::new();
    for (step, values) in steps.into_iter().enumerate() {
        let time = at(i64::try_from(step).unwrap() * 15);
        let labels = |sample: Sample| (sample.labels.with("job", "j").with("instance", "h:1"), sample.value);
        let samples: Vec<(Labels, f64)> = gauges(&values).into_iter().map(labels).collect();
        let ended = before.iter().filter(|labels| !samples.iter().any(|(own, _)| own == *labels));
        ended.for_each(|labels| assert!(memory.push(labels, time, None)));
        for (labels, value) in &samples {
            assert!(memory.push(labels, time, Some(SampleValue::Float(*value))));
        }
        before = samples.into_iter().map(|(labels, _)| labels).collect();
        *now.lock().unwrap() = values;
        assert_eq!(own.step(time).await, remote.step(time).await, "{time}");
        assert_eq!(own.alerts(), remote.alerts(), "{time}");
        let health = |engine: &AlertEngine| {
            let reports = engine.status().rules;
            reports.iter().map(|report| format!("{:?}", report.health)).collect::<Vec<_>>()
        };
        assert_eq!(health(&own), health(&remote), "{time}");
    }
}

#[tokio::test]
async fn a_rule_that_a_source_answers_is_taken_apart_by_asking_it() {
    let memory = Arc::new(MemoryQuerySource::new("memory"));
    for (labels, value) in [("used{db=\"a\"}", 45.0), ("used{db=\"b\"}", 95.0), ("limit{db=\"a\"}", 100.0)] {
        for seconds in [-15, 0] {
            memory.push(&parse_labels(labels).unwrap(), at(seconds), Some(SampleValue::Float(value)));
        }
    }
    let engine =
        engine(memory, [Rule::new("Full", "used{db=~\".+\"} / on (db) avg_over_time(limit[1m]) > 0.5")]);
    let none = Labels::empty();
    let told = engine.explain("Full", &none, at(0))[0].to_string();
    assert!(told.ends_with("> 0.5: no answer: it has not been evaluated yet, by memory"), "{told}");
    engine.step(at(0)).await;
    let told = engine.explain("Full", &none, at(0))[0].to_string();
    assert_eq!(told, "used{db=~\".+\"} / on (db) avg_over_time(limit[1m]) > 0.5: nothing, by memory");
    let told = engine.explain_by_asking("Full", &none, at(0)).await[0].to_string();
    assert_eq!(
        told,
        r#"used{db=~".+"} / on (db) avg_over_time(limit[1m]) > 0.5: nothing, by memory
  - 0 of 1 pass; nearest miss {db="a"}: 0.45 > 0.5 does not hold
  used{db=~".+"} / on (db) avg_over_time(limit[1m]): 1 sample
    - 1 of 2 on the left meet the other side, not used{db="b"}; 1 of 1 on the right meet the other side
    - {db="a"} 0.45
    used{db=~".+"}: 2 samples
      - 2 series meet all conditions, 2 meet __name__="used", 2 meet db=~".+"
      - used{db="a"} 45
      - used{db="b"} 95
    avg_over_time(limit[1m]): 1 sample
      - {db="a"} 100
      limit[1m]: 1 sample
        - 1 series meet all conditions, 1 meet __name__="limit"
        - limit{db="a"} 100"#
    );
    assert!(engine.explain_by_asking("Other", &none, at(0)).await.is_empty());
}
