//! One run at a time in a folder.

use std::fs::{File, TryLockError};
use std::path::Path;

use alfred_ops_core::{Error, ErrorKind, Result, blocking};

use super::failure::kind_of;
use crate::Turn;

/// Keeps every other run of this host out of the folder for as long as it lives, whatever state store that run has.
///
/// The folder itself is locked: no file is left, and no link can stand in its place.
#[derive(Debug)]
pub(super) struct FolderLock(#[expect(dead_code, reason = "it is held, not read")] Option<File>);

impl FolderLock {
    /// Locks `folder`, at once or not at all. A file system that cannot lock folders, as NFS, is noted, and the lease must do.
    ///
    /// # Errors
    /// `Conflict` says that another run works in the folder.
    pub(super) async fn take(operation: &'static str, folder: &Path, turn: &mut Turn<'_>) -> Result<Self> {
        let path = folder.to_owned();
        let target = folder.display().to_string();
        let opened = blocking(move || File::open(path).map(|file| (file.try_lock(), file))).await?;
        let (locked, file) = opened.map_err(|error| {
            Error::new(kind_of(&error), operation, error.to_string()).with_target(target.clone())
        })?;
        match locked {
            Ok(()) => Ok(Self(Some(file))),
            Err(TryLockError::WouldBlock) => {
                let message = "another run works in the folder";
                Err(Error::new(ErrorKind::Conflict, operation, message)
                    .with_target(target)
                    .with_remedy("let it end; the next run does what is left"))
            }
            Err(TryLockError::Error(error)) => {
                turn.note(format!(
                    "{target} cannot be locked, so nothing but the lease keeps others out: {error}"
                ));
                Ok(Self(None))
            }
        }
    }
}
