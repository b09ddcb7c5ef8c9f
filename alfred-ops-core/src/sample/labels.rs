//! The labels of a series.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

/// The labels of a series, sorted by name, the metric's name among them as `__name__`.
///
/// No name occurs twice and no value is empty: an empty value means the same as no label. A clone costs one
/// reference count, equality and hashing one pass over the bytes.
///
/// ```
/// use alfred_ops_core::Labels;
///
/// let labels = Labels::metric("up").with("job", "agents").with("instance", "alfred-bot:8011");
/// assert_eq!(labels.get("job"), Some("agents"));
/// assert_eq!(labels.to_string(), r#"up{instance="alfred-bot:8011",job="agents"}"#);
/// ```
// All names and values lie in one allocation, each behind its length. A length is written as ASCII, six bits
// to a character with 0x40 as "more follows", so that the whole is a `str` and slices need no check beyond a
// character boundary.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<str>);

impl Labels {
    /// The label that holds a metric's name.
    pub const NAME: &'static str = "__name__";

    /// No labels at all.
    #[must_use]
    pub fn empty() -> Self {
        Self(Arc::from(""))
    }

    /// The labels of a metric that has only a name.
    #[must_use]
    pub fn metric(name: &str) -> Self {
        Self::pack([(Self::NAME, name)])
    }

    /// These labels, in any order. Of pairs with the same name the last one counts; pairs with an empty
    /// value are left out.
    #[must_use]
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut pairs: Vec<(N, V)> = pairs.into_iter().collect();
        // The sort is stable: the last of equals stays last.
        pairs.sort_by(|left, right| left.0.as_ref().cmp(right.0.as_ref()));
        let last_of_name = pairs.iter().enumerate().filter(|(index, (name, _))| {
            pairs.get(index + 1).is_none_or(|(next, _)| next.as_ref() != name.as_ref())
        });
        Self::pack(last_of_name.map(|(_, (name, value))| (name.as_ref(), value.as_ref())))
    }

    fn pack<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self::pack_in(&mut String::new(), pairs)
    }

    /// Packs pairs that are sorted and whose names are unique, in `space`, which many calls can share.
    pub(crate) fn pack_in<'a>(
        space: &mut String,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        space.clear();
        for (name, value) in pairs {
            if !value.is_empty() {
                push_counted(space, name);
                push_counted(space, value);
            }
        }
        Self(Arc::from(space.as_str()))
    }

    /// The value of the label `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }

    /// The metric's name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.get(Self::NAME)
    }

    /// All pairs of name and value, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let name = take_counted(&mut rest)?;
            let value = take_counted(&mut rest)?;
            Some((name, value))
        })
    }

    /// How many labels there are, the name included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no label.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes they take, shared by all clones.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.0.len() + 2 * size_of::<usize>()
    }

    /// The same labels with `name` set to `value`; an empty value takes the label away.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        Self::from_pairs(self.iter().chain([(name, value)]))
    }

    /// The same labels without those whose name `drop` accepts.
    #[must_use]
    pub fn without(&self, mut drop: impl FnMut(&str) -> bool) -> Self {
        Self::pack(self.iter().filter(|(name, _)| !drop(name)))
    }

    /// The hash that Prometheus and Alertmanager call a fingerprint (FNV-1a over names and values), so that
    /// ours can be compared with theirs.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        const OFFSET: u64 = 14_695_981_039_346_656_037;
        const PRIME: u64 = 1_099_511_628_211;
        // 0xff never occurs in UTF-8.
        const SEPARATOR: [u8; 1] = [0xff];
        let bytes = self
            .iter()
            .flat_map(|(name, value)| name.bytes().chain(SEPARATOR).chain(value.bytes()).chain(SEPARATOR));
        bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
    }
}

fn push_counted(packed: &mut String, text: &str) {
    const DIGITS: u32 = 6;
    const MORE: u8 = 0x40;
    let mut length = text.len();
    loop {
        let digit = u8::try_from(length & 0x3f).unwrap_or(0);
        length >>= DIGITS;
        if length == 0 {
            packed.push(char::from(digit));
            break;
        }
        packed.push(char::from(digit | MORE));
    }
    packed.push_str(text);
}

fn take_counted<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let mut length = 0_usize;
    for (index, byte) in rest.bytes().enumerate() {
        length |= usize::from(byte & 0x3f) << (6 * index);
        if byte & 0x40 == 0 {
            let (text, after) = rest.get(index + 1..)?.split_at_checked(length)?;
            *rest = after;
            return Some(text);
        }
    }
    None
}

impl Default for Labels {
    fn default() -> Self {
        Self::empty()
    }
}

impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self::from_pairs(pairs)
    }
}

/// The form of the text format: `name{a="b"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::exposition::write_series(f, self)
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = std::collections::BTreeMap::<String, String>::deserialize(deserializer)?;
        Ok(Self::from_pairs(pairs))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_are_sorted_unique_and_never_empty() {
        let labels = Labels::from_pairs([("b", "1"), ("a", "x"), ("c", ""), ("b", "2")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "x"), ("b", "2")]);
        assert_eq!(labels.with("a", "").to_string(), "{b=\"2\"}");
        assert!(labels.without(|name| name != "b").get("a").is_none());
        assert_eq!(serde_json::to_string(&labels).unwrap(), r#"{"a":"x","b":"2"}"#);
        assert_eq!(serde_json::from_str::<Labels>(r#"{"b":"2","a":"x"}"#).unwrap(), labels);
    }

    #[test]
    fn fingerprints_are_those_of_prometheus() {
        // The first is Prometheus' documented hash of nothing (FNV-1a's offset); the second is FNV-1a of
        // the bytes `a 0xff b 0xff`, computed with an independent implementation.
        assert_eq!(Labels::empty().fingerprint(), 0xcbf2_9ce4_8422_2325);
        assert_eq!(Labels::from_pairs([("a", "b")]).fingerprint(), 0xd2b3_7181_9297_f98a);
    }

    proptest! {
        #[test]
        fn packing_loses_nothing(pairs in prop::collection::btree_map("\\PC{0,90}", "\\PC{1,90}", 0..6)) {
            let labels = Labels::from_pairs(&pairs);
            let back: std::collections::BTreeMap<String, String> =
                labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            prop_assert_eq!(back, pairs);
        }
    }
}
