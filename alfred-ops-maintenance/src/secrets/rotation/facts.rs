//! What a look finds.

use crate::SecretView;

use super::RotationRecord;

/// What a look finds. No value is among it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationFacts {
    /// What is known of the rotation.
    pub record: RotationRecord,
    /// What the secret store has.
    pub view: SecretView,
    /// So many still use the generation that retires, if one does.
    pub users: u64,
}
