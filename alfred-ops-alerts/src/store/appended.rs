//! What became of a sample.

/// What became of an appended sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Appended {
    /// It is stored, or the same as what is.
    Stored,
    /// No rule looks at its series.
    Ignored,
    /// It was refused: its series has a later one, or another one of the same time.
    OutOfOrder,
    /// It was refused: its series is new and there is no room for it.
    Full,
}
