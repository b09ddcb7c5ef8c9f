//! What is wrong with a database, all of it. Pure.

use std::cmp::Reverse;
use std::fmt;

use super::{
    DatabaseFacts, DatabaseFault, DatabaseFinding, DatabaseRemedy, DatabaseSeverity, DoctorPolicy, Gap,
    activity, keys, relations, standing,
};
use crate::ChorePlan;

/// What is wrong with a database, worst first, and what could not be seen. `Display` is one line each, and says that nothing
/// is wrong only of what was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// What is wrong.
    pub findings: Vec<DatabaseFinding>,
    /// What was not seen.
    pub gaps: Vec<Gap>,
}

impl Diagnosis {
    /// Whether every question was answered, or was not for a reason that stays until somebody removes it. If not, another look
    /// may find more: that nothing was found says nothing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.gaps.iter().any(|gap| gap.is_passing)
    }

    /// Of the findings of an `earlier` diagnosis of the same database those that are gone. None where something that the
    /// earlier one saw was not seen now, whatever it was: a finding that nobody looked for is not gone.
    #[must_use]
    pub fn resolved_since<'a>(&self, earlier: &'a Self) -> Vec<&'a DatabaseFinding> {
        if !self.is_whole() || self.gaps.iter().any(|gap| !earlier.gaps.contains(gap)) {
            return Vec::new();
        }
        let is_still = |finding: &DatabaseFinding| {
            self.findings.iter().any(|now| now.fault == finding.fault && now.place == finding.place)
        };
        earlier.findings.iter().filter(|finding| !is_still(finding)).collect()
    }
}

/// Says what is wrong with a database, worst first. Pure: the same facts and policy give the same findings.
#[must_use]
pub fn diagnose(facts: &DatabaseFacts, policy: &DoctorPolicy) -> Vec<DatabaseFinding> {
    let mut found = Vec::new();
    relations::findings(facts, policy, &mut found);
    keys::findings(facts, policy, &mut found);
    activity::findings(facts, policy, &mut found);
    standing::findings(facts, policy, &mut found);
    if facts.is_standby {
        found = found.into_iter().filter_map(of_standby).collect();
    }
    found.retain(|finding| !policy.accepts(finding));
    found.sort_by(|one, other| {
        (Reverse(one.severity), one.fault, &one.place).cmp(&(
            Reverse(other.severity),
            other.fault,
            &other.place,
        ))
    });
    found
}

/// What a finding on a standby is worth. Its own counts of reads, writes and dead rows say nothing of the primary, where all
/// that is written is written.
fn of_standby(mut finding: DatabaseFinding) -> Option<DatabaseFinding> {
    use DatabaseFault::{AutovacuumOff, NotAnalyzed, SequentialScans, UnusedIndex, VacuumBehind};
    if matches!(finding.fault, AutovacuumOff | NotAnalyzed | SequentialScans | UnusedIndex | VacuumBehind) {
        return None;
    }
    if let DatabaseRemedy::Run(statement) = finding.remedy {
        finding.remedy = DatabaseRemedy::Do(format!("on the primary run {statement}"));
    }
    Some(finding)
}

impl ChorePlan for Diagnosis {
    /// A doctor does nothing by himself.
    fn is_empty(&self) -> bool {
        true
    }

