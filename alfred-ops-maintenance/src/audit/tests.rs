//! What counts, and what scanners print.

use chrono::{DateTime, TimeDelta, Utc};

use super::scanner_output::{parse_pip_audit, parse_trivy};
use super::{
    AdvisorySeverity, AuditFacts, AuditPolicy, DependencyFinding, DependencyFlaw, DependencyScan,
    judge_dependencies,
};
use crate::ChorePlan as _;

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn finding(package: &str, flaw: DependencyFlaw) -> DependencyFinding {
    let mut finding = DependencyFinding::new(package, "1.0.0", flaw);
    finding.advisory = format!("RUSTSEC-{package}");
    finding.aliases = vec![format!("CVE-{package}")];
    finding
}

fn facts(findings: Vec<DependencyFinding>) -> AuditFacts {
    let scan = DependencyScan { findings, packages: 9, skipped: 1, database_at: Some(now()) };
    AuditFacts { scans: vec![("Cargo.lock".to_owned(), scan)], failures: Vec::new() }
}

fn zoo() -> Vec<DependencyFinding> {
    use AdvisorySeverity::{Critical, High, Low, Medium};
    use DependencyFlaw::{Notice, Unmaintained, Unsound, Vulnerable, Yanked};
    [
        ("notice", Notice),
        ("old", Unmaintained),
        ("yanked", Yanked),
        ("unsound", Unsound),
        ("low", Vulnerable(Some(Low))),
        ("medium", Vulnerable(Some(Medium))),
        ("high", Vulnerable(Some(High))),
        ("unknown", Vulnerable(None)),
        ("critical", Vulnerable(Some(Critical))),
    ]
    .map(|(name, flaw)| finding(name, flaw))
    .to_vec()
}

