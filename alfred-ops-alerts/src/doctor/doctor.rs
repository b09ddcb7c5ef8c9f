//! Examines rules.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::patient::Patient;
use super::{
    Diagnosis, FindingKind, Severity, exported, growth, lifetime, matching, patterns, percent, ratio,
};
use crate::promql::{Position, Query, QueryOptions, SeriesSource, Span};
use crate::rule::{GroupRule, RuleGroup};

/// How far back series are looked at.
const HISTORY: Duration = Duration::from_secs(24 * 60 * 60);

/// Says for each rule whether it can ever fire with series like those of a source, and why not.
///
/// The source should hold what the rules' targets export when all is well, for some hours if there is that much: recorded
/// series, or a store that keeps everything. A finding is fatal only if no change of values could make the rule fire; that
/// an error code has not been seen yet is no more than a note.
#[derive(Clone)]
pub struct Doctor<'s> {
    source: &'s dyn SeriesSource,
    now: i64,
    history: i64,
    options: QueryOptions,
}

impl std::fmt::Debug for Doctor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doctor")
            .field("now", &self.now)
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}

impl<'s> Doctor<'s> {
    /// A doctor who looks at `source` as of `now`, and a day back.
    #[must_use]
    pub fn new(source: &'s dyn SeriesSource, now: DateTime<Utc>) -> Self {
        let history = i64::try_from(HISTORY.as_millis()).unwrap_or(i64::MAX);
        Self { source, now: now.timestamp_millis(), history, options: QueryOptions::default() }
    }

    /// Sets how queries are evaluated.
    #[must_use]
    pub fn with_options(mut self, options: QueryOptions) -> Self {
        self.options = options;
        self
    }

    /// Examines all rules of a group.
    #[must_use]
    pub fn examine(&self, group: &RuleGroup) -> Vec<Diagnosis> {
        group.rules.iter().map(|rule| self.examine_rule(group, rule)).collect()
    }

    fn examine_rule(&self, group: &RuleGroup, rule: &GroupRule) -> Diagnosis {
        let mut diagnosis = Diagnosis {
            group: group.name.clone(),
            rule: rule.name().to_owned(),
            expr: rule.expr().to_owned(),
            findings: Vec::new(),
        };
        let query = match Query::parse(rule.expr()) {
            Ok(query) => query,
            Err(error) => {
                diagnosis.findings.push(super::Finding {
                    kind: FindingKind::Failing,
                    severity: Severity::Fatal,
                    position: error.position().unwrap_or(Position { line: 1, column: 1 }),
                    text: error.message().to_owned(),
                    corrected: None,
                });
                return diagnosis;
            }
        };
        let (for_duration, annotations) = match rule {
            GroupRule::Alert(rule) => {
                (rule.for_duration, rule.annotations.values().map(String::as_str).collect())
            }
            GroupRule::Record(_) => (Duration::ZERO, Vec::new()),
        };
        let mut patient = Patient {
            query: &query,
            for_duration,
            annotations,
            source: self.source,
            now: self.now,
            history: self.history,
            options: &self.options,
            findings: Vec::new(),
        };
        patterns::examine(&mut patient);
        exported::examine(&mut patient);
        matching::examine(&mut patient);
        ratio::examine(&mut patient);
        growth::examine(&mut patient);
        percent::examine(&mut patient);
        lifetime::examine(&mut patient);
        if let Err(error) = patient.candidates(query.root()) {
            let text = format!("it cannot be evaluated: {}", error.message());
            patient.find(FindingKind::Failing, Severity::Fatal, Span::default(), text);
        }
        let mut findings = patient.findings;
        findings.sort_by(|left, right| {
            right.severity.cmp(&left.severity).then(left.position.cmp(&right.position))
        });
        diagnosis.findings = findings;
        diagnosis
    }
}
