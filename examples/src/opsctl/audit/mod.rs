//! `opsctl audit`.

mod command;
mod policy_file;

use alfred_ops_core::{JobContext, Result};
use alfred_ops_maintenance::{
    AuditPolicy, AuditReport, CargoScanner, CommandScanner, DependencyAudit, DependencyFinding,
};
use serde_json::{Value, json};

pub(super) use self::command::AuditArguments;
use self::policy_file::PolicyFile;
use super::config_file::read_config;
use super::report::Report;

pub(super) async fn run(arguments: AuditArguments, context: &JobContext) -> Result<Report> {
    let policy = match &arguments.policy {
        Some(path) => read_config::<PolicyFile>(path)?.0,
        None => AuditPolicy::default(),
    };
    let mut audit = DependencyAudit::new(policy);
    if let (Some(lockfile), Some(advisories)) = (&arguments.lockfile, &arguments.advisories) {
        let scanner = CargoScanner::new(lockfile, advisories);
        audit = audit.with_scanner(match &arguments.registry_index {
            Some(index) => scanner.with_registry_index(index),
            None => scanner,
        });
    }
    for requirements in &arguments.requirements {
        let scanner = CommandScanner::pip_audit(requirements)?;
        audit = audit.with_scanner(scanner.with_program(&arguments.pip_audit));
    }
    for image in &arguments.image {
        audit = audit.with_scanner(CommandScanner::trivy(image)?.with_program(&arguments.trivy));
    }
    Ok(told(&audit.report(context).await?))
}

fn told(report: &AuditReport) -> Report {
    let excused = report.excused.iter().map(|excused| {
        let mut finding = json_of(&excused.finding);
        finding["excuse"] = Value::from(excused.reason.as_str());
        finding
    });
    let json = json!({
        "packages": report.packages, "skipped": report.skipped,
        "findings": report.findings.iter().map(json_of).collect::<Vec<_>>(),
        "excused": excused.collect::<Vec<_>>(), "obstacles": report.faults,
    });
    let is_bad = !report.findings.is_empty() || !report.faults.is_empty();
    Report::new(report.to_string(), json).failed_if(is_bad)
}

fn json_of(finding: &DependencyFinding) -> Value {
    json!({
        "package": finding.package, "version": finding.version, "flaw": finding.flaw.to_string(),
        "advisory": finding.advisory, "aliases": finding.aliases, "title": finding.title,
        "patched": finding.patched, "place": finding.place, "remedy": finding.remedy,
    })
}
