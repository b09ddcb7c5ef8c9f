//! Targets that were found together.

use std::collections::BTreeMap;

/// Targets that were found together, and the labels that all of them have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TargetGroup {
    /// What tells the group from others of its discovery: a file and the place in it, a URL, a pod.
    pub source: String,
    /// The labels of each target, `__address__` among them.
    pub targets: Vec<BTreeMap<String, String>>,
    /// The labels that all targets have and that yield to their own.
    pub labels: BTreeMap<String, String>,
}

impl TargetGroup {
    /// A group of targets, each given by its labels.
    #[must_use]
    pub fn new(source: impl Into<String>, targets: Vec<BTreeMap<String, String>>) -> Self {
        Self { source: source.into(), targets, labels: BTreeMap::new() }
    }

    /// A group of targets, each given by host and port.
    #[must_use]
    pub fn of_addresses<A: Into<String>>(
        source: impl Into<String>,
        addresses: impl IntoIterator<Item = A>,
    ) -> Self {
        let target = |address: A| BTreeMap::from([("__address__".to_owned(), address.into())]);
        Self::new(source, addresses.into_iter().map(target).collect())
    }

    /// Adds a label that all targets have.
    #[must_use]
    pub fn with_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }
}
