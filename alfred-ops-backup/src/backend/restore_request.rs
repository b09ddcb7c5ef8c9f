//! What to restore, and where.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::RecoveryTarget;

/// What to restore, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoreRequest {
    /// The folder to restore into, which is empty or does not exist, or holds what an interrupted restore
    /// left.
    pub destination: PathBuf,
    /// Whether the destination may hold an older or damaged state of the same service, of which what is
    /// right stays and everything else is replaced or removed.
    pub update: bool,
    /// The moment to bring back.
    pub target: RecoveryTarget,
    /// Which line of history to follow, where a service was restored or failed over and so went on more than
    /// once from the same backup: the number of Postgres' timeline. Without one, the newest that the backup is
    /// part of.
    pub timeline: Option<u32>,
    /// How Postgres gets the log, instead of finding it in place: a `restore_command`, in which Postgres
    /// replaces `%f` by a file's name and `%p` by where it wants it, and which calls
    /// `WalFetch::fetch`. It must end with a status above 125 when it cannot tell whether there is such a file:
    /// any other failure is taken for the end of the log.
    pub log_command: Option<String>,
    /// For what was captured outside of the root (tablespaces): where each captured place goes.
    pub relocations: BTreeMap<String, PathBuf>,
}

impl RestoreRequest {
    /// The newest state, into `destination`.
    #[must_use]
    pub fn new(destination: impl Into<PathBuf>) -> Self {
        Self {
            destination: destination.into(),
            update: false,
            target: RecoveryTarget::Latest,
            timeline: None,
            log_command: None,
            relocations: BTreeMap::new(),
        }
    }

    /// Another moment.
    #[must_use]
    pub fn with_target(mut self, target: RecoveryTarget) -> Self {
        self.target = target;
        self
    }

    /// Follows another line of history than the newest.
    #[must_use]
    pub const fn with_timeline(mut self, timeline: u32) -> Self {
        self.timeline = Some(timeline);
        self
    }

    /// Leaves the log in the repository, and has Postgres ask for it by this command while it replays.
    #[must_use]
    pub fn with_log_command(mut self, command: impl Into<String>) -> Self {
        self.log_command = Some(command.into());
        self
    }

    /// Allows the destination to hold an older or damaged state of the same service: only what differs is
    /// read and written, and what does not belong there is removed.
    #[must_use]
    pub const fn with_update(mut self) -> Self {
        self.update = true;
        self
    }

    /// Puts what was captured at `place` into `folder`.
    #[must_use]
    pub fn with_relocation(mut self, place: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        self.relocations.insert(place.into(), folder.into());
        self
    }
}
