//! How much may happen at once.

/// How many transfers may run at once. The server does not throttle those that a user asks for, and each costs
/// its two peers disk, network and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// In the whole cluster, those included that somebody else started. At least one.
    pub transfers_max: usize,
    /// That one peer sends or receives, together. At least one.
    pub transfers_per_peer_max: usize,
}

impl Default for Limits {
    /// Two at once, on different peers: searches go on meanwhile.
    fn default() -> Self {
        Self { transfers_max: 2, transfers_per_peer_max: 1 }
    }
}

impl Limits {
    /// Other limits. Zero counts as one.
    #[must_use]
    pub fn new(transfers_max: usize, transfers_per_peer_max: usize) -> Self {
        Self { transfers_max: transfers_max.max(1), transfers_per_peer_max: transfers_per_peer_max.max(1) }
    }
}
