//! What is wrong with a database, all of it. Pure.

use std::cmp::Reverse;
use std::fmt;

use super::{
    DatabaseFacts, DatabaseFinding, DatabaseSeverity, DoctorPolicy, Gap, activity, keys, relations, standing,
};
use crate::ChorePlan;

/// What is wrong with a database, worst first, and what could not be seen. `Display` is one line each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// What is wrong.
    pub findings: Vec<DatabaseFinding>,
    /// What was not seen.
    pub gaps: Vec<Gap>,
}

/// Says what is wrong with a database, worst first. Pure: the same facts and policy give the same findings.
#[must_use]
pub fn diagnose(facts: &DatabaseFacts, policy: &DoctorPolicy) -> Vec<DatabaseFinding> {
    let mut found = Vec::new();
    relations::findings(facts, policy, &mut found);
    keys::findings(facts, policy, &mut found);
    activity::findings(facts, policy, &mut found);
    standing::findings(facts, policy, &mut found);
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

impl ChorePlan for Diagnosis {
    /// A doctor does nothing by himself.
    fn is_empty(&self) -> bool {
        true
    }

    /// Notices keep nobody from his purpose.
    fn obstacles(&self) -> Vec<String> {
        let bad = self.findings.iter().filter(|finding| finding.severity > DatabaseSeverity::Notice);
        bad.map(ToString::to_string).collect()
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            f.write_str("nothing is wrong")?;
        }
        for (number, finding) in self.findings.iter().enumerate() {
            let line_end = if number > 0 { "\n" } else { "" };
            write!(f, "{line_end}{finding}")?;
        }
        self.gaps.iter().try_for_each(|gap| write!(f, "\nnot seen: {}; {}", gap.what, gap.remedy))
    }
}
