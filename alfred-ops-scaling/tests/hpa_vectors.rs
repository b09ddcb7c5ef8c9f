//! Holds the behaviour of `HpaV2` against steps of a real implementation: the file `HPA_VECTORS` names (by default
//! `../shared/vectors/hpa_behavior.jsonl.gz` beside the project), a sequence a line, a step every 15 s.
//!
//! `HPA_VECTORS=FILE.jsonl.gz cargo test --release -p alfred-ops-scaling --test hpa_vectors -- --nocapture`

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use alfred_ops_scaling::{HpaBehavior, HpaHistory, HpaPolicy, HpaRules, HpaSelect};
use chrono::{DateTime, TimeDelta};
use flate2::read::GzDecoder;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Sequence {
    seq: u32,
    up: Rules,
    down: Rules,
    /// What there is, what is recommended, what becomes of it.
    steps: Vec<[u32; 3]>,
}

#[derive(Debug, Deserialize)]
struct Rules {
    w: u64,
    sel: String,
    p: String,
}

impl Rules {
    fn read(&self) -> HpaRules {
        let select = match self.sel.as_str() {
            "Max" => HpaSelect::Max,
            "Min" => HpaSelect::Min,
            "Disabled" => HpaSelect::Disabled,
            other => panic!("select {other:?}"),
        };
        HpaRules { window: Duration::from_secs(self.w), select, policies: policies(&self.p) }
    }
}

/// Reads `[{Percent 94 60} {Pods 4 15}]`.
fn policies(text: &str) -> Vec<HpaPolicy> {
    let policy = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (value, period) = (words[1].parse().unwrap(), Duration::from_secs(words[2].parse().unwrap()));
        match words[0] {
            "Pods" => HpaPolicy::pods(value, period),
            "Percent" => HpaPolicy::percent(value, period),
            other => panic!("a policy of {other:?}"),
        }
    };
    let parts = text.trim_matches(['[', ']']).split(['{', '}']);
    parts.filter(|part| !part.trim().is_empty()).map(policy).collect()
}

#[test]
fn every_step_is_that_of_kubernetes() {
    let named = std::env::var_os("HPA_VECTORS").map(PathBuf::from);
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/hpa_behavior.jsonl.gz");
    let path = named.unwrap_or_else(default);
    let Ok(file) = File::open(&path) else {
        println!(
            "SKIPPED: every_step_is_that_of_kubernetes (no file ../shared/vectors/hpa_behavior.jsonl.gz, and HPA_VECTORS names none)"
        );
        return;
    };
    let (mut passed, mut failures) = (0, Vec::new());
    for line in BufReader::new(GzDecoder::new(file)).lines() {
        let sequence: Sequence = serde_json::from_str(&line.unwrap()).unwrap();
        let behavior = HpaBehavior { up: sequence.up.read(), down: sequence.down.read() };
        let mut history = HpaHistory::default();
        let mut now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        for (step, [current, recommended, expected]) in sequence.steps.into_iter().enumerate() {
            let found = behavior.apply(&mut history, current, recommended, (1, 100), now).limited;
            if found == expected {
                passed += 1;
            } else {
                failures.push(format!(
                    "sequence {}, step {step}: {current} with {recommended} recommended became {found}, not {expected}",
                    sequence.seq
                ));
            }
            now += TimeDelta::seconds(15);
        }
    }
    println!("{passed} passed, {} failed", failures.len());
    for failure in failures.iter().take(20) {
        println!("{failure}");
    }
    assert!(failures.is_empty() && passed > 0);
}
