//! How many samples of two sides meet.

use std::collections::HashSet;
use std::fmt;

use alfred_ops_core::Labels;

use super::explanation::shown;
use crate::promql::VectorSample;
use crate::promql::ast::Matching;

/// How many samples of two sides meet.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Joined {
    /// How the left side fares.
    pub left: JoinSide,
    /// How the right side fares.
    pub right: JoinSide,
}

/// One side.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JoinSide {
    /// How many samples it has.
    pub samples: usize,
    /// How many of them meet one of the other side.
    pub meeting: usize,
    /// One that does not, of those that were asked about.
    pub lonely: Option<Labels>,
}

impl fmt::Display for Joined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |f: &mut fmt::Formatter<'_>, name: &str, side: &JoinSide| {
            write!(f, "{} of {} on the {name} meet the other side", side.meeting, side.samples)?;
            match &side.lonely {
                Some(labels) => write!(f, ", not {}", shown(labels)),
                None => Ok(()),
            }
        };
        side(f, "left", &self.left)?;
        f.write_str("; ")?;
        side(f, "right", &self.right)
    }
}

/// Joins two sides; `asked` chooses the examples.
pub(super) fn join(
    matching: &Matching,
    left: &[VectorSample],
    right: &[VectorSample],
    asked: &dyn Fn(&Labels) -> bool,
) -> Joined {
    let signatures = |samples: &[VectorSample]| -> HashSet<Labels> {
        samples.iter().map(|sample| signature(matching, &sample.labels)).collect()
    };
    let side = |own: &[VectorSample], other: &HashSet<Labels>| {
        let meets = |sample: &&VectorSample| other.contains(&signature(matching, &sample.labels));
        let lonely = own.iter().find(|sample| !meets(sample) && asked(&sample.labels));
        JoinSide {
            samples: own.len(),
            meeting: own.iter().filter(meets).count(),
            lonely: lonely.map(|sample| sample.labels.clone()),
        }
    };
    Joined { left: side(left, &signatures(right)), right: side(right, &signatures(left)) }
}

/// The labels by which a sample meets those of the other side.
pub(super) fn signature(matching: &Matching, labels: &Labels) -> Labels {
    let named = |name: &str| matching.labels.iter().any(|label| label == name);
    labels.without(|name| if matching.on { !named(name) } else { name == Labels::NAME || named(name) })
}
