//! What is asked, and what comes of the answers.

use super::*;

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
