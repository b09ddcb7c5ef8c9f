//! Decodes the labels of series.

use std::ops::Range;

use super::cause::{Problem, excerpt};
use super::cursor::{Cursor, unescape};
use super::grammar::{Grammar, Part};
use super::{Format, Limits, Series, bound};
use crate::{Labels, Result};

/// Decodes the labels of many series in the same space, so that each costs one allocation.
///
/// ```
/// use std::collections::HashMap;
///
/// use alfred_ops_core::Labels;
/// use alfred_ops_core::exposition::{Entries, Entry, Format, LabelReader, Limits};
///
/// let page = "up{job=\"a\"} 1\nup{job=\"b\"} 0\n";
/// let mut known: HashMap<String, Labels> = HashMap::new();
/// let mut reader = LabelReader::new();
/// for entry in Entries::new(page, Format::Text, &Limits::default())? {
///     if let Entry::Sample(sample) = entry?
///         && !known.contains_key(sample.series.text())
///     {
///         known.insert(sample.series.text().to_owned(), reader.read(&sample.series)?);
///     }
/// }
/// assert_eq!(known["up{job=\"b\"}"].get("job"), Some("b"));
/// # Ok::<(), alfred_ops_core::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct LabelReader {
    /// Names and values, unescaped, one after the other.
    text: String,
    /// Where in the text they lie.
    pairs: Vec<Pair>,
    packed: String,
}

#[derive(Debug, Clone)]
struct Pair {
    /// Whether the value is the metric's name.
    is_metric: bool,
    name: Range<usize>,
    value: Range<usize>,
}

/// A series on a page has passed the limits that its reader was given.
const NO_LIMITS: Limits = Limits {
    bytes_max: usize::MAX,
    samples_max: usize::MAX,
    labels_max: usize::MAX,
    label_bytes_max: usize::MAX,
};

impl LabelReader {
    /// A reader with no space yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: String::new(), pairs: Vec::new(), packed: String::new() }
    }

    /// The labels of `series`, the metric's name among them; those with empty values are left out. As in Prometheus 3 a
    /// number in `le` of a histogram or `quantile` of a summary is written as a float (`1` is `1.0`); what the series is a
    /// part of says the last `# TYPE` line before it.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) with the number of the line if a label occurs twice or is
    /// called `__name__`.
    pub fn read(&mut self, series: &Series<'_>) -> Result<Labels> {
        self.decode(series).map_err(|problem| series.malformed(problem))
    }

    fn decode(&mut self, series: &Series<'_>) -> Result<Labels, Problem> {
        self.text.clear();
        self.pairs.clear();
        // Prometheus' format reads what OpenMetrics reads, and the syntax has been checked.
        let grammar = Grammar { format: Format::Text, limits: &NO_LIMITS };
        let mut cursor = Cursor::new(series.text(), 0);
        if series.is_exemplar() {
            grammar.exemplar(&mut cursor, |part| self.push(part))?;
        } else {
            grammar.series(&mut cursor, |part| self.push(part))?;
        }
        if let Some(label) = bound::label(series.kind()) {
            self.normalize(label);
        }
        let text = &self.text;
        let at = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
        self.pairs.sort_by(|left, right| at(&left.name).cmp(at(&right.name)));
        if self.pairs.iter().any(|pair| !pair.is_metric && at(&pair.name) == Labels::NAME) {
            return Err(Problem::ReservedLabel);
        }
        let mut neighbours = self.pairs.iter().zip(self.pairs.iter().skip(1));
        if let Some((twice, _)) = neighbours.find(|(left, right)| at(&left.name) == at(&right.name)) {
            return Err(Problem::LabelTwice { label: excerpt(at(&twice.name)) });
        }
        let pairs = self.pairs.iter().map(|pair| (at(&pair.name), at(&pair.value)));
        Ok(Labels::pack_in(&mut self.packed, pairs))
    }

    /// Writes the number in the values of these labels as a float.
    fn normalize(&mut self, label: &str) {
        for pair in self.pairs.iter_mut().filter(|pair| !pair.is_metric) {
            let at = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
            if at(&pair.name) == label
                && let Some(number) = bound::normalized(at(&pair.value))
            {
                let start = self.text.len();
                self.text.push_str(&number);
                pair.value = start..self.text.len();
            }
        }
    }

    fn push(&mut self, part: Part<'_>) {
        let (is_metric, name, value) = match part {
            Part::Name(name) => (true, Labels::NAME, name),
            Part::Label(name, value) => (false, name, value),
        };
        let mut add = |raw: &str| {
            let start = self.text.len();
            self.text.push_str(&unescape(raw, true));
            start..self.text.len()
        };
        let (name, value) = (add(name), add(value));
        self.pairs.push(Pair { is_metric, name, value });
    }
}
