//! One run at a time in a folder.

use std::fs::{File, TryLockError};
use std::path::Path;

use alfred_ops_core::{Error, Result, blocking};

use super::failure::kind_of;
use crate::{Stop, Turn};

/// Keeps every other run of this host out of the folder for as long as it lives, whatever state store that run has.
///
/// The folder itself is locked: no file is left, and no link can stand in its place.
#[derive(Debug)]
pub(super) struct FolderLock(#[expect(dead_code, reason = "it is held, not read")] Option<File>);

impl FolderLock {
    /// Locks `folder`, at once or not at all. None if another run works there: this one is stopped then, as by a gate. A file
    /// system that cannot lock folders, as NFS, is noted, and the lease must do.
    ///
    /// # Errors
    /// What keeps the folder from being opened.
    pub(super) async fn take(
        operation: &'static str,
        folder: &Path,
        turn: &mut Turn<'_>,
    ) -> Result<Option<Self>> {
        let path = folder.to_owned();
        let target = folder.display();
        let opened = blocking(move || File::open(path).map(|file| (file.try_lock(), file))).await?;
        let (locked, file) = opened.map_err(|error| {
            Error::new(kind_of(&error), operation, error.to_string()).with_target(target.to_string())
        })?;
        Ok(match locked {
            Ok(()) => Some(Self(Some(file))),
            Err(TryLockError::WouldBlock) => {
                let reason = format!("another run works in {target}");
                turn.stop(Stop::Gate { gate: "folder".to_owned(), reason });
                None
            }
            Err(TryLockError::Error(error)) => {
                turn.note(format!("{target} cannot be locked, only the lease keeps others out: {error}"));
                Some(Self(None))
            }
        })
    }
}
