//! Values in order.

use std::sync::Arc;

use super::Value;

/// Values in order.
#[derive(Debug, Clone, Default)]
pub struct List {
    items: Arc<[Value]>,
    // Known at the time it is made, so that nothing need walk down to learn it.
    depth: usize,
}

impl List {
    /// These values, in this order.
    #[must_use]
    pub fn new(items: Vec<Value>) -> Self {
        let depth = 1 + items.iter().map(Value::depth).max().unwrap_or(0);
        Self { items: items.into(), depth }
    }

    /// The values.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        &self.items
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) const fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn is_text(&self) -> bool {
        !self.is_empty() && self.items.iter().all(|item| matches!(item, Value::Text(_)))
    }
}
