//! The unprivileged account that servers run as.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::{Error, ErrorKind, Result};

/// The account that test servers run as: the present one, or `postgres` where that is root (Postgres
/// refuses to run as root).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    drop_to: Option<(u32, u32)>,
}

impl Account {
    /// Finds the account.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if this process is root and there is no account `postgres`.
    pub fn find() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self { drop_to: None });
        }
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let ids = passwd.lines().find_map(|line| {
            let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        });
        ids.map(|ids| Self { drop_to: Some(ids) }).ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                "start a test server",
                "this is root and there is no account \"postgres\"",
            )
            .with_remedy("install Debian's package postgresql, or run as another user")
        })
    }

    /// Makes `command` run as this account.
    pub fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        if let Some((user, group)) = self.drop_to {
            command.uid(user).gid(group);
        }
        command
    }

    /// A new temporary folder that this account may enter, removed with its owner.
    ///
    /// # Errors
    /// The file system's.
    pub fn private_folder(&self, prefix: &str) -> Result<TempDir> {
        let folder = tempfile::Builder::new().prefix(prefix).tempdir().map_err(|source| {
            Error::new(ErrorKind::Unavailable, "make a temporary folder", "the file system refused")
                .with_source(source)
        })?;
        self.own(folder.path())?;
        Ok(folder)
    }

    /// Gives a file or folder (not what is in it) to this account.
    ///
    /// # Errors
    /// The file system's, with the path.
    pub fn own(&self, path: &Path) -> Result<()> {
        let Some((user, group)) = self.drop_to else { return Ok(()) };
        chown(path, Some(user), Some(group)).map_err(|source| {
            Error::new(ErrorKind::PermissionDenied, "change owner", "the file system refused")
                .with_target(path.display().to_string())
                .with_source(source)
        })
    }

    /// Gives a folder and all that is in it to this account. Symbolic links are not followed.
    ///
    /// # Errors
    /// The file system's, with the path.
    pub fn own_tree(&self, path: &Path) -> Result<()> {
        if self.drop_to.is_none() {
            return Ok(());
        }
        self.own(path)?;
        let unreadable = |source: std::io::Error| {
            Error::new(ErrorKind::PermissionDenied, "change owner", "the folder cannot be read")
                .with_target(path.display().to_string())
                .with_source(source)
        };
        for entry in std::fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let kind = entry.file_type().map_err(unreadable)?;
            if kind.is_dir() {
                self.own_tree(&entry.path())?;
            } else if kind.is_file() {
                self.own(&entry.path())?;
            }
        }
        Ok(())
    }
}
