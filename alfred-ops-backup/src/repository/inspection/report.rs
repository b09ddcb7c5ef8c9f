//! What an inspection found.

use alfred_ops_core::{Error, ErrorKind, Id, Result};
use serde::Serialize;

use super::{Damage, DamageKind};

/// Damaged objects that an error names.
const NAMED: usize = 5;

/// How far [`Repository::inspect`](crate::Repository::inspect) looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum InspectionDepth {
    /// The small objects are read: header, key, commit, indexes. Packs and the log are looked for by listings and
    /// must be there in full length. It costs a few requests and tells nothing of changed bits in packs or log.
    Structure,
    /// Every object is read and checked to the last bit.
    #[default]
    Content,
}

/// Everything that is wrong with a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// The backup.
    pub backup: Id,
    /// How far it was looked at.
    pub depth: InspectionDepth,
    /// Objects that were looked at.
    pub objects: u64,
    /// Their bytes.
    pub stored_bytes: u64,
    /// The damaged ones. While an object is damaged, what only it tells of cannot be looked for: after a repair
    /// there may be more.
    pub damages: Vec<Damage>,
}

impl Inspection {
    pub(super) const fn new(backup: Id, depth: InspectionDepth) -> Self {
        Self { backup, depth, objects: 0, stored_bytes: 0, damages: Vec::new() }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.damages.is_empty()
    }

    /// The same as a result: an error that names the first damaged objects.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if all that is wrong is that objects are missing, [`ErrorKind::Corrupt`] otherwise.
    pub fn into_result(self) -> Result<Self> {
        if self.is_whole() {
            return Ok(self);
        }
        let missing = self.damages.iter().all(|damage| damage.kind == DamageKind::Missing);
        let kind = if missing { ErrorKind::NotFound } else { ErrorKind::Corrupt };
        let mut named: Vec<String> = self.damages.iter().take(NAMED).map(ToString::to_string).collect();
        if self.damages.len() > NAMED {
            named.push(format!("{} more", self.damages.len() - NAMED));
        }
        let what = format!("backup {} is damaged: {}", self.backup, named.join("; "));
        Err(Error::new(kind, "inspect backup", what)
            .with_remedy("repair it from a second copy of the repository, or take a new independent backup"))
    }
}
