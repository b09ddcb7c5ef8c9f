//! Misfortune, from a seed.

use alfred_ops_core::{EntropyExt as _, SeededEntropy};

/// How often something goes wrong with a [`QdrantServer`](super::QdrantServer), drawn from a seed.
#[derive(Debug)]
pub struct QdrantChaos {
    entropy: SeededEntropy,
    requests: u64,
    transfers: u64,
    peers: u64,
}

/// What befalls a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mishap {
    /// It has no effect and is refused.
    Refused,
    /// It has no effect, and the connection breaks.
    RequestLost,
    /// It has its effect, and the connection breaks.
    AnswerLost,
}

/// What befalls a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setback {
    /// It fails; the cluster ends it.
    Fails,
    /// It goes on for ever.
    Stalls,
}

impl QdrantChaos {
    /// One of so many requests is refused or lost; of so many steps of a transfer one fails or stalls it; in one
    /// of so many simulated steps a peer dies or one that is dead comes back. At most one is dead at a time.
    /// Zero means never.
    #[must_use]
    pub fn new(seed: u64, requests: u64, transfers: u64, peers: u64) -> Self {
        Self { entropy: SeededEntropy::new(seed), requests, transfers, peers }
    }

    fn strikes(&self, one_in: u64) -> bool {
        one_in > 0 && self.entropy.below(one_in) == 0
    }

    pub(super) fn mishap(&self) -> Option<Mishap> {
        let kinds = [Mishap::Refused, Mishap::RequestLost, Mishap::AnswerLost];
        self.strikes(self.requests).then(|| kinds[self.pick(kinds.len())])
    }

    pub(super) fn setback(&self) -> Option<Setback> {
        self.strikes(self.transfers).then(|| [Setback::Fails, Setback::Stalls][self.pick(2)])
    }

    /// Whether a peer dies or comes back now.
    pub(super) fn turns(&self) -> bool {
        self.strikes(self.peers)
    }

    /// One of so many.
    pub(super) fn pick(&self, among: usize) -> usize {
        let among = u64::try_from(among).unwrap_or(1).max(1);
        usize::try_from(self.entropy.below(among)).unwrap_or(0)
    }
}
