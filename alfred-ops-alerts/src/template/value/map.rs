//! Values by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Value;

/// Values by name, sorted by name.
#[derive(Debug, Clone)]
pub struct Map {
    entries: Arc<BTreeMap<Arc<str>, Value>>,
    text_only: bool,
    depth: usize,
}

impl Map {
    /// Values of any kind; a name that is missing has the value nil.
    #[must_use]
    pub fn new<N: Into<Arc<str>>>(entries: impl IntoIterator<Item = (N, Value)>) -> Self {
        let entries: BTreeMap<_, _> = entries.into_iter().map(|(name, value)| (name.into(), value)).collect();
        let depth = 1 + entries.values().map(Value::depth).max().unwrap_or(0);
        Self { entries: Arc::new(entries), text_only: false, depth }
    }

    /// Texts, such as labels; a name that is missing has the empty text for its value.
    #[must_use]
    pub fn text<N: AsRef<str>, V: AsRef<str>>(entries: impl IntoIterator<Item = (N, V)>) -> Self {
        let entries = entries
            .into_iter()
            .map(|(name, value)| (Arc::from(name.as_ref()), Value::from(value.as_ref())))
            .collect();
        Self { entries: Arc::new(entries), text_only: true, depth: 1 }
    }

    /// The value of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries.get(name)
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(name, value)| (&**name, value))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a name that is missing.
    pub(in crate::template) fn zero(&self) -> Value {
        if self.text_only { Value::from("") } else { Value::Nil }
    }

    pub(super) const fn is_text(&self) -> bool {
        self.text_only
    }

    pub(super) const fn depth(&self) -> usize {
        self.depth
    }
}
