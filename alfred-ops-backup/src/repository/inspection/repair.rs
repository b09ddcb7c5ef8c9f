//! Mending a backup from a second store.

use alfred_ops_core::{Error, ErrorKind, Id, JobContext, Result};
use serde::Serialize;

use super::inspector::Inspector;
use super::{Damage, InspectionDepth};
use crate::repository::Layout;
use crate::repository::header::Header;
use crate::{BlobStore, Repository};

/// What [`Repository::repair`] did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RepairReport {
    /// The backup.
    pub backup: Id,
    /// Objects that were looked at, all of them completely.
    pub objects: u64,
    /// What was wrong and is no longer.
    pub mended: Vec<Damage>,
    /// What is still wrong. These objects are as they were.
    pub unmended: Vec<Unmended>,
}

/// An object that is still damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Unmended {
    /// What is wrong.
    pub damage: Damage,
    /// Why it could not be mended.
    pub why: String,
}

impl RepairReport {
    /// Whether nothing is wrong any more.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.unmended.is_empty()
    }
}

impl Repository {
    /// Looks at everything that a backup needs, as [`inspect`](Self::inspect) does to the last bit, and puts in the place of
    /// each damaged or missing object the one of the same key in `from`: a mirror of this repository, or a copy
    /// that any tool has made. A copy is read and checked completely before it replaces anything; what `from`
    /// does not hold whole is reported and left as it is, since parts of it may still be good. Nothing is ever deleted.
    ///
    /// Each object is replaced by one write, so that a crash or an error in between leaves every object either as
    /// it was or whole; a repeat goes on. A missing commit comes back last, and only if all that it needs is whole:
    /// naming a backup that was forgotten, and that `from` still holds, brings it back. No prune may run
    /// meanwhile. An object under an Object Lock gets a new version.
    ///
    /// A repository whose header or key is so damaged that it does not open is first mended by
    /// [`repair_entrance`](Self::repair_entrance).
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] if `from` holds another repository, [`ErrorKind::NotFound`] if it holds none; the
    /// stores'. What cannot be mended is no error.
    #[tracing::instrument(skip_all, fields(%backup, repository = self.location(), from = from.location()))]
    pub async fn repair(
        &self,
        backup: Id,
        from: &dyn BlobStore,
        context: &JobContext,
    ) -> Result<RepairReport> {
        let header = header_of(from).await?;
        if header.id != self.id() {
            return Err(foreign(from, "it holds another repository"));
        }
        let mut inspector = Inspector::new(self, Some(from), backup, InspectionDepth::Content, context);
        Box::pin(inspector.run()).await?;
        let Inspector { found, mended, unmended, .. } = inspector;
        Ok(RepairReport { backup, objects: found.objects, mended, unmended })
    }
}

/// The header of the second store's repository.
async fn header_of(from: &dyn BlobStore) -> Result<Header> {
    let json = from.get(Layout::HEADER).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            Error::new(ErrorKind::NotFound, "repair", "the second store holds no repository")
                .with_target(from.location())
                .with_remedy("check its place and prefix; a copy must hold repository.json too")
        }
        _ => error,
    })?;
    Header::parse(&json, from.location())
}

/// The error for a second store that must not be used.
pub(super) fn foreign(from: &dyn BlobStore, what: &str) -> Error {
    Error::new(ErrorKind::Conflict, "repair", what).with_target(from.location()).with_remedy(
        "give a copy of this repository; if its own header may be damaged, mend that first \
             (Repository::repair_entrance, which opsctl does by itself)",
    )
}
