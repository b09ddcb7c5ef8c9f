//! Timelines of rules, judged by promtool.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use alfred_ops_alerts::RuleFile;
use alfred_ops_core::Labels;

use crate::chance::Chance;
use crate::era::Era;
use crate::server::program;
use crate::timeline::{Moment, Timeline, WRITTEN};

/// So many files promtool is given at a time.
const BATCH: usize = 20;

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// The test file that says of a timeline what our evaluation says of it.
fn test_file(timeline: &Timeline, moments: &[Moment], rules: &str) -> String {
    // Without it the groups are evaluated in any order, and they look at one another.
    let order: Vec<&str> = timeline.groups.iter().map(|group| group.name.as_str()).collect();
    let mut out = format!(
        "rule_files: [{}]\ngroup_eval_order: [{}]\nevaluation_interval: {}s\n",
        quoted(rules),
        order.join(", "),
        timeline.step
    );
    writeln!(out, "tests:\n- interval: {}s\n  input_series:", timeline.interval).unwrap();
    for line in &timeline.lines {
        let values = line.values.iter().map(|value| match value {
            Some(Some(value)) => value.to_string(),
            Some(None) => "stale".to_owned(),
            None => "_".to_owned(),
        });
        let values: Vec<String> = values.collect();
        writeln!(out, "  - series: {}", quoted(&line.labels.to_string())).unwrap();
        writeln!(out, "    values: {}", quoted(&values.join(" "))).unwrap();
    }
    out.push_str("  alert_rule_test:\n");
    for moment in moments {
        for (name, alerts) in &moment.firing {
            writeln!(out, "  - eval_time: {}s\n    alertname: {name}\n    exp_alerts:", moment.second)
                .unwrap();
            for (labels, annotations) in alerts {
                let labels: Vec<String> = labels
                    .iter()
                    .filter(|(name, _)| *name != "alertname")
                    .map(|(name, value)| format!("{name}: {}", quoted(value)))
                    .collect();
                let annotations: Vec<String> =
                    annotations.iter().map(|(name, value)| format!("{name}: {}", quoted(value))).collect();
                writeln!(out, "    - exp_labels: {{{}}}", labels.join(", ")).unwrap();
                writeln!(out, "      exp_annotations: {{{}}}", annotations.join(", ")).unwrap();
            }
        }
    }
    out.push_str("  promql_expr_test:\n");
    for moment in moments {
        writeln!(out, "  - expr: {}\n    eval_time: {}s\n    exp_samples:", quoted(WRITTEN), moment.second)
            .unwrap();
        for (labels, value) in &moment.written {
            let labels: &Labels = labels;
            writeln!(out, "    - labels: {}\n      value: {value:?}", quoted(&labels.to_string())).unwrap();
        }
    }
    out
}

/// Writes both files of a timeline; whether our evaluation went through.
fn write(folder: &Path, number: u64, timeline: &Timeline) -> bool {
    let rules = format!("rules{number}.yml");
    std::fs::write(folder.join(&rules), RuleFile::of_groups(timeline.groups.clone()).to_yaml()).unwrap();
    let moments = timeline.evaluate();
    let passed = moments.is_some();
    let text = test_file(timeline, &moments.unwrap_or_default(), &rules);
    std::fs::write(folder.join(format!("test{number}.yml")), text).unwrap();
    passed
}

/// Lets promtool judge what our evaluation makes of timelines by chance.
pub(crate) fn check_timelines(seed: u64, runs: u64) {
    let folder = tempfile::tempdir().unwrap();
    let (mut judged, mut refused) = (0_u64, 0_u64);
    let mut differences = Vec::new();
    for first in (0..runs).step_by(BATCH) {
        let numbers: Vec<u64> = (first..runs).take(BATCH).collect();
        let mut passing = Vec::new();
        for number in &numbers {
            // Rules that break a limit fail a test of promtool's whatever it expects.
            if write(folder.path(), *number, &Timeline::new(&Chance::new(seed, *number))) {
                passing.push(format!("test{number}.yml"));
            } else {
                refused += 1;
            }
        }
        judged += passing.len() as u64;
        let output = Command::new(program(Era::Three, "promtool"))
            .args(["test", "rules"])
            .args(&passing)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            for part in said.split("Unit Testing:").filter(|part| part.contains("FAILED")) {
                let part: String = part.chars().take(3_000).collect();
                let name = part.split_whitespace().next().unwrap_or_default().replace("test", "rules");
                let rules = std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
                differences.push(format!("{part}\n{rules}"));
            }
            assert!(!differences.is_empty(), "{said}");
        }
        if differences.len() >= 5 {
            break;
        }
    }
    println!("{judged} timelines of rules judged by promtool, {refused} others refused by a limit");
    assert!(
        differences.is_empty(),
        "{} differences with ALFRED_OPS_DIFFERENTIAL_SEED={seed}\n\n{}",
        differences.len(),
        differences.join("\n\n")
    );
}
