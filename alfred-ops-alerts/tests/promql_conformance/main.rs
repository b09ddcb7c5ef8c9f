//! Runs every `*.test` file of the folder `PROMQL_TESTDATA` names (by default `../shared/promql` beside the
//! project), in the format of Prometheus' own PromQL tests. Every `eval` is one case.
//!
//! `PROMQL_TESTDATA=DIR cargo test --release -p alfred-ops-alerts --test promql_conformance -- --nocapture`

mod compare;
mod run;
mod script;

use std::path::{Path, PathBuf};

use run::Runner;

/// What of a file passed.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    passed: usize,
    failed: usize,
    /// Failed cases that do not concern native histograms.
    failed_floats: usize,
}

fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("PROMQL_TESTDATA").map(PathBuf::from);
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/promql");
    let folder = named.unwrap_or_else(default);
    folder.is_dir().then_some(folder)
}

#[test]
fn shared_cases_pass() {
    let Some(folder) = folder() else {
        println!("SKIPPED: shared_cases_pass (no folder ../shared/promql, and PROMQL_TESTDATA names none)");
        return;
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "test"))
        .collect();
    files.sort();
    let mut total = Tally::default();
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let tally = run_file(&name, &std::fs::read_to_string(file).unwrap());
        println!("{name}: {} passed, {} failed", tally.passed, tally.failed);
        total.passed += tally.passed;
        total.failed += tally.failed;
        total.failed_floats += tally.failed_floats;
    }
    println!("total: {} passed, {} failed", total.passed, total.failed);
    assert!(total.passed > 0, "no case was found in {}", folder.display());
    assert_eq!(
        total.failed, 0,
        "{} failed, {} of them without histograms",
        total.failed, total.failed_floats
    );
}

fn run_file(name: &str, text: &str) -> Tally {
    let mut tally = Tally::default();
    let mut runner = Runner::new();
    for command in script::commands(text) {
        let Some(outcome) = runner.run(&command) else { continue };
        match outcome {
            Ok(()) => tally.passed += 1,
            Err(problem) => {
                tally.failed += 1;
                tally.failed_floats += usize::from(!command.text.contains("{{"));
                println!("{name}:{}: {}\n    {problem}", command.line, command.head());
            }
        }
    }
    tally
}

#[test]
fn the_runner_tells_right_from_wrong() {
    let script = "load 1m\n  a{b=\"1\"} 1 2 3\n\neval instant at 1m a\n  a{b=\"1\"} 2\n\n\
                  eval instant at 1m a\n  a{b=\"1\"} 3\n\neval instant at 1m nonsense(\n\n\
                  eval range from 0 to 2m step 1m a\n  a{b=\"1\"} 1 2 3\n\n\
                  eval instant at 1m sum(a, 1)\n  expect fail\n\neval gibberish\n";
    let tally = run_file("runner", script);
    assert_eq!((tally.passed, tally.failed), (3, 3));
}
