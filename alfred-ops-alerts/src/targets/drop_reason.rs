//! Why a target is not scraped.

use std::fmt;

/// Why a target is not scraped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// A relabelling rule of the job dropped it.
    Rule {
        /// The rule's place in the job, counted from zero.
        index: usize,
    },
    /// It has no address.
    NoAddress,
    /// Its address is no host and port.
    Address {
        /// The address.
        address: String,
    },
    /// Its interval or timeout cannot be used.
    Rhythm {
        /// What is wrong.
        what: String,
    },
}

impl DropReason {
    /// Whether it is a mistake that somebody should correct, and not what the rules are for.
    #[must_use]
    pub const fn is_mistake(&self) -> bool {
        !matches!(self, Self::Rule { .. })
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { index } => write!(f, "relabel_configs[{index}] drops it"),
            Self::NoAddress => f.write_str("it has no address; set `__address__`"),
            Self::Address { address } => {
                write!(f, "{address:?} is not a valid hostname; give host and port, without scheme and path")
            }
            Self::Rhythm { what } => f.write_str(what),
        }
    }
}
