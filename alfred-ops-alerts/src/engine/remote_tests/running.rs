//! Groups with a source beside those without one.

use super::*;

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
