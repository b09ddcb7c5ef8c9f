//! What became of a test of rules.

/// What became of one test.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TestOutcome {
    /// The test's name, or its place in the file.
    pub name: String,
    /// How many alerts and expressions it looked at.
    pub checks: usize,
    /// What was not as expected, each on a few lines; empty if the test passed.
    pub failures: Vec<String>,
}

impl TestOutcome {
    /// Whether everything was as expected.
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}
