//! What scanners print.

use serde::Deserialize;
use serde::de::Error as _;

use super::{AdvisorySeverity, DependencyFinding, DependencyFlaw, DependencyScan};

/// So much of a title or description is kept.
const TITLE_CHARS_MAX: usize = 120;

/// pip-audit prints an object; before its version 2.1 it was the bare list.
#[derive(Deserialize)]
#[serde(untagged)]
enum PipAudit {
    Report { dependencies: Vec<PipDependency> },
    Dependencies(Vec<PipDependency>),
}

#[derive(Deserialize)]
struct PipDependency {
    name: String,
    #[serde(default)]
    version: String,
    skip_reason: Option<String>,
    #[serde(default)]
    vulns: Vec<PipFlaw>,
}

#[derive(Deserialize)]
struct PipFlaw {
    id: String,
    #[serde(default)]
    fix_versions: Vec<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    description: String,
}

pub(super) fn parse_pip_audit(text: &str, place: &str) -> serde_json::Result<DependencyScan> {
    let (PipAudit::Report { dependencies } | PipAudit::Dependencies(dependencies)) =
        serde_json::from_str(text)?;
    let mut scan = DependencyScan::default();
    for dependency in dependencies {
        if dependency.skip_reason.is_some() {
            scan.skipped += 1;
            continue;
        }
        scan.packages += 1;
        for flaw in dependency.vulns {
            // pip-audit knows no severities.
            let kind = DependencyFlaw::Vulnerable(None);
            let mut finding = DependencyFinding::new(&dependency.name, &dependency.version, kind);
            finding.remedy = match flaw.fix_versions.first() {
                Some(version) => format!("require {}>={version} in {place}", dependency.name),
                None => format!("replace {} in {place}", dependency.name),
            };
            finding.advisory = flaw.id;
            finding.aliases = flaw.aliases;
            finding.patched = flaw.fix_versions;
            finding.title = title(&flaw.description);
            place.clone_into(&mut finding.place);
            scan.findings.push(finding);
        }
    }
    Ok(scan)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Trivy {
    schema_version: u32,
    #[serde(default)]
    results: Option<Vec<TrivyResult>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TrivyResult {
    #[serde(default)]
    class: String,
    #[serde(default)]
    packages: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(default)]
    vulnerabilities: Option<Vec<TrivyFlaw>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TrivyFlaw {
    #[serde(rename = "VulnerabilityID")]
    vulnerability_id: String,
    pkg_name: String,
    #[serde(default)]
    installed_version: String,
    #[serde(default)]
    fixed_version: String,
    #[serde(default)]
    severity: String,
    #[serde(default)]
    title: String,
}

pub(super) fn parse_trivy(text: &str, place: &str) -> serde_json::Result<DependencyScan> {
    let report: Trivy = serde_json::from_str(text)?;
    if report.schema_version != 2 {
        let fault = format!("SchemaVersion: {} is not 2", report.schema_version);
        return Err(serde_json::Error::custom(fault));
    }
    let mut scan = DependencyScan::default();
    for result in report.results.unwrap_or_default() {
        let flaws = result.vulnerabilities.unwrap_or_default();
        // Without its list of packages only those with findings are known.
        let packages = result.packages.map_or_else(|| distinct(&flaws), |packages| packages.len());
        scan.packages = scan.packages.saturating_add(u64::try_from(packages).unwrap_or(u64::MAX));
        for flaw in flaws {
            let kind = DependencyFlaw::Vulnerable(severity(&flaw.severity));
            let mut finding = DependencyFinding::new(flaw.pkg_name, flaw.installed_version, kind);
            let patched = flaw.fixed_version.split(',').map(str::trim).filter(|version| !version.is_empty());
            finding.patched = patched.map(str::to_owned).collect();
            finding.remedy = match (finding.patched.is_empty(), result.class.as_str()) {
                (false, "os-pkgs") => format!("build {place} anew on an updated base image"),
                (false, _) => format!("raise {} and build {place} anew", finding.package),
                (true, _) => format!("remove {} from {place}, or wait for a patch", finding.package),
            };
            finding.advisory = flaw.vulnerability_id;
            finding.title = title(&flaw.title);
            place.clone_into(&mut finding.place);
            scan.findings.push(finding);
        }
    }
    Ok(scan)
}

fn distinct(flaws: &[TrivyFlaw]) -> usize {
    let names = flaws.iter().map(|flaw| (&flaw.pkg_name, &flaw.installed_version));
    names.collect::<std::collections::BTreeSet<_>>().len()
}

fn severity(word: &str) -> Option<AdvisorySeverity> {
    match word {
        "LOW" => Some(AdvisorySeverity::Low),
        "MEDIUM" => Some(AdvisorySeverity::Medium),
        "HIGH" => Some(AdvisorySeverity::High),
        "CRITICAL" => Some(AdvisorySeverity::Critical),
        _ => None,
    }
}

/// The first line, shortened.
fn title(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut title: String = line.chars().take(TITLE_CHARS_MAX).collect();
    if title.len() < line.len() {
        title.push('…');
    }
    title
}
