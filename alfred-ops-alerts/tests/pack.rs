//! The rules that every installation needs, tested by a file in promtool's format: by our runner, and by promtool.
//!
//! `scripts/test` unpacks Prometheus 3 and names its folder in `ALFRED_OPS_PROMETHEUS_BIN`.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]
#![expect(clippy::expect_used, reason = "a test that cannot set itself up must fail")]

use std::path::Path;
use std::process::{Command, Output};

use alfred_ops_alerts::{
    BriefThresholds, Rule, RuleFile, RuleGroup, RuleTests, brief_rules, brief_rules_with,
};
use tempfile::TempDir;

const TESTS: &str = include_str!("pack/brief_tests.yml");

/// A folder with the test file and these rules, as the test file names them.
fn folder_with(rules: Vec<Rule>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = RuleFile::of_groups([RuleGroup::new("brief").with_rules(rules)]);
    std::fs::write(folder.path().join("brief_rules.yml"), file.to_yaml()).unwrap();
    std::fs::write(folder.path().join("brief_tests.yml"), TESTS).unwrap();
    folder
}

/// The names of the tests that fail in our runner.
fn failing(folder: &Path) -> Vec<String> {
    let outcomes = RuleTests::run_file(&folder.join("brief_tests.yml")).unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.checks > 0), "{outcomes:#?}");
    outcomes.into_iter().filter(|outcome| !outcome.passed()).map(|outcome| outcome.name).collect()
}

fn promtool(folder: &Path, arguments: &[&str]) -> Output {
    let binaries = std::env::var_os("ALFRED_OPS_PROMETHEUS_BIN").expect(
        "run the tests by scripts/test, which unpacks Prometheus 3, or set ALFRED_OPS_PROMETHEUS_BIN",
    );
    Command::new(Path::new(&binaries).join("promtool")).current_dir(folder).args(arguments).output().unwrap()
}

#[test]
fn the_pack_passes_its_tests_in_our_runner_and_in_promtool() {
    let folder = folder_with(brief_rules());
    let outcomes = RuleTests::run_file(&folder.path().join("brief_tests.yml")).unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.passed()), "{outcomes:#?}");
    let checked = promtool(folder.path(), &["check", "rules", "brief_rules.yml"]);
    assert!(checked.status.success(), "{checked:?}");
    let tested = promtool(folder.path(), &["test", "rules", "brief_tests.yml"]);
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
}

#[test]
fn the_file_a_host_reads_holds_the_rules_it_was_written_from() {
    let folder = folder_with(brief_rules());
    let groups = RuleFile::load_all(&folder.path().join("*_rules.yml")).unwrap();
    let read: Vec<_> = groups.into_iter().flat_map(|group| group.rules).collect();
    let meant: Vec<_> = brief_rules().into_iter().map(Into::into).collect();
    assert_eq!(read, meant);
}

/// Our runner and promtool both see that `rules` are not the pack: these tests fail in both, and no other.
#[track_caller]
fn check_broken(rules: Vec<Rule>, expected: &[String]) {
    let folder = folder_with(rules);
    assert_eq!(failing(folder.path()), expected);
    let tested = promtool(folder.path(), &["test", "rules", "brief_tests.yml"]);
    let said = String::from_utf8_lossy(&tested.stderr);
    assert!(!tested.status.success(), "{said}");
    for rule in brief_rules() {
        for case in ["fires", "is quiet"] {
            let name = format!("{} {case}", rule.name);
            assert_eq!(said.contains(&name), expected.contains(&name), "{name}: {said}");
        }
    }
}

#[test]
fn every_rule_has_a_case_that_fires_and_one_that_is_quiet() {
    // Rules that cannot fire, and rules that always do. Each test looks at one rule only.
    for (expr, cases) in [("vector(0) > 1", &["fires"][..]), ("vector(1)", &["fires", "is quiet"])] {
        let mut rules = brief_rules();
        rules.iter_mut().for_each(|rule| expr.clone_into(&mut rule.expr));
        let names = brief_rules().into_iter().map(|rule| rule.name);
        let failing = names.flat_map(|name| cases.iter().map(move |case| format!("{name} {case}")));
        check_broken(rules, &failing.collect::<Vec<_>>());
    }
}

#[test]
fn a_limit_that_is_wrong_is_noticed() {
    for (limit, failing) in
        [(0.95, "DatabaseConnectionsHigh fires"), (0.75, "DatabaseConnectionsHigh is quiet")]
    {
        let mut thresholds = BriefThresholds::default();
        thresholds.connections_ratio = limit;
        check_broken(brief_rules_with(&thresholds), &[failing.to_owned()]);
    }
}
