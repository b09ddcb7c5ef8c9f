//! What a look finds.

use crate::{SecretView, VersionState};

use super::{Generation, RotationRecord};

/// What a look finds. No value is among it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationFacts {
    /// What is known of the rotation.
    pub record: RotationRecord,
    /// What the secret store has.
    pub view: SecretView,
    /// So many still use the generation that retires, if one does, or the one that would be destroyed now.
    pub users: u64,
    /// The active one can be read and does not work. It is tried only while another retires.
    pub refused: bool,
    /// The one that retires works. It is tried only if the active one does not.
    pub returnable: bool,
}

impl RotationFacts {
    /// Whether the value of a generation can be read.
    pub(super) fn is_readable(&self, generation: &Generation) -> bool {
        let state = generation.version.and_then(|version| self.view.state_of(version));
        state == Some(VersionState::Enabled)
    }

    pub(super) fn has_readable_active(&self) -> bool {
        self.record.active().is_some_and(|active| self.is_readable(active))
    }

    /// The version of a generation is disabled, in a view that is imagined.
    pub(super) fn disable(&mut self, number: u64) {
        let version = self.record.generation(number).and_then(|generation| generation.version);
        for known in self.view.versions.iter_mut().filter(|known| Some(known.number) == version) {
            known.state = VersionState::Disabled;
        }
    }
}
