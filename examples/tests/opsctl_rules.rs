//! `opsctl rules` as a person runs it: on files, without a server.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const RULES: &str = "\
groups:
- name: agents
  interval: 1m
  rules:
  - record: job:errors:rate5m
    expr: sum by (job) (rate(errors_total[5m]))
  - alert: AgentDown
    expr: up == 0
    for: 2m
    labels: {severity: critical}
    annotations: {summary: '{{ $labels.instance }} does not answer'}
  - alert: Errors
    expr: job:errors:rate5m > 1
";
const SERIES: &str = "\
# An agent that goes down after two minutes, and one whose queue fails.
up{job=\"agents\", instance=\"bot:8011\"} 1 1 0x8
up{job=\"agents\", instance=\"tax:9003\"} 1x10

errors_total{job=\"agents\"} 0+6x10
";
const TESTS: &str = "\
rule_files: [rules.yml]
tests:
- name: an agent goes down
  input_series:
  - {series: 'up{instance=\"bot:8011\"}', values: 1 0x5}
  alert_rule_test:
  - {eval_time: 2m, alertname: AgentDown, exp_alerts: []}
  - eval_time: 3m
    alertname: AgentDown
    exp_alerts:
    - exp_labels: {instance: 'bot:8011', severity: critical}
      exp_annotations: {summary: 'bot:8011 does not answer'}
";
const PAGE: &str = "\
# TYPE up gauge
up{job=\"agents\",instance=\"bot:8011\"} 1
# TYPE errors_total counter
errors_total{job=\"agents\"} 7
# TYPE backends gauge
backends{job=\"postgres\",instance=\"db:9187\",datname=\"alfred\"} 40
# TYPE connections gauge
connections{job=\"postgres\",instance=\"db:9187\",server=\"db:5432\"} 100
";

/// A folder with files.
struct Desk(TempDir);

impl Desk {
    fn with(files: &[(&str, &str)]) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            std::fs::write(desk.path().join(name), text).unwrap();
        }
        desk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_opsctl"));
        command.current_dir(self.path()).arg("rules").args(arguments).output().unwrap()
    }

    /// What a person sees: the status, and both streams.
    fn text(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run(arguments);
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The command ends with this status and says all of these.
    #[track_caller]
    fn check(&self, arguments: &[&str], status: i32, told: &[&str]) -> String {
        let (code, text) = self.text(arguments);
        assert_eq!(code, Some(status), "{text}");
        for words in told {
            assert!(text.contains(words), "{words:?} is missing in:\n{text}");
        }
        text
    }
}

#[test]
fn all_mistakes_of_all_files_are_printed_with_their_places() {
    let bad = "groups:\n- name: a\n  rules:\n  - alert: A\n    expr: up ==\n    fro: 2m\n";
    let twice =
        "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up == 0}\n  - {alert: A, expr: up == 0}\n";
    let desk = Desk::with(&[("good.yml", RULES), ("bad.yml", bad), ("twice.yml", twice)]);
    desk.check(&["check", "good.yml"], 0, &["good.yml: 1 group, 3 rules (2 alerting, 1 recording)"]);
    desk.check(&["check", "twice.yml"], 0, &["warning: twice.yml:", "twice.yml: 1 group, 2 rules"]);
    desk.check(
        &["check", "good.yml", "bad.yml", "missing.yml"],
        1,
        &[
            "good.yml: 1 group, 3 rules",
            "! bad.yml:5:16: groups[0].rules[0].expr: unexpected end of input",
            "(the operator needs a right side)",
            "! bad.yml:6:5: groups[0].rules[0].fro: the field is unknown (did you mean `for`?)",
            "! read rule file (missing.yml): the file cannot be read; check the path",
            "3 mistakes",
        ],
    );
    let json = desk.json(&["check", "bad.yml", "good.yml"]);
    assert_eq!(json["ok"], false, "{json}");
    assert_eq!(json["files"][0]["problems"][1]["line"], 6, "{json}");
    assert_eq!(json["files"][0]["problems"][1]["remedy"], "did you mean `for`?", "{json}");
    assert_eq!(json["files"][1]["alerting_rules"], 2, "{json}");
}

#[test]
fn unit_tests_pass_or_fail_the_command() {
    let wrong = TESTS.replace("eval_time: 2m", "eval_time: 4m");
    let broken = TESTS.replace("eval_time: 3m", "evil_time: 3m");
    let files = [("rules.yml", RULES), ("good.yml", TESTS), ("wrong.yml", &wrong), ("broken.yml", &broken)];
    let desk = Desk::with(&files);
    let told = ["good.yml", "ok    an agent goes down (2 checks)", "1 test passed, 0 failed"];
    desk.check(&["test", "good.yml"], 0, &told);
    desk.check(
        &["test", "wrong.yml", "good.yml"],
        1,
        &[
            "FAIL  an agent goes down",
            "alert AgentDown at 4m: expected",
            "ok    an agent goes down",
            "1 failed",
        ],
    );
    desk.check(
        &["test", "broken.yml", "good.yml"],
        1,
        &["! broken.yml:8:5: tests[0].alert_rule_test[1].evil_time", "1 file could not be run", "ok    "],
    );
    let json = desk.json(&["test", "wrong.yml", "broken.yml"]);
    assert_eq!((&json["failed"], &json["unread"]), (&1.into(), &1.into()), "{json}");
    assert_eq!(json["files"][0]["tests"][0]["passed"], false, "{json}");
    assert_eq!(json["files"][1]["problems"][0]["line"], 8, "{json}");
}

#[test]
fn a_query_is_answered_on_series_of_every_form() {
    // As a Prometheus' blocks are dumped: one series after the other, times in seconds.
    let dump = "errors_total{job=\"a\"} 0 1700000000\nerrors_total{job=\"a\"} 60 1700000060\n\
                errors_total{job=\"a\"} 120 1700000120\nup{job=\"a\"} 1 1700000120\n# EOF\n";
    let desk = Desk::with(&[("series.txt", SERIES), ("page.txt", PAGE), ("dump.txt", dump)]);
    let written = ["--series", "series.txt", "--interval", "1m"];
    let at = |time| [&["query", "up"][..], &written, &["--time", time]].concat();
    desk.check(&at("1m"), 0, &["up{instance=\"bot:8011\",job=\"agents\"} 1"]);
    desk.check(&at("120"), 0, &["up{instance=\"bot:8011\",job=\"agents\"} 0"]);
    desk.check(
        &["query", "up + 1", "--series", "page.txt"],
        0,
        &["{instance=\"bot:8011\",job=\"agents\"} 2"],
    );
    desk.check(&["query", "rate(errors_total[2m])", "--series", "dump.txt"], 0, &["{job=\"a\"} 1"]);
    let json = desk.json(&["query", "errors_total[5m]", "--series", "dump.txt"]);
    assert_eq!(json["at"], "2023-11-14T22:15:20Z", "{json}");
    assert_eq!(json["result"][0]["points"][1], serde_json::json!([1_700_000_060_000_i64, "60"]), "{json}");
    let earlier =
        desk.json(&["query", "errors_total", "--series", "dump.txt", "--time", "2023-11-14T22:14:00Z"]);
    assert_eq!(earlier["result"][0]["value"], "0", "{earlier}");
}

#[test]
fn a_query_that_comes_to_nothing_says_why() {
    let desk = Desk::with(&[("page.txt", PAGE)]);
    let check = |expr: &str, told: &[&str]| desk.check(&["query", expr, "--series", "page.txt"], 0, told);
    check("down", &["nothing at", "down: there is no such series"]);
    check("sum(up{job=\"x\"}) > 1", &["up{job=\"x\"}: there are series of up, but none with these labels"]);
    check(
        "rate(errors_total[5m])",
        &["errors_total[5m] names 1 series, but none has two samples in the range at"],
    );
    check("up == 0", &["up == 0 does not hold: up is up{instance=\"bot:8011\",job=\"agents\"} 1"]);
    check(
        "backends / connections > 0.8",
        &["backends / connections: no labels of the sides agree", "datname", "server"],
    );
}

#[test]
fn mistakes_in_queries_and_series_name_place_and_remedy() {
    let broken = "up 1\nup{job=\"a\" 1\n";
    let seconds = "up 1 1700000000.5\n";
    let plain = "{__name__=\"up\", job=\"a\"} 1 1700000000000\n";
    let desk = Desk::with(&[
        ("series.txt", SERIES),
        ("page.txt", PAGE),
        ("broken.txt", broken),
        ("seconds.txt", seconds),
        ("empty.txt", "\n"),
        ("plain.txt", plain),
    ]);
    let query = |expr, file| ["query", expr, "--series", file];
    desk.check(&query("sum(rte(up[5m]))", "page.txt"), 1, &["1:5: unknown function", "did you mean rate?"]);
    desk.check(&query("up", "missing.txt"), 1, &["missing.txt", "check the path"]);
    desk.check(&query("up", "broken.txt"), 1, &["broken.txt:2", "write NAME{LABELS} VALUE"]);
    desk.check(&query("up", "seconds.txt"), 1, &["seconds.txt:1", "need # EOF as the last line"]);
    desk.check(&query("up", "plain.txt"), 1, &["plain.txt:1", "dump-openmetrics"]);
    desk.check(&query("up", "empty.txt"), 1, &["holds no sample"]);
    desk.check(&query("up", "series.txt"), 1, &["series.txt:2", "give --interval"]);
    let interval = ["--interval", "1m"];
    desk.check(&[&query("up", "broken.txt")[..], &interval].concat(), 1, &["broken.txt:2:"]);
    desk.check(
        &[&query("up", "page.txt")[..], &["--interval", "0s"]].concat(),
        2,
        &["no duration above zero"],
    );
    desk.check(&[&query("up", "page.txt")[..], &["--time", "noon"]].concat(), 2, &["seconds since 1970"]);
    let json = desk.json(&query("up +", "page.txt"));
    assert_eq!(json["kind"], "invalid_input", "{json}");
}

#[test]
fn rules_are_played_and_explained() {
    let desk = Desk::with(&[("rules.yml", RULES), ("series.txt", SERIES)]);
    let eval = ["eval", "rules.yml", "--series", "series.txt", "--interval", "1m"];
    let at = |time| [&eval[..], &["--time", time]].concat();
    desk.check(
        &at("3m"),
        0,
        &[
            "as of 3m",
            "group agents, every 1m",
            "record job:errors:rate5m: 1 sample",
            "alert AgentDown (for 2m): 1 pending",
            "the condition has held since 2m; it fires at 4m",
            "alert Errors: no alert",
            "nothing: job:errors:rate5m > 1 does not hold: job:errors:rate5m is job:errors:rate5m{job=\"agents\"} 0.06",
        ],
    );
    desk.check(
        &eval,
        0,
        &[
            "alert AgentDown (for 2m): 1 firing",
            "summary: bot:8011 does not answer",
            "went from pending to firing",
        ],
    );
    let json = desk.json(&eval);
    let down = &json["groups"][0]["rules"][1];
    assert_eq!(down["alerts"][0]["state"], "firing", "{json}");
    assert_eq!(down["alerts"][0]["fired_at"], "1970-01-01T00:04:00Z", "{json}");
    assert_eq!(down["samples"][0]["value"], "0", "{json}");
    assert_eq!(json["groups"][0]["changes"].as_array().unwrap().len(), 2, "{json}");
}

#[test]
fn a_rule_that_cannot_be_evaluated_fails_the_command() {
    let rules = "groups:\n- name: a\n  rules:\n  - alert: Twice\n    expr: up * on (job) errors_total > 0\n";
    let series =
        "up{job=\"a\",instance=\"x\"} 1\nup{job=\"a\",instance=\"y\"} 1\nerrors_total{job=\"a\"} 1\n";
    let desk = Desk::with(&[("rules.yml", rules), ("page.txt", series)]);
    let eval = ["eval", "rules.yml", "--series", "page.txt"];
    desk.check(&eval, 1, &["alert Twice: cannot be evaluated: ", "group_left"]);
    assert!(desk.json(&eval)["groups"][0]["rules"][0]["error"].is_string());
}

#[test]
fn the_doctor_tells_which_rules_cannot_fire_and_what_to_write() {
    let dead = "groups:\n- name: database\n  rules:\n  - alert: Connections\n    expr: backends / connections > 0.8\n";
    let desk = Desk::with(&[("rules.yml", RULES), ("dead.yml", dead), ("page.txt", PAGE)]);
    // The recorded metric counts as there.
    desk.check(
        &["doctor", "rules.yml", "--series", "page.txt"],
        0,
        &[
            "agents / AgentDown: can fire",
            "agents / Errors: can fire",
            "agents / job:errors:rate5m: can record",
            "3 can fire or record, 0 mislead, 0 cannot",
        ],
    );
    desk.check(
        &["doctor", "rules.yml", "dead.yml", "--series", "page.txt"],
        1,
        &[
            "dead.yml: database / Connections: CANNOT FIRE",
            "fatal at 1:",
            "write: sum by (instance, job) (backends) / max by (instance, job) (connections) > 0.8",
            "0 mislead, 1 cannot",
        ],
    );
    let json = desk.json(&["doctor", "dead.yml", "--series", "page.txt"]);
    assert_eq!(json["rules"][0]["verdict"], "cannot_fire", "{json}");
    assert_eq!(json["rules"][0]["findings"][0]["kind"], "SidesNeverMatch", "{json}");
}

#[test]
fn a_saved_page_gets_what_a_scrape_adds() {
    let desk = Desk::with(&[("rules.yml", RULES), ("page.txt", "errors_total 7\n")]);
    let doctor = ["doctor", "rules.yml", "--series", "page.txt"];
    desk.check(
        &doctor,
        1,
        &["note: the page has not the labels and the series up", "--label job=JOB", "CANNOT FIRE"],
    );
    let labels = ["--label", "job=agents", "--label", "instance=bot:8011"];
    desk.check(&[&doctor[..], &labels].concat(), 0, &["agents / AgentDown: can fire"]);
    let query = ["query", "{job=\"agents\"}", "--series", "page.txt"];
    let told = [
        "errors_total{instance=\"bot:8011\",job=\"agents\"} 7",
        "up{instance=\"bot:8011\",job=\"agents\"} 1",
    ];
    desk.check(&[&query[..], &labels].concat(), 0, &told);
    desk.check(&[&query[..], &["--label", "agents"]].concat(), 2, &["it is not NAME=VALUE"]);
    desk.check(&[&query[..], &labels, &["--interval", "1m"]].concat(), 2, &["cannot be used with"]);
}

#[test]
fn help_says_what_the_files_are() {
    let desk = Desk::with(&[]);
    desk.check(&["--help"], 0, &["check", "test", "query", "eval", "doctor"]);
    desk.check(&["query", "--help"], 0, &["dump-openmetrics", "--interval", "seconds since 1970"]);
    desk.check(&["doctor", "--help"], 0, &["twenty quiet minutes"]);
}