    /// Notices keep nobody from his purpose, nor does what the role may never see; what was not answered this time does.
    fn obstacles(&self) -> Vec<String> {
        let bad = self.findings.iter().filter(|finding| finding.severity > DatabaseSeverity::Notice);
        let unanswered = self.gaps.iter().filter(|gap| gap.is_passing);
        bad.map(ToString::to_string).chain(unanswered.map(ToString::to_string)).collect()
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            f.write_str(if self.gaps.is_empty() {
                "nothing is wrong"
            } else {
                "nothing is wrong in what was seen"
            })?;
        }
        for (number, finding) in self.findings.iter().enumerate() {
            let line_end = if number > 0 { "\n" } else { "" };
            write!(f, "{line_end}{finding}")?;
        }
        self.gaps.iter().try_for_each(|gap| write!(f, "\n{gap}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{SequenceView, SlotView, TableView};

    fn finding(place: &str) -> DatabaseFinding {
        let remedy = DatabaseRemedy::Run("DROP INDEX i".to_owned());
        DatabaseFinding::new(DatabaseFault::InvalidIndex, DatabaseSeverity::Warning, place, "9 bytes", remedy)
    }

    #[test]
    fn a_question_without_an_answer_is_an_obstacle_and_resolves_nothing() {
        let check = |findings: &[&str], gaps: &[Gap], text: &str, obstacles: usize, resolved: &[&str]| {
            let earlier = Diagnosis {
                findings: vec![finding("one"), finding("two")],
                gaps: vec![Gap::new("statements", "load it")],
            };
            let findings = findings.iter().map(|place| finding(place)).collect();
            let now = Diagnosis { findings, gaps: gaps.to_vec() };
            let told = now.to_string();
            assert!(told.starts_with(text), "{told}");
            assert_eq!(now.obstacles().len(), obstacles, "{told}");
            assert_eq!(now.is_whole(), !gaps.iter().any(|gap| gap.is_passing), "{told}");
            let places = now.resolved_since(&earlier).into_iter().map(|finding| finding.place.as_str());
            assert_eq!(places.collect::<Vec<_>>(), resolved, "{told}");
        };
        let (known, new) = (Gap::new("statements", "load it"), Gap::new("indexes", "grant it"));
        let busy = Gap::passing("indexes", "look again later");
        check(&[], &[], "nothing is wrong", 0, &["one", "two"]);
        check(&[], std::slice::from_ref(&known), "nothing is wrong in what was seen\n", 0, &["one", "two"]);
        check(&["two"], std::slice::from_ref(&known), "warning: invalid-index: two: ", 1, &["one"]);
        // A right that was taken away is no new gap of the run, and yet hides what was there.
        check(&[], &[new], "nothing is wrong in what was seen\nnot seen: indexes; grant it", 0, &[]);
        check(&[], &[busy], "nothing is wrong in what was seen\nnot seen: indexes; look again later", 1, &[]);
        check(&["two"], &[known, Gap::passing("ages", "later")], "warning: ", 2, &[]);
    }

    #[test]
    fn of_a_standby_nothing_is_told_that_its_own_counts_say_of_the_primary() {
        let facts = |is_standby| DatabaseFacts {
            tables: vec![TableView {
                name: "public.t".to_owned(),
                kind: 'r',
                bytes: 1 << 40,
                rows: Some(1_000),
                dead: 1 << 30,
                autovacuum: true,
                has_statistics: false,
                seq_scans: 1 << 20,
                seq_rows: 1 << 40,
                fill_factor: 100,
                ..TableView::default()
            }],
            sequences: vec![SequenceView {
                name: "public.s".to_owned(),
                last: Some(95),
                min: 1,
                max: 100,
                step: 1,
                ..SequenceView::default()
            }],
            slots: vec![SlotView {
                name: "s".to_owned(),
                wal_status: "lost".to_owned(),
                ..SlotView::default()
            }],
            is_standby,
            ..DatabaseFacts::default()
        };
        let told = |is_standby| -> Vec<&str> {
            let found = diagnose(&facts(is_standby), &DoctorPolicy::default());
            found.iter().map(|finding| finding.fault.name()).collect()
        };
        assert_eq!(
            told(false),
            ["exhausted-sequence", "vacuum-behind", "lost-slot", "sequential-scans", "not-analyzed"]
        );
        assert_eq!(told(true), ["exhausted-sequence", "lost-slot"]);
        let moved = of_standby(finding("i")).map(|finding| finding.remedy);
        assert_eq!(moved, Some(DatabaseRemedy::Do("on the primary run DROP INDEX i".to_owned())));
    }
}
