//! What a holder holds.

use std::time::Duration;

use crate::Fence;

/// Trust ends this fraction of the term before the lease does: for clocks that run at different speeds, and
/// for the holder to stop in.
const MARGIN_DIVISOR: u32 = 4;

/// A lease as its holder knows it, until it is renewed or released.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// The lease's name.
    pub name: String,
    /// Who holds it: unique to one run of one process.
    pub holder: String,
    /// Grows with every change of owner.
    pub epoch: u64,
    /// How long one acquisition or renewal lasts.
    pub ttl: Duration,
    /// Up to when the holder may believe that it holds the lease, on the
    /// [monotonic](crate::Clock::monotonic) clock of whoever acquired it.
    pub trusted_until: Duration,
}

impl Grant {
    /// A grant whose request began at `asked_at` on the monotonic clock: all that happened since then counts
    /// against it.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        holder: impl Into<String>,
        epoch: u64,
        ttl: Duration,
        asked_at: Duration,
    ) -> Self {
        let trusted_until = asked_at.saturating_add(ttl - ttl / MARGIN_DIVISOR);
        Self { name: name.into(), holder: holder.into(), epoch, ttl, trusted_until }
    }

    /// The proof that every write under this lease carries.
    #[must_use]
    pub fn fence(&self) -> Fence {
        Fence { lease: self.name.clone(), epoch: self.epoch }
    }

    /// How long the holder may still believe in it.
    #[must_use]
    pub fn trust_left(&self, monotonic: Duration) -> Duration {
        self.trusted_until.saturating_sub(monotonic)
    }

    /// The time between the end of trust and the moment another may take over.
    #[must_use]
    pub fn margin(&self) -> Duration {
        self.ttl / MARGIN_DIVISOR
    }
}
