//! `opsctl rules test`.

use std::path::{Path, PathBuf};

use alfred_ops_alerts::{ReadOptions, RuleTests, TestOutcome};
use serde_json::{Value, json};

use super::check::{counted, of_error, of_problem};
use crate::opsctl::report::Report;
use crate::opsctl::text_file::{RULES_BYTES_MAX, read};

/// Runs the tests of all files; one that cannot be read keeps no other from running.
pub(super) fn run(files: &[PathBuf]) -> Report {
    let (mut lines, mut jsons) = (Vec::new(), Vec::new());
    let (mut passed, mut failed, mut unread) = (0, 0, 0);
    for path in files {
        let file = path.display().to_string();
        lines.push(file.clone());
        match outcomes(path) {
            Ok(outcomes) => {
                let good = outcomes.iter().filter(|outcome| outcome.passed()).count();
                passed += good;
                failed += outcomes.len() - good;
                lines.extend(outcomes.iter().map(line));
                jsons
                    .push(json!({ "file": file, "tests": outcomes.iter().map(json_of).collect::<Vec<_>>() }));
            }
            Err(problems) => {
                unread += 1;
                let (texts, values): (Vec<String>, Vec<Value>) = problems.into_iter().unzip();
                lines.extend(texts.iter().map(|text| format!("  ! {text}")));
                jsons.push(json!({ "file": file, "problems": values, "tests": [] }));
            }
        }
    }
    let mut summary = format!("{} passed, {failed} failed", counted(passed, "test"));
    if unread > 0 {
        summary.push_str(&format!("; {} could not be run", counted(unread, "file")));
    }
    lines.push(summary);
    let json = json!({ "passed": passed, "failed": failed, "unread": unread, "files": jsons });
    Report::new(lines.join("\n"), json).failed_if(failed + unread > 0)
}

/// What became of a file's tests, or what is wrong with it.
fn outcomes(path: &Path) -> Result<Vec<TestOutcome>, Vec<(String, Value)>> {
    let one = |error| vec![of_error(&error)];
    let text = read(path, "read test file", RULES_BYTES_MAX).map_err(one)?;
    // Read here too, so that its mistakes come one on a line.
    RuleTests::parse(&text, &ReadOptions::new(path.display().to_string()))
        .map_err(|problems| problems.0.iter().map(of_problem).collect::<Vec<_>>())?;
    RuleTests::run_file(path).map_err(one)
}

fn line(outcome: &TestOutcome) -> String {
    let checks = counted(outcome.checks, "check");
    if outcome.passed() {
        return format!("  ok    {} ({checks})", outcome.name);
    }
    let failures =
        outcome.failures.iter().map(|failure| format!("\n        {}", failure.replace('\n', "\n        ")));
    format!("  FAIL  {} ({checks}){}", outcome.name, failures.collect::<String>())
}

fn json_of(outcome: &TestOutcome) -> Value {
    json!({
        "name": outcome.name, "checks": outcome.checks, "passed": outcome.passed(),
        "failures": outcome.failures,
    })
}
