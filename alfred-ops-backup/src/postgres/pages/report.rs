//! What was found of a backup's pages.

use alfred_ops_core::{Error, ErrorKind, Lsn, Result};
use serde::Serialize;

/// Pages that an error names.
const NAMED: usize = 5;

/// What [`PostgresBackend::verify_pages`](crate::PostgresBackend::verify_pages) has read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct PageReport {
    /// Files whose every byte was read and hashed.
    pub files: u64,
    /// Their bytes.
    pub raw_bytes: u64,
    /// Whether the cluster's pages carry checksums. Without, only what the repository itself knows was checked.
    pub checksums: bool,
    /// Pages whose checksum was computed.
    pub pages: u64,
    /// Pages without checksum since Postgres has written nothing to them yet.
    pub new_pages: u64,
    /// Pages that were being written while they were copied, and that the log restores: replay makes them right.
    pub torn_pages: u64,
    /// Damaged pages, in the order of files. The cluster itself held them so when they were copied.
    pub damaged: Vec<DamagedPage>,
    /// Damaged pages beyond the number that is listed.
    pub damaged_unlisted: u64,
}

/// A page that is not what Postgres wrote, and that no replay mends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DamagedPage {
    /// The file, below the data directory.
    pub path: String,
    /// The page's number in this file.
    pub block: u32,
    /// What its header says of its last change.
    pub changed: Lsn,
}

impl PageReport {
    /// The same as a result: an error that names the first damaged pages.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if any page is damaged.
    pub fn into_result(self) -> Result<Self> {
        let damaged = self.damaged.len() as u64 + self.damaged_unlisted;
        if damaged == 0 {
            return Ok(self);
        }
        let mut named: Vec<String> = self
            .damaged
            .iter()
            .take(NAMED)
            .map(|page| format!("block {} of {}", page.block, page.path))
            .collect();
        if damaged > named.len() as u64 {
            named.push(format!("{} more", damaged - named.len() as u64));
        }
        let what = format!("the backup holds damaged pages as the server had them: {}", named.join(", "));
        Err(Error::new(ErrorKind::Corrupt, "verify pages", what).with_remedy(
            "check the server's disk; restore an earlier backup, or rebuild what these files hold (REINDEX for an \
             index), and take a new full backup",
        ))
    }
}
