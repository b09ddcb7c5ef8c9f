//! `opsctl rules doctor`.

use std::path::PathBuf;
use std::time::Duration;

use alfred_ops_alerts::doctor::{Diagnosis, Doctor, Finding, Severity, Verdict};
use alfred_ops_alerts::{GroupRule, RuleFile};
use alfred_ops_core::{JobContext, Result};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::check::counted;
use super::playback::Playback;
use super::series_file::{SeriesFile, Untimed, show_time};
use super::source_arguments::SeriesArguments;
use crate::opsctl::report::Report;

/// Examines all rules on the series, and on what recording rules make of them.
pub(super) fn run(
    files: &[PathBuf],
    arguments: &SeriesArguments,
    every: Duration,
    context: &JobContext,
) -> Result<Report> {
    let mut groups = Vec::new();
    for path in files {
        groups.extend(RuleFile::load(path)?.groups);
    }
    let file = SeriesFile::load(&arguments.file, &arguments.reading, Untimed::Steady, context.now())?;
    // A rule on a recorded metric is judged by what is recorded, so the recording rules run first.
    let playback = Playback::play(groups, &file, every, context)?;
    let at = DateTime::from_timestamp_millis(file.at).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let doctor = Doctor::new(&playback.store, at).with_options(playback.options.clone());
    let mut lines: Vec<String> =
        file.notes.iter().chain(&playback.notes).map(|note| format!("note: {note}")).collect();
    let mut counts = [0_usize; 3];
    let mut rules = Vec::new();
    for group in &playback.groups {
        context.check("examine rules")?;
        for (rule, diagnosis) in group.group.rules.iter().zip(doctor.examine(&group.group)) {
            counts[index(diagnosis.verdict())] += 1;
            lines.extend(lines_of(&group.group.file, rule, &diagnosis));
            rules.push(json_of(&group.group.file, &diagnosis));
        }
    }
    let [can, misleading, cannot] = counts;
    lines.push(format!(
        "{} as of {}: {can} can fire or record, {misleading} mislead, {cannot} cannot",
        counted(rules.len(), "rule"),
        show_time(file.at)
    ));
    let json = json!({
        "at": show_time(file.at), "can_fire": can, "misleading": misleading, "cannot_fire": cannot,
        "notes": file.notes.iter().chain(&playback.notes).collect::<Vec<_>>(), "rules": rules,
    });
    Ok(Report::new(lines.join("\n"), json).failed_if(cannot > 0))
}

const fn index(verdict: Verdict) -> usize {
    match verdict {
        Verdict::CanFire => 0,
        Verdict::Misleading => 1,
        Verdict::CannotFire => 2,
    }
}

const fn sentence(rule: &GroupRule, verdict: Verdict) -> &'static str {
    match (rule, verdict) {
        (GroupRule::Alert(_), Verdict::CanFire) => "can fire",
        (GroupRule::Alert(_), Verdict::CannotFire) => "CANNOT FIRE",
        (GroupRule::Record(_), Verdict::CanFire) => "can record",
        (GroupRule::Record(_), Verdict::CannotFire) => "CANNOT RECORD",
        (_, Verdict::Misleading) => "misleads",
    }
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Misleading => "misleading",
        Severity::Fatal => "fatal",
    }
}

fn lines_of(file: &str, rule: &GroupRule, diagnosis: &Diagnosis) -> Vec<String> {
    let from = if file.is_empty() { String::new() } else { format!("{file}: ") };
    let verdict = sentence(rule, diagnosis.verdict());
    let mut lines = vec![format!("{from}{} / {}: {verdict}", diagnosis.group, diagnosis.rule)];
    if !diagnosis.findings.is_empty() {
        lines.push(format!("  {}", diagnosis.expr.trim().replace('\n', "\n  ")));
    }
    for finding in &diagnosis.findings {
        lines.push(format!("  {} at {}: {}", severity(finding.severity), finding.position, finding.text));
        lines.extend(finding.corrected.iter().map(|corrected| format!("    write: {corrected}")));
    }
    lines
}

fn json_of(file: &str, diagnosis: &Diagnosis) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "kind": format!("{:?}", finding.kind), "severity": severity(finding.severity),
            "line": finding.position.line, "column": finding.position.column, "text": finding.text,
            "corrected": finding.corrected,
        })
    };
    let verdict = match diagnosis.verdict() {
        Verdict::CanFire => "can_fire",
        Verdict::Misleading => "misleading",
        Verdict::CannotFire => "cannot_fire",
    };
    json!({
        "file": file, "group": diagnosis.group, "rule": diagnosis.rule, "expr": diagnosis.expr,
        "verdict": verdict, "findings": diagnosis.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}
