//! What a store holds and has turned away.

/// What a store holds and what it has turned away since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StoreCounters {
    /// Series held now.
    pub series: usize,
    /// Samples held now.
    pub samples: usize,
    /// Bytes held now, labels and index included.
    pub bytes: usize,
    /// Samples refused because their series is new and there was no room for it.
    pub series_refused: u64,
    /// Samples given up before their time because there was no room for them.
    pub samples_shed: u64,
    /// Samples refused because their series has a later one, or another one of the same time.
    pub out_of_order: u64,
}
