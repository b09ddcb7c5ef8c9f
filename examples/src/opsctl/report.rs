//! What a command has to say.

use alfred_ops_backup::BackupRecord;
use alfred_ops_maintenance::ChoreRecord;
use chrono::{DateTime, SecondsFormat, Utc};
use indicatif::{HumanBytes, HumanDuration};
use serde_json::Value;

/// What a command has to say: to a person, and to a program.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) text: String,
    pub(super) json: Value,
    /// Whether the program ends with a status other than 0, since what it found is bad.
    pub(super) failed: bool,
}

impl Report {
    pub(super) fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, failed: false }
    }

    /// The same, as bad news if they are.
    pub(super) fn failed_if(mut self, failed: bool) -> Self {
        self.failed = failed;
        self
    }

    /// Several as one; the only one as itself.
    pub(super) fn join(mut reports: Vec<Self>) -> Self {
        if reports.len() == 1
            && let Some(report) = reports.pop()
        {
            return report;
        }
        let failed = reports.iter().any(|report| report.failed);
        let (texts, jsons): (Vec<String>, Vec<Value>) =
            reports.into_iter().map(|report| (report.text, report.json)).unzip();
        Self { text: texts.join("\n"), json: Value::Array(jsons), failed }
    }
}

/// A time, to the second.
pub(super) fn second(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// One run of a chore in full.
pub(super) fn chore_run(record: &ChoreRecord) -> String {
    let mut text = format!("{} {record}", second(record.started_at));
    for line in record.plan.lines() {
        text.push_str(&format!("\n  planned  {line}"));
    }
    for note in &record.figures.notes {
        text.push_str(&format!("\n  note     {note}"));
    }
    text
}

/// One backup in one line.
pub(super) fn line(record: &BackupRecord) -> String {
    format!(
        "{}  {}  {:<11}  {:>10}  stored {:>10}  {}",
        record.id,
        second(record.started_at),
        format!("{:?}", record.mode).to_lowercase(),
        HumanBytes(record.stats.raw_bytes).to_string(),
        HumanBytes(record.stats.stored_bytes).to_string(),
        record.source,
    )
}

/// One backup in full.
pub(super) fn paragraph(record: &BackupRecord) -> String {
    let stats = &record.stats;
    let mut text = format!(
        "backup {}\n  of        {}\n  began     {}\n  took      {}\n  holds     {} in {} files\n  received  {}\n  \
         new       {}\n  stored    {}",
        record.id,
        record.source,
        second(record.started_at),
        HumanDuration(record.duration()),
        HumanBytes(stats.raw_bytes),
        stats.files,
        HumanBytes(stats.received_bytes),
        HumanBytes(stats.new_bytes),
        HumanBytes(stats.stored_bytes),
    );
    if let Some(base) = &record.base {
        text.push_str(&format!("\n  builds on {base}"));
    }
    if let Some(note) = &record.note {
        text.push_str(&format!("\n  note      {note}"));
    }
    text
}
