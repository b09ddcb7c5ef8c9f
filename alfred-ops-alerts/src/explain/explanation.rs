//! A part of an expression, and what it comes to.

use std::fmt;

use alfred_ops_core::Labels;

use super::{Compared, Joined};
use crate::promql::{QueryError, VectorSample};

/// A part of an expression, and what it comes to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The part as it is written.
    pub text: String,
    /// How many samples it comes to; of a range, how many series.
    pub samples: usize,
    /// Up to five of them, those that were asked about. Of a range, the latest sample of each series.
    pub examples: Vec<VectorSample>,
    /// Why it has no answer, if it has none.
    pub error: Option<QueryError>,
    /// What there is to say about this kind of part.
    pub insight: Option<Insight>,
    /// The parts that it is made of. Numbers and texts are not among them.
    pub parts: Vec<Explanation>,
    /// Of a whole expression: the [source](crate::QuerySource) that was asked, if it was not the engine's own store.
    pub source: Option<String>,
}

/// What there is to say about a kind of part.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Insight {
    /// A comparison: how many pass.
    Comparison(Compared),
    /// Two vectors: how many of each meet the other side.
    Join(Joined),
    /// A selector: how many series there are that meet each condition alone, and all of them, now or earlier. Of a source
    /// they are counted as of the time of the look, and each condition together with the metric's name.
    Selector {
        /// The conditions as they are written, and how many series meet each.
        matchers: Vec<(String, usize)>,
        /// How many series meet all.
        series: usize,
    },
}

impl Explanation {
    /// The parts within that come to nothing while all that they are made of comes to something: where to look first.
    #[must_use]
    pub fn culprits(&self) -> Vec<&Self> {
        let mut found: Vec<&Self> = self.parts.iter().flat_map(Self::culprits).collect();
        if self.samples == 0 && self.parts.iter().all(|part| part.samples > 0) {
            found.push(self);
        }
        found
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let indent = "  ".repeat(depth);
        // A part may be written on several lines.
        let text = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        write!(f, "{indent}{text}: ")?;
        match (&self.error, self.samples) {
            (Some(error), _) => write!(f, "no answer: {error}")?,
            (None, 0) => f.write_str("nothing")?,
            (None, 1) => f.write_str("1 sample")?,
            (None, samples) => write!(f, "{samples} samples")?,
        }
        if let Some(source) = &self.source {
            write!(f, ", by {source}")?;
        }
        if let Some(insight) = &self.insight {
            write!(f, "\n{indent}  - {insight}")?;
        }
        for example in &self.examples {
            write!(f, "\n{indent}  - {} {}", shown(&example.labels), example.value)?;
        }
        for part in &self.parts {
            f.write_str("\n")?;
            part.write(f, depth + 1)?;
        }
        Ok(())
    }
}

/// A tree, each part further in than what it is a part of.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl fmt::Display for Insight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Comparison(compared) => compared.fmt(f),
            Self::Join(joined) => joined.fmt(f),
            Self::Selector { matchers, series } => {
                write!(f, "{series} series meet all conditions")?;
                for (matcher, count) in matchers {
                    write!(f, ", {count} meet {matcher}")?;
                }
                Ok(())
            }
        }
    }
}

/// Labels as they are shown, those without any as braces.
pub(super) fn shown(labels: &Labels) -> String {
    if labels.is_empty() { "{}".to_owned() } else { labels.to_string() }
}
