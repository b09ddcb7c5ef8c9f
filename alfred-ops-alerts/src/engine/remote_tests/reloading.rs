//! Groups that are exchanged, and restarts.

use super::*;

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
