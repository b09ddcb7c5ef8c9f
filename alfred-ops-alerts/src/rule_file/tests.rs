use std::path::Path;
use std::time::Duration;

use super::*;
use crate::prometheus_config::ReadOptions;
use crate::{GroupRule, RecordingRule, Rule, RuleGroup, RuleSet, brief_rules};

fn problems(text: &str) -> Vec<String> {
    let problems = RuleFile::parse(text, &ReadOptions::new("r.yml")).unwrap_err();
    problems.0.iter().map(ToString::to_string).collect()
}

const WRONG: &str = "groups:
- name: a
  interval: 5x
  rules:
  - alert: One
    expr: |
      sum by (job) (
        rate(x[5m]
      )
    for: 5m
  - record: two
    expr: \"sum(rte(x[5m]))\"
    for: 5m
  - expr: up
  - alert: Three
    record: three
    expr: x[5m]
    labels:
      alertname: x
    annotations:
      summary: '{{ $labels.x'
- name: a
  rulez: []
";

#[test]
fn all_mistakes_are_reported_with_their_places() {
    assert_eq!(
        problems(WRONG),
        [
            "r.yml:3:13: groups[0].interval: \"5x\" is not a duration such as 15s, 5m or 1h30m (write a duration such as 15s, 5m or 1h30m)",
            "r.yml:7:20: groups[0].rules[0].expr: \"(\" is never closed",
            "r.yml:12:16: groups[0].rules[1].expr: unknown function with name \"rte\" (did you mean rate?)",
            "r.yml:13:10: groups[0].rules[1].for: a recording rule cannot have this (remove it, or make it an alert)",
            "r.yml:14:5: groups[0].rules[2].alert: the rule has neither `alert` nor `record` (add one of them)",
            "r.yml:16:13: groups[0].rules[3].record: the rule has both `alert` and `record` (make two rules of it)",
            "r.yml:17:11: groups[0].rules[3].expr: the expression is a range vector, not a vector (put a function around it)",
            "r.yml:21:17: groups[0].rules[3].annotations.summary: the action is not closed (end it with `}}`)",
            "r.yml:22:9: groups[1].name: two groups are named \"a\" (give each a name of its own)",
            "r.yml:23:3: groups[1].rulez: the field is unknown (did you mean `rules`?)",
        ]
    );
}

#[test]
fn what_is_written_reads_back_equal() {
    let group = RuleGroup::new("platform")
        .with_interval(Duration::from_secs(30))
        .with_query_offset(Duration::from_secs(60))
        .with_limit(10)
        .with_label("team", "ops")
        .with_rules(brief_rules())
        .with_rules([RecordingRule::new("job:up:sum", "sum by (job) (up)").with_label("a", "b: c")])
        .with_rules([Rule::new("A", "up == 0 # \"comment\"").with_annotation("s", "{{ $value }}\n\"x\"")]);
    let file = RuleFile::of_groups([group]);
    let mut back = RuleFile::parse(&file.to_yaml(), &ReadOptions::default()).unwrap();
    assert_eq!(back.groups.remove(0), file.groups[0]);
}

#[test]
fn twins_are_warned_of() {
    let text = "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up}\n  - {alert: A, expr: up}\n  - {alert: A, expr: up, labels: {severity: critical}}\n";
    let file = RuleFile::parse(text, &ReadOptions::new("r.yml")).unwrap();
    assert_eq!(file.warnings.len(), 1);
    assert!(
        file.warnings[0].to_string().starts_with("r.yml:5:13: groups[0].rules[1].alert: another rule"),
        "{}",
        file.warnings[0]
    );
}

#[test]
fn the_platforms_own_files_load() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/platform");
    if !folder.is_dir() {
        println!("SKIPPED: the_platforms_own_files_load (no folder ../shared/platform)");
        return;
    }
    let rules =
        ["basic.yml", "alert_rules.yml"].map(|name| RuleFile::load(&folder.join(name)).unwrap().groups);
    let names: Vec<String> =
        rules.iter().flatten().flat_map(|group| &group.rules).map(|rule| rule.name().to_owned()).collect();
    assert_eq!(names.len(), 9, "{names:?}");
    assert!(names.contains(&"PubSubBacklog".to_owned()));
    RuleSet::of_groups(rules.into_iter().flatten()).unwrap();
}

const TESTS: &str = "
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
- name: agents
  interval: 1m
  input_series:
  - series: up{job=\"a\", instance=\"x\"}
    values: 1 0 0 0 0
  - series: requests_total{job=\"a\"}
    values: 0+60x10
  alert_rule_test:
  - eval_time: 2m
    alertname: Down
    exp_alerts: []
  - eval_time: 3m
    alertname: Down
    exp_alerts:
    - exp_labels: {job: a, instance: x, severity: page}
      exp_annotations: {summary: x is down}
  promql_expr_test:
  - expr: job:requests:rate1m
    eval_time: 5m
    exp_samples:
    - labels: job:requests:rate1m{job=\"a\"}
      value: 1
  - expr: count(ALERTS) or vector(0)
    eval_time: 0
    exp_samples: [{value: 0}]
";

fn tested_groups() -> Vec<RuleGroup> {
    let down = Rule::new("Down", "up == 0")
        .with_for(Duration::from_secs(120))
        .with_label("severity", "page")
        .with_annotation("summary", "{{ $labels.instance }} is down");
    let rate = RecordingRule::new("job:requests:rate1m", "sum by (job) (rate(requests_total[2m]))");
    vec![RuleGroup::new("g").with_rules([GroupRule::from(down), rate.into()])]
}

#[test]
fn unit_tests_tell_right_from_wrong() {
    let run = |text: &str| {
        RuleTests::parse(text, &ReadOptions::new("t.yml")).unwrap().run(tested_groups()).unwrap().remove(0)
    };
    let outcome = run(TESTS);
    assert!(outcome.passed(), "{outcome:#?}");
    assert_eq!((outcome.name.as_str(), outcome.checks), ("agents", 4));
    for (right, wrong, told) in [
        ("x is down", "x is up", "alert Down at 3m: expected"),
        ("value: 1", "value: 2", "expression job:requests:rate1m at 5m: expected"),
        ("severity: page", "severity: mail", "alert Down at 3m: expected"),
        ("eval_time: 2m", "eval_time: 4m", "alert Down at 4m: expected"),
    ] {
        let outcome = run(&TESTS.replace(right, wrong));
        assert_eq!(outcome.failures.len(), 1, "{outcome:#?}");
        assert!(outcome.failures[0].starts_with(told), "{outcome:#?}");
    }
}

#[test]
fn mistakes_of_tests_are_reported_with_their_places() {
    let text = "tests:\n- input_series:\n  - series: up{\n    values: 1 2 y\n  promql_expr_test:\n  - expr: up +\n    exp_sample: []\n";
    let problems = RuleTests::parse(text, &ReadOptions::new("t.yml")).unwrap_err();
    let lines: Vec<String> = problems
        .0
        .iter()
        .map(|problem| format!("{}:{} {}", problem.line, problem.column, problem.path))
        .collect();
    assert_eq!(
        lines,
        [
            "3:16 tests[0].input_series[0].series",
            "4:13 tests[0].input_series[0].values",
            "6:15 tests[0].promql_expr_test[0].expr",
            "7:5 tests[0].promql_expr_test[0].exp_sample"
        ]
    );
}
