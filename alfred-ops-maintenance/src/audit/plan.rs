//! Which findings count. Pure.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::{AuditFacts, AuditPolicy, DependencyFinding, DependencyFlaw};
use crate::ChorePlan;

/// A finding that is not reported.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExcusedFinding {
    /// What was found.
    pub finding: DependencyFinding,
    /// Why it is not reported.
    pub reason: String,
}

/// What was found, and what of it counts. There is nothing to do for a machine: what counts is an obstacle, which makes the
/// run an ineffective one and so raises the alarm that every such chore raises.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditReport {
    /// How many dependencies were looked up.
    pub packages: u64,
    /// How many could not be.
    pub skipped: u64,
    /// What counts, worst first.
    pub findings: Vec<DependencyFinding>,
    /// What does not.
    pub excused: Vec<ExcusedFinding>,
    /// What makes the report less than whole, each with its remedy.
    pub faults: Vec<String>,
}

/// Judges what was found. Pure. Findings that two scanners share in one place are reported once.
#[must_use]
pub fn judge_dependencies(facts: &AuditFacts, policy: &AuditPolicy, now: DateTime<Utc>) -> AuditReport {
    let mut report = AuditReport { faults: facts.failures.clone(), ..AuditReport::default() };
    let mut found: Vec<&DependencyFinding> = Vec::new();
    for (scanner, scan) in &facts.scans {
        report.packages = report.packages.saturating_add(scan.packages);
        report.skipped = report.skipped.saturating_add(scan.skipped);
        report.faults.extend(scan.database_at.and_then(|time| stale(scanner, time, policy, now)));
        found.extend(&scan.findings);
    }
    found.sort_by(|a, b| weight(b).cmp(&weight(a)).then_with(|| a.cmp(b)));
    found.dedup();
    for finding in found {
        match excuse(finding, policy, now) {
            Some(reason) => report.excused.push(ExcusedFinding { finding: finding.clone(), reason }),
            None => report.findings.push(finding.clone()),
        }
    }
    for ignored in policy.ignored.iter().filter(|ignored| ignored.until <= now) {
        if report.findings.iter().any(|finding| finding.is_known_as(&ignored.id)) {
            report.faults.push(format!(
                "{} was ignored until {} ({}); fix it, or ignore it anew with a reason",
                ignored.id,
                ignored.until.date_naive(),
                ignored.reason
            ));
        }
    }
    report
}

/// What nobody has scored may be the worst.
fn weight(finding: &DependencyFinding) -> u8 {
    use super::AdvisorySeverity::{Critical, High, Low, Medium};
    match finding.flaw {
        DependencyFlaw::Vulnerable(Some(Critical)) => 8,
        DependencyFlaw::Vulnerable(None) => 7,
        DependencyFlaw::Vulnerable(Some(High)) => 6,
        DependencyFlaw::Vulnerable(Some(Medium)) => 5,
        DependencyFlaw::Vulnerable(Some(Low)) => 4,
        DependencyFlaw::Unsound => 3,
        DependencyFlaw::Yanked => 2,
        DependencyFlaw::Unmaintained => 1,
        DependencyFlaw::Notice => 0,
    }
}

fn excuse(finding: &DependencyFinding, policy: &AuditPolicy, now: DateTime<Utc>) -> Option<String> {
    let wanted = match finding.flaw {
        DependencyFlaw::Vulnerable(severity) => {
            severity.is_none_or(|severity| severity >= policy.severity_min)
        }
        DependencyFlaw::Unsound => policy.unsound,
        DependencyFlaw::Unmaintained => policy.unmaintained,
        DependencyFlaw::Yanked => policy.yanked,
        DependencyFlaw::Notice => policy.notices,
    };
    if !wanted {
        return Some("the policy does not ask for it".to_owned());
    }
    let ignored =
        policy.ignored.iter().find(|ignored| ignored.until > now && finding.is_known_as(&ignored.id))?;
    Some(format!("ignored until {}: {}", ignored.until.date_naive(), ignored.reason))
}

fn stale(scanner: &str, at: DateTime<Utc>, policy: &AuditPolicy, now: DateTime<Utc>) -> Option<String> {
    let limit = TimeDelta::from_std(policy.database_age_max).unwrap_or(TimeDelta::MAX);
    let age = now.signed_duration_since(at);
    (age > limit).then(|| {
        format!(
            "the advisories for {scanner} are {} days old, of {}; update their folder, such as by git pull",
            age.num_days(),
            at.date_naive()
        )
    })
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { packages, skipped, findings, excused, .. } = self;
        write!(f, "{packages} dependencies looked up, {skipped} not; {} findings", findings.len())?;
        for finding in findings {
            write!(f, "\n{finding}")?;
        }
        for ExcusedFinding { finding, reason } in excused {
            write!(f, "\nnot reported: {finding} [{reason}]")?;
        }
        for fault in &self.faults {
            write!(f, "\nobstacle: {fault}")?;
        }
        Ok(())
    }
}

impl ChorePlan for AuditReport {
    /// Always: what is to be done is a person's.
    fn is_empty(&self) -> bool {
        true
    }

    /// What makes the report less than whole comes first: of a long text the history keeps the beginning.
    fn obstacles(&self) -> Vec<String> {
        self.faults.iter().cloned().chain(self.findings.iter().map(ToString::to_string)).collect()
    }
}
