//! Which timelines led to one, and where each was left.

use alfred_ops_core::{Error, ErrorKind, Lsn, Result};

/// The history of one timeline. After a promotion or a restore a cluster writes a new timeline, and notes in
/// a history file where it left those before (Postgres' documentation, "Timelines").
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::postgres) struct TimelineHistory {
    timeline: u32,
    /// Its ancestors, oldest first, and where each was left.
    ancestors: Vec<(u32, Lsn)>,
}

impl TimelineHistory {
    /// The history of a timeline of which no ancestor is known.
    pub(in crate::postgres) const fn without_ancestors(timeline: u32) -> Self {
        Self { timeline, ancestors: Vec::new() }
    }

    /// Reads a history file: lines of an ancestor, the position where it was left, and a reason.
    pub(in crate::postgres) fn parse(timeline: u32, text: &str) -> Result<Self> {
        let mut ancestors: Vec<(u32, Lsn)> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut words = line.split_ascii_whitespace();
            let ancestor = words.next().and_then(|word| word.parse().ok());
            let left = words.next().and_then(|word| word.parse().ok());
            let (before, earlier) = ancestors.last().copied().unwrap_or_default();
            match ancestor.zip(left) {
                Some((ancestor, left)) if before < ancestor && ancestor < timeline && earlier <= left => {
                    ancestors.push((ancestor, left));
                }
                _ => {
                    let what = format!("the history of timeline {timeline} has the line {line:?}");
                    return Err(Error::new(ErrorKind::Corrupt, "read timeline history", what));
                }
            }
        }
        Ok(Self { timeline, ancestors })
    }

    /// The timeline that this is the history of.
    pub(in crate::postgres) const fn timeline(&self) -> u32 {
        self.timeline
    }

    /// Where `timeline` was left, and for which; `None` for the last and for strangers.
    pub(in crate::postgres) fn left(&self, timeline: u32) -> Option<(Lsn, u32)> {
        let at = self.ancestors.iter().position(|(ancestor, _)| *ancestor == timeline)?;
        let next = self.ancestors.get(at + 1).map_or(self.timeline, |(next, _)| *next);
        Some((self.ancestors.get(at)?.1, next))
    }

    /// The timeline that wrote `position`.
    pub(in crate::postgres) fn at(&self, position: Lsn) -> u32 {
        let of = self.ancestors.iter().find(|(_, left)| *left > position);
        of.map_or(self.timeline, |(ancestor, _)| *ancestor)
    }

    /// Whether this history has been at `position` on `timeline`.
    pub(in crate::postgres) fn includes(&self, timeline: u32, position: Lsn) -> bool {
        timeline == self.timeline || self.left(timeline).is_some_and(|(left, _)| position <= left)
    }
}

/// The name of the file in which Postgres keeps a timeline's history.
pub(in crate::postgres) fn history_file(timeline: u32) -> String {
    format!("{timeline:08X}.history")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_tells_who_wrote_what() {
        let text =
            "1\t0/3000148\tno recovery target specified\n\n# a note\n3\t0/5000000\tbefore 2026-11-24\n";
        let history = TimelineHistory::parse(4, text).unwrap();
        assert_eq!(history.left(1), Some((Lsn(0x300_0148), 3)));
        assert_eq!(history.left(3), Some((Lsn(0x500_0000), 4)));
        assert_eq!((history.left(4), history.left(2)), (None, None));
        let at = |position| history.at(Lsn(position));
        assert_eq!((at(0), at(0x300_0147), at(0x300_0148), at(0x500_0000)), (1, 1, 3, 4));
        assert!(history.includes(1, Lsn(0x300_0148)) && !history.includes(1, Lsn(0x300_0149)));
        assert!(history.includes(4, Lsn(u64::MAX)) && !history.includes(2, Lsn(0)));
    }

    #[test]
    fn a_history_that_cannot_be_is_refused() {
        for bad in ["x\t0/1\t", "1\tnowhere", "2\t0/5\tr\n1\t0/6\tr", "1\t0/5\tr\n2\t0/4\tr", "4\t0/5\tr"] {
            let error = TimelineHistory::parse(4, bad).unwrap_err();
            assert!(error.to_string().contains("timeline 4"), "{error}");
        }
    }
}