fn reported(policy: &AuditPolicy) -> String {
    let report = judge_dependencies(&facts(zoo()), policy, now());
    assert_eq!(report.findings.len() + report.excused.len(), zoo().len(), "each is reported or excused");
    report.findings.iter().map(|finding| finding.package.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_policy_says_what_counts_and_the_worst_comes_first() {
    let all = "critical unknown high medium low unsound yanked old";
    assert_eq!(reported(&AuditPolicy::default()), all);
    let strict = AuditPolicy::default().with_severity_min(AdvisorySeverity::High);
    assert_eq!(reported(&strict), "critical unknown high unsound yanked old", "what nobody scored stays");
    let mut narrow = strict;
    (narrow.unsound, narrow.unmaintained, narrow.yanked, narrow.notices) = (false, false, false, true);
    assert_eq!(reported(&narrow), "critical unknown high notice");
}

#[test]
fn an_advisory_is_ignored_until_its_day_by_any_of_its_ids() {
    for id in ["RUSTSEC-high", "CVE-high"] {
        let until =
            |days| AuditPolicy::default().ignoring(id, "not reachable", now() + TimeDelta::days(days));
        let Ok(policy) = until(1) else { panic!("{id}") };
        let report = judge_dependencies(&facts(zoo()), &policy, now());
        assert!(!report.findings.iter().any(|finding| finding.package == "high"), "{id}");
        assert!(report.to_string().contains("[ignored until 2024-10-05: not reachable]"), "{report}");
        let Ok(policy) = until(0) else { panic!("{id}") };
        let report = judge_dependencies(&facts(zoo()), &policy, now());
        assert!(report.findings.iter().any(|finding| finding.package == "high"), "{id}: its day has come");
        assert_eq!(report.faults.len(), 1, "{report}");
        let quiet = judge_dependencies(&facts(Vec::new()), &policy, now());
        assert_eq!(quiet.obstacles(), Vec::<String>::new(), "what is gone is nobody's concern");
    }
    for (id, reason) in [("", "why"), ("RUSTSEC-1", " ")] {
        assert!(AuditPolicy::default().ignoring(id, reason, now()).is_err(), "{id:?} {reason:?}");
    }
}

#[test]
fn an_old_database_and_failed_scanners_are_obstacles() {
    let mut facts = facts(Vec::new());
    let report = judge_dependencies(&facts, &AuditPolicy::default(), now());
    assert_eq!(report.to_string(), "9 dependencies looked up, 1 not; 0 findings");
    assert!(report.is_empty() && report.obstacles().is_empty());
    let at_limit = judge_dependencies(&facts, &AuditPolicy::default(), now() + TimeDelta::days(30));
    assert_eq!(at_limit.obstacles(), Vec::<String>::new());
    facts.failures.push("scan dependencies: no".to_owned());
    let late = judge_dependencies(&facts, &AuditPolicy::default(), now() + TimeDelta::days(31));
    let [failure, old] = &late.obstacles()[..] else { panic!("{late}") };
    assert_eq!(failure, "scan dependencies: no");
    assert!(old.contains("31 days old") && old.contains("git pull"), "{old}");
}

#[test]
fn what_two_scanners_share_is_reported_once() {
    let mut facts = facts(zoo());
    let scan = facts.scans[0].clone();
    facts.scans.push(scan);
    let report = judge_dependencies(&facts, &AuditPolicy::default(), now());
    assert_eq!((report.findings.len(), report.packages), (8, 18));
}

#[test]
fn both_forms_of_pip_audit_are_read() {
    let list = r#"[
        {"name": "flask", "version": "0.5", "vulns": [
            {"id": "PYSEC-2019-179", "fix_versions": ["1.0"], "aliases": ["CVE-2019-1010083"],
             "description": "The Pallets Project Flask before 1.0 is affected.\nMore."},
            {"id": "PYSEC-2018-66", "fix_versions": []}]},
        {"name": "jinja2", "version": "3.0.2", "vulns": []},
        {"name": "private", "skip_reason": "Dependency not found on PyPI"}]"#;
    for text in [list.to_owned(), format!(r#"{{"dependencies": {list}, "fixes": []}}"#)] {
        let Ok(scan) = parse_pip_audit(&text, "requirements.txt") else { panic!("{text}") };
        assert_eq!((scan.packages, scan.skipped, scan.findings.len()), (2, 1, 2));
        assert_eq!(
            scan.findings[0].to_string(),
            "flask 0.5 in requirements.txt: vulnerable, of unknown severity, PYSEC-2019-179 (The Pallets Project \
             Flask before 1.0 is affected.), patched in 1.0; require flask>=1.0 in requirements.txt"
        );
        assert!(scan.findings[0].is_known_as("CVE-2019-1010083"));
        assert!(
            scan.findings[1]
                .to_string()
                .ends_with("patched in no version; replace flask in requirements.txt")
        );
    }
    for text in ["", "{}", "null", r#"[{"version": "1"}]"#] {
        assert!(parse_pip_audit(text, "x").is_err(), "{text}");
    }
}

#[test]
fn reports_of_trivy_are_read() {
    let text = r#"{"SchemaVersion": 2, "ArtifactName": "app:1", "Results": [
        {"Target": "app:1 (debian 12)", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": [
            {"VulnerabilityID": "CVE-2023-1", "PkgName": "libssl3", "InstalledVersion": "3.0.9-1",
             "FixedVersion": "3.0.11-1", "Severity": "HIGH", "Title": "openssl: bad", "Status": "fixed"},
            {"VulnerabilityID": "CVE-2023-2", "PkgName": "libssl3", "InstalledVersion": "3.0.9-1",
             "Severity": "UNKNOWN"}]},
        {"Target": "Python", "Class": "lang-pkgs", "Vulnerabilities": [
            {"VulnerabilityID": "CVE-2023-3", "PkgName": "django", "InstalledVersion": "4.1",
             "FixedVersion": "4.1.10, 3.2.20", "Severity": "CRITICAL"}]},
        {"Target": "Node", "Class": "lang-pkgs"}]}"#;
    let Ok(scan) = parse_trivy(text, "app:1") else { panic!("it is a report") };
    assert_eq!(scan.packages, 2);
    let lines: Vec<String> = scan.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "libssl3 3.0.9-1 in app:1: vulnerable, high, CVE-2023-1 (openssl: bad), patched in 3.0.11-1; \
             build app:1 anew on an updated base image",
            "libssl3 3.0.9-1 in app:1: vulnerable, of unknown severity, CVE-2023-2, patched in no version; \
             remove libssl3 from app:1, or wait for a patch",
            "django 4.1 in app:1: vulnerable, critical, CVE-2023-3, patched in 4.1.10 or 3.2.20; \
             raise django and build app:1 anew",
        ]
    );
    assert!(parse_trivy(r#"{"SchemaVersion": 2}"#, "x").is_ok(), "an image in which nothing is known");
    for text in ["", "{}", r#"{"SchemaVersion": 3}"#, r#"{"SchemaVersion": 2, "Results": 1}"#] {
        assert!(parse_trivy(text, "x").is_err(), "{text}");
    }
}
