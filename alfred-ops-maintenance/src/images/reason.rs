//! Why an image stays or goes.

use std::fmt;
use std::time::Duration;

/// Why an image stays.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageKeep {
    /// It is in use.
    InUse {
        /// By whom.
        by: String,
    },
    /// It has a tag that the policy keeps.
    Tag(String),
    /// It is one of the highest versions of its repository.
    Version(String),
    /// It was first seen too short a time ago, or nobody knows when.
    Young {
        /// So long ago.
        seen_for: Option<Duration>,
    },
    /// An image that stays needs it.
    Needed {
        /// That image.
        by: String,
    },
    /// It could go, but nobody can tell whether it is in use.
    Unsure,
}

/// Why an image goes: it is unused and was first seen long enough ago, and what else is true of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageReason {
    /// It has no tag.
    Untagged,
    /// It is a part of an image that goes.
    Part {
        /// That image.
        of: String,
    },
    /// So many higher versions of its repository stay.
    OldVersion {
        /// How many.
        newer: usize,
    },
    /// None of its tags is kept.
    Tagged,
}

impl fmt::Display for ImageKeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { by } => write!(f, "in use by {by}"),
            Self::Tag(tag) => write!(f, "the tag {tag} is kept"),
            Self::Version(tag) => write!(f, "{tag} is one of the highest versions"),
            Self::Young { seen_for: Some(seen_for) } => {
                write!(f, "first seen, or tagged anew, {} h ago", hours(*seen_for))
            }
            Self::Young { seen_for: None } => f.write_str("nobody knows when it was first seen"),
            Self::Needed { by } => write!(f, "{by} needs it"),
            Self::Unsure => f.write_str("nobody can tell whether it is in use"),
        }
    }
}

impl fmt::Display for ImageReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untagged => f.write_str("no tag"),
            Self::Part { of } => write!(f, "a part of {of}"),
            Self::OldVersion { newer } => write!(f, "{newer} higher versions stay"),
            Self::Tagged => f.write_str("no tag that is kept"),
        }
    }
}

pub(super) fn hours(duration: Duration) -> u64 {
    duration.as_secs() / 3600
}
