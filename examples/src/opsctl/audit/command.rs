//! What can be said to `opsctl audit`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::opsctl) struct AuditArguments {
    /// A Cargo.lock to look at.
    #[arg(long, requires = "advisories", required_unless_present_any = ["requirements", "image"])]
    pub(super) lockfile: Option<PathBuf>,
    /// The folder with the advisories of RustSec for it: a clone or an unpacked archive of advisory-db.
    #[arg(long, env = "ALFRED_OPS_ADVISORIES")]
    pub(super) advisories: Option<PathBuf>,
    /// A local copy of the registry's index, by which yanked versions are found.
    #[arg(long, requires = "lockfile")]
    pub(super) registry_index: Option<PathBuf>,
    /// A file of Python requirements to look at, by pip-audit. May be repeated.
    #[arg(long)]
    pub(super) requirements: Vec<PathBuf>,
    /// The program that looks at Python requirements.
    #[arg(long, default_value = "pip-audit")]
    pub(super) pip_audit: PathBuf,
    /// An image to look at, by trivy. May be repeated.
    #[arg(long)]
    pub(super) image: Vec<String>,
    /// The program that looks at images.
    #[arg(long, default_value = "trivy")]
    pub(super) trivy: PathBuf,
    /// What counts, and what is excused: a file of YAML, JSON or TOML with severity_min, unsound, unmaintained, yanked,
    /// notices, database_age_max, and a list ignored of id, reason and until.
    #[arg(long)]
    pub(super) policy: Option<PathBuf>,
}
