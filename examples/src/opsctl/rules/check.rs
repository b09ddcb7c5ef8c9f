//! `opsctl rules check`.

use std::path::{Path, PathBuf};

use alfred_ops_alerts::{FileProblem, GroupRule, ReadOptions, RuleFile, RuleSet};
use alfred_ops_core::Error;
use serde_json::{Value, json};

use crate::opsctl::report::Report;
use crate::opsctl::text_file::{RULES_BYTES_MAX, read};

/// Reads all files and says all that is wrong with any.
pub(super) fn run(files: &[PathBuf]) -> Report {
    let checks: Vec<FileCheck> = files.iter().map(|path| FileCheck::of(path)).collect();
    let problems: usize = checks.iter().map(|check| check.problems.len()).sum();
    let mut lines: Vec<String> = checks.iter().flat_map(FileCheck::lines).collect();
    if problems > 0 {
        lines.push(counted(problems, "mistake"));
    }
    let files: Vec<Value> = checks.iter().map(FileCheck::json).collect();
    let json = json!({ "ok": problems == 0, "problems": problems, "files": files });
    Report::new(lines.join("\n"), json).failed_if(problems > 0)
}

/// A number of things, in words.
pub(super) fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// What is said of one file.
#[derive(Debug)]
struct FileCheck {
    file: String,
    groups: usize,
    alerts: usize,
    recorded: usize,
    /// For people and for programs.
    problems: Vec<(String, Value)>,
    warnings: Vec<(String, Value)>,
}

impl FileCheck {
    fn of(path: &Path) -> Self {
        let file = path.display().to_string();
        let mut check =
            Self { file, groups: 0, alerts: 0, recorded: 0, problems: Vec::new(), warnings: Vec::new() };
        let text = match read(path, "read rule file", RULES_BYTES_MAX) {
            Ok(text) => text,
            Err(error) => {
                check.problems.push(of_error(&error));
                return check;
            }
        };
        match RuleFile::parse(&text, &ReadOptions::new(check.file.clone())) {
            Ok(read) => check.count(read),
            Err(problems) => check.problems = problems.0.iter().map(of_problem).collect(),
        }
        check
    }

    fn count(&mut self, read: RuleFile) {
        self.warnings = read.warnings.iter().map(of_problem).collect();
        self.groups = read.groups.len();
        let rules = || read.groups.iter().flat_map(|group| &group.rules);
        self.alerts = rules().filter(|rule| matches!(rule, GroupRule::Alert(_))).count();
        self.recorded = rules().count() - self.alerts;
        // What an engine would refuse beyond the file's own mistakes.
        if let Err(error) = RuleSet::of_groups(read.groups) {
            self.problems.push(of_error(&error.with_target(self.file.clone())));
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.problems.iter().map(|(line, _)| format!("! {line}")).collect();
        lines.extend(self.warnings.iter().map(|(line, _)| format!("warning: {line}")));
        if self.problems.is_empty() {
            let rules = counted(self.alerts + self.recorded, "rule");
            let groups = counted(self.groups, "group");
            lines.push(format!(
                "{}: {groups}, {rules} ({} alerting, {} recording)",
                self.file, self.alerts, self.recorded
            ));
        }
        lines
    }

    fn json(&self) -> Value {
        let values = |problems: &[(String, Value)]| -> Vec<Value> {
            problems.iter().map(|(_, value)| value.clone()).collect()
        };
        json!({
            "file": self.file, "groups": self.groups, "alerting_rules": self.alerts,
            "recording_rules": self.recorded, "problems": values(&self.problems),
            "warnings": values(&self.warnings),
        })
    }
}

/// A mistake in a file, for a person and for a program.
pub(super) fn of_problem(problem: &FileProblem) -> (String, Value) {
    let FileProblem { file, line, column, path, what, remedy, .. } = problem;
    let json =
        json!({ "file": file, "line": line, "column": column, "path": path, "what": what, "remedy": remedy });
    (problem.to_string(), json)
}

/// A file that cannot be read at all.
pub(super) fn of_error(error: &Error) -> (String, Value) {
    (error.full(), json!({ "file": error.target(), "what": error.full(), "remedy": error.remedy() }))
}
