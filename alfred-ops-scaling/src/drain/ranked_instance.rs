//! An instance, and when its platform stops it.

/// An instance, and when its platform stops it, whoever is chosen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct RankedInstance {
    /// Its name, as its worker calls itself.
    pub name: String,
    /// The platform stops all of a lower rank before any of a higher one; within a rank those that are chosen. A cluster stops
    /// pods that are not ready first.
    pub rank: u8,
}

impl RankedInstance {
    /// An instance that is stopped with others of its rank if it is chosen. On a platform that obeys every choice all have
    /// one rank.
    #[must_use]
    pub fn new(name: impl Into<String>, rank: u8) -> Self {
        Self { name: name.into(), rank }
    }
}
