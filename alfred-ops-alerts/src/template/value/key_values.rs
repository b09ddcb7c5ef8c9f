//! Labels and annotations as notification templates see them.

use std::fmt;
use std::sync::Arc;

use alfred_ops_core::Labels;

use super::{Answer, Map, Record, Structure, Value};

/// Labels or annotations as notification templates see them: fields by name, and the methods `SortedPairs`,
/// `Names`, `Values` and `Remove`. Prints as `a=1, b=2`.
///
/// A method goes before a label of the same name, and a label that is missing is empty.
#[derive(Debug, Clone)]
pub struct KeyValues {
    // `alertname` first, the others by name.
    pairs: Vec<(Arc<str>, Arc<str>)>,
    // The same as a map, for `range`, `len` and `index`.
    map: Value,
}

impl KeyValues {
    /// These names and values; of two with one name the last counts.
    #[must_use]
    pub fn new<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let map = Map::text(pairs);
        let mut pairs: Vec<(Arc<str>, Arc<str>)> = map
            .iter()
            .filter_map(|(name, value)| Some((Arc::from(name), Arc::from(value.as_text()?))))
            .collect();
        let map = Value::Map(map);
        // The sort is stable: the others keep their order.
        pairs.sort_by_key(|(name, _)| &**name != "alertname");
        Self { pairs, map }
    }

    fn texts<'a>(texts: impl Iterator<Item = &'a Arc<str>>) -> Answer {
        Answer::Value(Value::from(texts.cloned().map(Value::Text).collect::<Vec<_>>()))
    }

    fn remove(&self, arguments: &[Value]) -> Answer {
        let [Value::List(names)] = arguments else {
            return Answer::Failed(
                "Remove takes one list of names; write `Remove (stringSlice \"a\" \"b\")`".to_owned(),
            );
        };
        let removed = |name: &str| names.items().iter().any(|item| item.as_text() == Some(name));
        let kept = self.pairs.iter().filter(|(name, _)| !removed(name));
        Answer::Value(Self::new(kept.map(|(name, value)| (name, value))).into())
    }
}

impl From<&Labels> for KeyValues {
    fn from(labels: &Labels) -> Self {
        Self::new(labels.iter())
    }
}

impl From<KeyValues> for Value {
    fn from(pairs: KeyValues) -> Self {
        Self::Record(Arc::new(pairs))
    }
}

fn pair(name: &Arc<str>, value: &Arc<str>) -> Value {
    Structure::new("template.Pair")
        .with("Name", Value::Text(Arc::clone(name)))
        .with("Value", Value::Text(Arc::clone(value)))
        .into()
}

impl Record for KeyValues {
    fn type_name(&self) -> &str {
        "template.KV"
    }

    fn ask(&self, name: &str, arguments: &[Value]) -> Answer {
        match name {
            "Remove" => self.remove(arguments),
            _ if !arguments.is_empty() => Answer::Failed(format!("{name} takes no arguments")),
            "SortedPairs" => {
                let pairs = self.pairs.iter().map(|(name, value)| pair(name, value)).collect::<Vec<_>>();
                let pairs = Value::from(pairs);
                Answer::Value(Value::Record(Arc::new(Pairs { pairs, texts: self.pairs.clone() })))
            }
            "Names" => Self::texts(self.pairs.iter().map(|(name, _)| name)),
            "Values" => Self::texts(self.pairs.iter().map(|(_, value)| value)),
            label => {
                let found = self.pairs.iter().find(|(name, _)| &**name == label);
                Answer::Value(
                    found.map_or_else(|| Value::from(""), |(_, value)| Value::Text(Arc::clone(value))),
                )
            }
        }
    }

    fn contents(&self) -> Option<&Value> {
        Some(&self.map)
    }

    fn print(&self, to: &mut dyn fmt::Write) -> fmt::Result {
        print_pairs(&self.pairs, to)
    }
}

fn print_pairs(pairs: &[(Arc<str>, Arc<str>)], to: &mut dyn fmt::Write) -> fmt::Result {
    for (place, (name, value)) in pairs.iter().enumerate() {
        let separator = if place == 0 { "" } else { ", " };
        write!(to, "{separator}{name}={value}")?;
    }
    Ok(())
}

/// Pairs in order, with the methods `Names` and `Values`.
#[derive(Debug)]
struct Pairs {
    pairs: Value,
    texts: Vec<(Arc<str>, Arc<str>)>,
}

impl Record for Pairs {
    fn type_name(&self) -> &str {
        "template.Pairs"
    }

    fn ask(&self, name: &str, arguments: &[Value]) -> Answer {
        match name {
            "Names" | "Values" if !arguments.is_empty() => {
                Answer::Failed(format!("{name} takes no arguments"))
            }
            "Names" => KeyValues::texts(self.texts.iter().map(|(name, _)| name)),
            "Values" => KeyValues::texts(self.texts.iter().map(|(_, value)| value)),
            _ => Answer::Unknown,
        }
    }

    fn contents(&self) -> Option<&Value> {
        Some(&self.pairs)
    }

    fn print(&self, to: &mut dyn fmt::Write) -> fmt::Result {
        print_pairs(&self.texts, to)
    }
}
