//! What the planner would make of an index that is not there.

/// What the planner would make of an index that is not there, as the extension `hypopg` lets one ask.
///
/// The cost is that of finding the rows, for constants that nobody knows; ranges are taken to be closed and narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexTrial {
    /// The table, as SQL has it.
    pub table: String,
    /// The columns of the index, as the catalog has them.
    pub columns: Vec<String>,
    /// What it would take, in bytes, as `hypopg` has it.
    ///
    /// It knows nothing of equal keys that are kept once, and counts a key's header for each column: measured on Postgres 15
    /// with 300,000 rows, it tells 8 % too much for a wide unique key, 39 % for a narrow one, 49 % for two columns, and three
    /// to seven times as much for repeated keys. The doctor's own estimate goes before it, therefore, where there is one.
    pub bytes: u64,
    /// The planner's cost without it, in its own units, rounded up,
    pub cost_before: u64,
    /// and with it.
    pub cost_after: u64,
    /// Whether the planner would use it.
    pub is_used: bool,
}

impl IndexTrial {
    /// So many times cheaper it makes the statement.
    #[must_use]
    pub fn gain(&self) -> f64 {
        super::share(self.cost_before, self.cost_after.max(1))
    }
}
