//! A node of a YAML document.

use super::Place;

/// A node of a YAML document, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Text, and whether it stood there without quotes, so that it may be a number or nothing.
    Scalar { text: String, plain: bool },
    /// A list.
    List(Vec<Node>),
    /// Keys with their places, and what they hold, in the order of the document.
    Map(Vec<(String, Place, Node)>),
}

impl Node {
    /// A text that is to be written.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::made(Value::Scalar { text: text.into(), plain: false })
    }

    /// A number or a truth value that is to be written.
    pub(crate) fn plain(value: impl ToString) -> Self {
        Self::made(Value::Scalar { text: value.to_string(), plain: true })
    }

    /// A list that is to be written.
    pub(crate) fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::made(Value::List(items.into_iter().collect()))
    }

    /// A map that is to be written, without the keys that have nothing.
    pub(crate) fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Option<Self>)>) -> Self {
        let entries =
            entries.into_iter().filter_map(|(key, node)| Some((key.into(), Place::default(), node?)));
        Self::made(Value::Map(entries.collect()))
    }

    fn made(value: Value) -> Self {
        Self { place: Place::default(), value }
    }

    /// Whether the node is YAML's nothing: `key:` with no value, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { text, plain: true }
            if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What kind of node it is, for a message.
    pub(crate) const fn kind(&self) -> &'static str {
        match self.value {
            Value::Scalar { .. } => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// How many nodes there are, itself included.
    pub(crate) fn size(&self) -> usize {
        1 + match &self.value {
            Value::Scalar { .. } => 0,
            Value::List(items) => items.iter().map(Self::size).sum(),
            Value::Map(entries) => entries.iter().map(|(_, _, node)| node.size()).sum(),
        }
    }
}
