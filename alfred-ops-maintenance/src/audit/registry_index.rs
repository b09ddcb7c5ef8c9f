//! A local copy of a registry's index.

use std::io::ErrorKind as IoKind;
use std::path::{Path, PathBuf};

use alfred_ops_core::{Error, ErrorKind, Result};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::cargo_scanner::{fetched_at, read_bounded};

/// The largest file of the public index is far below.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One version in the index; the other fields do not matter here.
#[derive(Debug, Deserialize)]
struct Entry {
    vers: String,
    #[serde(default)]
    yanked: bool,
}

/// A local copy of a registry's index.
#[derive(Debug)]
pub(super) struct RegistryIndex<'a> {
    folder: &'a Path,
    updated_at: Option<DateTime<Utc>>,
}

impl<'a> RegistryIndex<'a> {
    /// The copy in this folder. A folder without `config.json`, which each index has, is none: in it nothing would ever be
    /// yanked.
    pub(super) fn open(folder: &'a Path) -> Result<Self> {
        let config = std::fs::metadata(folder.join("config.json")).map_err(|source| {
            Error::new(ErrorKind::NotFound, "open registry index", "there is no config.json")
                .with_target(folder.display().to_string())
                .with_remedy("run git clone https://github.com/rust-lang/crates.io-index there")
                .with_source(source)
        })?;
        // A clone that was never fetched again is as old as its files.
        let written = config.modified().ok().map(DateTime::<Utc>::from);
        Ok(Self { folder, updated_at: fetched_at(folder).max(written) })
    }

    /// When the copy was brought up to date.
    pub(super) const fn updated_at(&self) -> Option<DateTime<Utc>> {
        self.updated_at
    }

    /// Whether the index says that a version was yanked. A package that the index does not hold is not.
    pub(super) fn is_yanked(&self, package: &str, version: &str) -> Result<bool> {
        let path = self.folder.join(place(package));
        let text = match read_bounded(&path, FILE_BYTES_MAX) {
            Ok(text) => text,
            Err(error) if error.kind() == IoKind::NotFound => return Ok(false),
            Err(error) => return Err(failed(&path, "it cannot be read", error)),
        };
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let entry: Entry = serde_json::from_str(line)
                .map_err(|error| failed(&path, "a line is no entry of an index", error))?;
            if entry.vers == version {
                return Ok(entry.yanked);
            }
        }
        Ok(false)
    }
}

/// Where the index keeps a package: by the length of its name, then its first letters.
fn place(package: &str) -> PathBuf {
    let name = package.to_ascii_lowercase();
    let part = |from: usize, to: usize| name.get(from..to).unwrap_or_default().to_owned();
    match name.len() {
        0..=2 => PathBuf::from(name.len().to_string()).join(&name),
        3 => PathBuf::from("3").join(part(0, 1)).join(&name),
        _ => PathBuf::from(part(0, 2)).join(part(2, 4)).join(&name),
    }
}

fn failed(path: &Path, fault: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Corrupt, "read registry index", fault)
        .with_target(path.display().to_string())
        .with_remedy("update the copy of the index, such as by git pull")
        .with_source(source)
}
