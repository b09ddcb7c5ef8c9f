//! Where Postgres' programs are.

use std::path::{Path, PathBuf};

use crate::{Error, ErrorKind, Result};

/// The folder with Postgres' server programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresBinaries(PathBuf);

impl PostgresBinaries {
    /// Debian's newest installed version, or the folder named by `ALFRED_OPS_POSTGRES_BIN`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if no server is installed.
    pub fn find() -> Result<Self> {
        if let Some(folder) = std::env::var_os("ALFRED_OPS_POSTGRES_BIN") {
            return Self::at(folder);
        }
        let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .collect();
        versions.sort();
        let newest = versions.pop().ok_or_else(|| missing(Path::new("/usr/lib/postgresql")))?;
        Self::at(newest.1)
    }

    /// The programs of one major version: Debian's, or those in the folder named by
    /// `ALFRED_OPS_POSTGRES_17_BIN` (for 17).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if that version is not installed.
    pub fn of_version(major: u32) -> Result<Self> {
        match std::env::var_os(format!("ALFRED_OPS_POSTGRES_{major}_BIN")) {
            Some(folder) => Self::at(folder),
            None => Self::at(format!("/usr/lib/postgresql/{major}/bin")).map_err(|error| {
                error.with_remedy(format!(
                    "run the tests by scripts/test, which installs it, or set ALFRED_OPS_POSTGRES_{major}_BIN"
                ))
            }),
        }
    }

    /// The programs in `folder`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no `postgres` in it.
    pub fn at(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        if folder.join("postgres").is_file() { Ok(Self(folder)) } else { Err(missing(&folder)) }
    }

    /// The path of one program, such as `pg_verifybackup`.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

fn missing(folder: &Path) -> Error {
    Error::new(ErrorKind::NotFound, "find Postgres", "no server program is there")
        .with_target(folder.display().to_string())
        .with_remedy(
            "install Debian's packages postgresql and postgresql-contrib, or set ALFRED_OPS_POSTGRES_BIN",
        )
}
