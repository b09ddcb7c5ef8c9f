//! What an analysis says.

use std::fmt;

/// What an analysis says of the candidate. In this order the worse one counts where several are asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It does well.
    Pass,
    /// There are data and they say neither: it counts for nothing, and it is no silence only if a pass or a failure comes.
    Inconclusive(String),
    /// Nothing was measured: it never leads to a promotion.
    NoData(String),
    /// It does badly.
    Fail(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Inconclusive(reason) => write!(f, "inconclusive: {reason}"),
            Self::NoData(reason) => write!(f, "no data: {reason}"),
            Self::Fail(reason) => write!(f, "fail: {reason}"),
        }
    }
}
