//! What a rule does.

use std::fmt;

/// What a relabelling rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RelabelAction {
    /// Sets the target label to the expanded replacement where the regex matches; an empty result removes it.
    #[default]
    Replace,
    /// Keeps what the regex matches and drops the rest.
    Keep,
    /// Drops what the regex matches.
    Drop,
    /// Keeps what has the joined source values in its target label.
    KeepEqual,
    /// Drops what has the joined source values in its target label.
    DropEqual,
    /// Sets the target label to the MD5 hash of the joined source values, modulo the modulus.
    HashMod,
    /// Copies labels whose name the regex matches to the name that the replacement gives.
    LabelMap,
    /// Removes labels whose name the regex matches.
    LabelDrop,
    /// Removes labels whose name the regex does not match.
    LabelKeep,
    /// Sets the target label to the joined source values in lower case.
    Lowercase,
    /// Sets the target label to the joined source values in upper case.
    Uppercase,
}

impl RelabelAction {
    /// All actions.
    pub const ALL: [Self; 11] = [
        Self::Replace,
        Self::Keep,
        Self::Drop,
        Self::KeepEqual,
        Self::DropEqual,
        Self::HashMod,
        Self::LabelMap,
        Self::LabelDrop,
        Self::LabelKeep,
        Self::Lowercase,
        Self::Uppercase,
    ];

    /// The word of a configuration file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Keep => "keep",
            Self::Drop => "drop",
            Self::KeepEqual => "keepequal",
            Self::DropEqual => "dropequal",
            Self::HashMod => "hashmod",
            Self::LabelMap => "labelmap",
            Self::LabelDrop => "labeldrop",
            Self::LabelKeep => "labelkeep",
            Self::Lowercase => "lowercase",
            Self::Uppercase => "uppercase",
        }
    }

    /// The action of this name, in any case, as Prometheus reads it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name().eq_ignore_ascii_case(name))
    }

    /// Whether the target label is a name as it stands and not a template.
    pub(super) const fn sets_named_label(self) -> bool {
        matches!(self, Self::HashMod | Self::Lowercase | Self::Uppercase | Self::KeepEqual | Self::DropEqual)
    }
}

impl fmt::Display for RelabelAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
