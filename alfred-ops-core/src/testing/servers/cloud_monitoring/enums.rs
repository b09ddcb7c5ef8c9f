//! Enums in JSON and in queries: names or numbers.

use serde_json::{Value, json};

type Names = &'static [(&'static str, i64)];

pub(super) const KINDS: Names = &[("GAUGE", 1), ("DELTA", 2), ("CUMULATIVE", 3)];
pub(super) const VALUES: Names =
    &[("BOOL", 1), ("INT64", 2), ("DOUBLE", 3), ("STRING", 4), ("DISTRIBUTION", 5)];
pub(super) const VIEWS: Names = &[("FULL", 0), ("HEADERS", 1)];
pub(super) const ALIGNERS: Names = &[
    ("ALIGN_NONE", 0),
    ("ALIGN_DELTA", 1),
    ("ALIGN_RATE", 2),
    ("ALIGN_NEXT_OLDER", 4),
    ("ALIGN_MIN", 10),
    ("ALIGN_MAX", 11),
    ("ALIGN_MEAN", 12),
    ("ALIGN_COUNT", 13),
    ("ALIGN_SUM", 14),
];
pub(super) const REDUCERS: Names = &[
    ("REDUCE_NONE", 0),
    ("REDUCE_MEAN", 1),
    ("REDUCE_MIN", 2),
    ("REDUCE_MAX", 3),
    ("REDUCE_SUM", 4),
    ("REDUCE_COUNT", 6),
];

/// The name of what is told by name or by number.
pub(super) fn name(names: Names, told: &str) -> Option<&'static str> {
    names.iter().find(|(name, number)| told == *name || told == number.to_string()).map(|(name, _)| *name)
}

/// A name as an answer tells it.
pub(super) fn told(names: Names, name: &str, as_number: bool) -> Value {
    match names.iter().find(|(known, _)| *known == name).filter(|_| as_number) {
        Some((_, number)) => json!(number),
        None => json!(name),
    }
}
