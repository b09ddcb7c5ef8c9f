//! Where Postgres' programs are.

use std::path::{Path, PathBuf};

use crate::{Error, ErrorKind, Result};

/// Where Debian keeps the versions that are installed.
const DEBIAN: &str = "/usr/lib/postgresql";

/// Programs that talk to servers of older versions too, so that Debian's newest may stand in for a version's own.
const CLIENTS: [&str; 6] = ["psql", "pg_basebackup", "pg_dump", "pg_restore", "pg_verifybackup", "pgbench"];

/// The folder with Postgres' server programs. Client programs that it lacks are Debian's newest.
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
        Self::at(newest_of_debian().ok_or_else(|| missing(Path::new(DEBIAN)))?)
    }

    /// The programs of one major version: Debian's, or those in the folder named by
    /// `ALFRED_OPS_POSTGRES_17_BIN` (for 17).
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if that version is not installed.
    pub fn of_version(major: u32) -> Result<Self> {
        match std::env::var_os(format!("ALFRED_OPS_POSTGRES_{major}_BIN")) {
            Some(folder) => Self::at(folder),
            None => Self::at(format!("{DEBIAN}/{major}/bin")).map_err(|error| {
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

    /// The path of one program, such as `pg_verifybackup`: this version's, or Debian's newest where a client
    /// program is missing here.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        let own = self.0.join(name);
        if self.has_own(name) || !CLIENTS.contains(&name) {
            return own;
        }
        newest_of_debian().map_or(own, |folder| folder.join(name))
    }

    /// Whether a program is of this very version. Programs that read WAL have to be.
    #[must_use]
    pub fn has_own(&self, name: &str) -> bool {
        self.0.join(name).is_file()
    }
}

/// The folder of the newest version that Debian's packages have installed.
fn newest_of_debian() -> Option<PathBuf> {
    std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .max()
        .map(|(_, folder)| folder)
}

fn missing(folder: &Path) -> Error {
    Error::new(ErrorKind::NotFound, "find Postgres", "no server program is there")
        .with_target(folder.display().to_string())
        .with_remedy(
            "install Debian's packages postgresql and postgresql-contrib, or set ALFRED_OPS_POSTGRES_BIN",
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_clients_are_those_of_debian() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("postgres"), "").unwrap();
        let lean = PostgresBinaries::at(home.path()).unwrap();
        assert!(lean.program("psql").starts_with(DEBIAN));
        assert!(lean.program("pg_waldump").starts_with(home.path()), "it reads no other version's WAL");
        std::fs::write(home.path().join("psql"), "").unwrap();
        assert!(lean.has_own("psql") && lean.program("psql").starts_with(home.path()));
    }
}
