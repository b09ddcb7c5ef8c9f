//! A `Cargo.lock` against a folder of advisories.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use alfred_ops_core::{Error, ErrorKind, JobContext, Result, blocking};
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, Utc};
use rustsec::advisory::{Informational, Severity};
use rustsec::database::Query;
use rustsec::{Collection, Database, Lockfile, Vulnerability};

use super::registry_index::RegistryIndex;
use super::{AdvisorySeverity, DependencyFinding, DependencyFlaw, DependencyScan, DependencyScanner};

/// The lock files of the largest workspaces have a tenth of it.
const LOCKFILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Looks a `Cargo.lock` up in a folder that holds the database of `RustSec` (a clone or an unpacked archive of
/// `advisory-db`), which the host keeps up to date. It uses no network.
///
/// Only packages of crates.io are looked up. How old the database is tells its newest advisory, or the last `git fetch` that
/// succeeded if that is later. Yanked versions are found if there is a local copy of the registry's index; if that is
/// older, its age counts.
#[derive(Debug, Clone)]
pub struct CargoScanner {
    name: String,
    lockfile: PathBuf,
    database: PathBuf,
    index: Option<PathBuf>,
}

impl CargoScanner {
    /// A scanner of `lockfile` with the advisories below `database`. Nothing is read yet.
    #[must_use]
    pub fn new(lockfile: impl Into<PathBuf>, database: impl Into<PathBuf>) -> Self {
        let lockfile = lockfile.into();
        Self { name: lockfile.display().to_string(), lockfile, database: database.into(), index: None }
    }

    /// Finds yanked versions by this copy of the registry's index (a clone of `crates.io-index`, with its `config.json`).
    #[must_use]
    pub fn with_registry_index(mut self, index: impl Into<PathBuf>) -> Self {
        self.index = Some(index.into());
        self
    }

    fn look(&self) -> Result<DependencyScan> {
        let lockfile = self.read_lockfile()?;
        let database = self.read_database()?;
        let index = self.index.as_deref().map(RegistryIndex::open).transpose()?;
        let mut scan = DependencyScan { database_at: self.database_at(&database), ..Default::default() };
        if let Some(index) = &index {
            // What is known of the whole is as old as its oldest part.
            scan.database_at = scan.database_at.min(index.updated_at());
        }
        let public = |source: Option<&rustsec::SourceId>| source.is_some_and(|id| id.is_default_registry());
        for package in &lockfile.packages {
            if !public(package.source.as_ref()) {
                scan.skipped += 1;
                continue;
            }
            scan.packages += 1;
            let (name, version) = (package.name.as_str(), package.version.to_string());
            let Some(index) = &index else { continue };
            if index.is_yanked(name, &version)? {
                let finding = DependencyFinding::new(name, &version, DependencyFlaw::Yanked);
                scan.findings.push(self.placed(finding, format!("run cargo update -p {name}@{version}")));
            }
        }
        let all = Query::new().collection(Collection::Crates).withdrawn(false);
        let found = database.query_vulnerabilities(&lockfile, &all);
        scan.findings.extend(found.iter().map(|found| self.finding(found)));
        Ok(scan)
    }

    fn read_lockfile(&self) -> Result<Lockfile> {
        let failed = |kind, fault: &'static str, remedy: &'static str| {
            Error::new(kind, "read lock file", fault).with_target(&self.name).with_remedy(remedy)
        };
        let text = read_bounded(&self.lockfile, LOCKFILE_BYTES_MAX).map_err(|source| {
            failed(
                ErrorKind::NotFound,
                "it cannot be read",
                "check the path, and ship Cargo.lock with the host",
            )
            .with_source(source)
        })?;
        text.parse().map_err(|source: rustsec::cargo_lock::Error| {
            failed(ErrorKind::InvalidInput, "it is no Cargo.lock", "run cargo generate-lockfile")
                .with_source(source)
        })
    }

    fn read_database(&self) -> Result<Database> {
        let folder = self.database.display().to_string();
        let crates = self.database.join("crates");
        if !crates.is_dir() {
            return Err(Error::new(
                ErrorKind::NotFound,
                "open advisories",
                format!("there is no folder {}", crates.display()),
            )
            .with_target(folder)
            .with_remedy("run git clone https://github.com/rustsec/advisory-db there"));
        }
        Database::open(&self.database).map_err(|source| {
            Error::new(ErrorKind::Corrupt, "open advisories", source.to_string())
                .with_target(folder)
                .with_remedy("restore the folder, such as by git checkout, or update this library")
                .with_source(source)
        })
    }

    fn database_at(&self, database: &Database) -> Option<DateTime<Utc>> {
        let newest = database.iter().map(|advisory| advisory.date().as_str()).max();
        let newest = newest
            .and_then(|date| date.parse::<NaiveDate>().ok())
            .and_then(|date| date.and_hms_opt(0, 0, 0))
            .map(|time| time.and_utc());
        // Without an advisory it is as old as can be.
        Some(newest.max(fetched_at(&self.database)).unwrap_or(DateTime::UNIX_EPOCH))
    }

    fn finding(&self, found: &Vulnerability) -> DependencyFinding {
        let (name, version) = (found.package.name.as_str(), found.package.version.to_string());
        let flaw = match &found.advisory.informational {
            None => {
                DependencyFlaw::Vulnerable(found.advisory.cvss.as_ref().map(|cvss| severity(cvss.severity())))
            }
            Some(Informational::Unsound) => DependencyFlaw::Unsound,
            Some(Informational::Unmaintained) => DependencyFlaw::Unmaintained,
            Some(_) => DependencyFlaw::Notice,
        };
        let mut finding = DependencyFinding::new(name, &version, flaw);
        finding.advisory = found.advisory.id.to_string();
        finding.aliases = found.advisory.aliases.iter().map(ToString::to_string).collect();
        finding.title.clone_from(&found.advisory.title);
        finding.patched = found.versions.patched().iter().map(ToString::to_string).collect();
        let remedy = if finding.patched.is_empty() {
            format!("replace it: run cargo tree -i {name}@{version} to see who uses it")
        } else {
            format!("run cargo update -p {name}@{version}, or raise what depends on it")
        };
        self.placed(finding, remedy)
    }

    fn placed(&self, mut finding: DependencyFinding, remedy: String) -> DependencyFinding {
        finding.place.clone_from(&self.name);
        finding.remedy = remedy;
        finding
    }
}

#[async_trait]
impl DependencyScanner for CargoScanner {
    fn name(&self) -> &str {
        &self.name
    }

    /// # Errors
    /// [`ErrorKind::NotFound`] if the lock file, the database or the index is not there, [`ErrorKind::InvalidInput`] if the lock file
    /// does not parse, [`ErrorKind::Corrupt`] if an advisory or the index does not.
    async fn scan(&self, _: &JobContext) -> Result<DependencyScan> {
        let scanner = self.clone();
        blocking(move || scanner.look()).await?
    }
}

fn severity(severity: Severity) -> AdvisorySeverity {
    match severity {
        Severity::None | Severity::Low => AdvisorySeverity::Low,
        Severity::Medium => AdvisorySeverity::Medium,
        Severity::High => AdvisorySeverity::High,
        Severity::Critical => AdvisorySeverity::Critical,
    }
}

/// When the last `git fetch` of a clone succeeded. One that fails leaves an empty file.
pub(super) fn fetched_at(clone: &Path) -> Option<DateTime<Utc>> {
    let told = std::fs::metadata(clone.join(".git/FETCH_HEAD")).ok()?;
    let changed = (told.len() > 0).then(|| told.modified().ok())?;
    changed.map(DateTime::from)
}

/// Reads a text that may not be longer.
pub(super) fn read_bounded(path: &Path, bytes_max: u64) -> std::io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(bytes_max.saturating_add(1)).read_to_string(&mut text)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > bytes_max {
        return Err(std::io::Error::other(format!("it has more than {bytes_max} bytes")));
    }
    Ok(text)
}
