//! A closed file, cut into pieces.

use std::io::{self, Read};

use chrono::{DateTime, Utc};

use super::super::closed_file::ClosedFile;
use super::super::regular_file::open_regular;
use super::line_time::LineTimes;

/// A piece has about so many bytes before it is compressed.
const PIECE_BYTES: usize = 16 << 20;

/// A closed file, cut into pieces of whole lines. The same file gives the same pieces whenever it is read.
pub(super) struct Pieces {
    source: Box<dyn Read + Send>,
    piece_bytes: usize,
    /// What is read and not yet given away.
    rest: Vec<u8>,
    offset: u64,
    times: LineTimes,
    closed_at: DateTime<Utc>,
    /// The last time that a line told.
    time: Option<DateTime<Utc>>,
}

/// Lines of a log.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) lines: Vec<u8>,
    /// How many bytes of the file come before.
    pub(super) offset: u64,
    /// No line is older. None if neither these lines nor those before tell a time: then as old as the file.
    pub(super) first: Option<DateTime<Utc>>,
    /// No line is newer, as far as they tell.
    pub(super) last: DateTime<Utc>,
}

impl Pieces {
    pub(super) fn open(file: &ClosedFile) -> io::Result<Self> {
        let source = open_regular(&file.path)?;
        let closed_at = file.closed_at;
        if file.is_compressed {
            let decoder = zstd::Decoder::new(source)?;
            return Ok(Self::new(Box::new(decoder), PIECE_BYTES, closed_at));
        }
        Ok(Self::new(Box::new(source), PIECE_BYTES, closed_at))
    }

    pub(super) fn new(source: Box<dyn Read + Send>, piece_bytes: usize, closed_at: DateTime<Utc>) -> Self {
        let times = LineTimes::new(Some(closed_at));
        Self { source, piece_bytes, rest: Vec::new(), offset: 0, times, closed_at, time: None }
    }

    /// The next piece; None at the end. A line that is longer than a piece is cut.
    pub(super) fn next(&mut self) -> io::Result<Option<Cut>> {
        let wanted = u64::try_from(self.piece_bytes.saturating_sub(self.rest.len())).unwrap_or(u64::MAX);
        let read = (&mut self.source).take(wanted).read_to_end(&mut self.rest)?;
        if self.rest.is_empty() {
            return Ok(None);
        }
        let is_end = u64::try_from(read).unwrap_or(u64::MAX) < wanted;
        let end = match self.rest.iter().rposition(|&byte| byte == b'\n') {
            Some(last) if !is_end => last + 1,
            _ => self.rest.len(),
        };
        let rest = self.rest.split_off(end);
        let lines = std::mem::replace(&mut self.rest, rest);
        let offset = self.offset;
        self.offset += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let mut told: Option<(DateTime<Utc>, DateTime<Utc>)> = None;
        let before = self.time;
        for time in lines.split_inclusive(|&byte| byte == b'\n').filter_map(|line| self.times.of(line)) {
            let (first, last) = told.unwrap_or((time, time));
            told = Some((time.min(first), time.max(last)));
            self.time = Some(time);
        }
        let (first, last) = match told {
            Some((first, last)) => (Some(first), last),
            // Written after what came before, and before the closing.
            None => (before, before.map_or(self.closed_at, |before| before.max(self.closed_at))),
        };
        Ok(Some(Cut { lines, offset, first, last }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_whole_lines_and_all_of_them(
            lines in proptest::collection::vec("[a-z]{0,30}", 0..50),
            has_end: bool,
            piece_bytes in 31_usize..100,
        ) {
            let mut text = lines.join("\n");
            if has_end {
                text.push('\n');
            }
            let source = io::Cursor::new(text.clone().into_bytes());
            let mut pieces = Pieces::new(Box::new(source), piece_bytes, DateTime::UNIX_EPOCH);
            let mut joined = Vec::new();
            while let Some(cut) = pieces.next().unwrap() {
                prop_assert_eq!(cut.offset, u64::try_from(joined.len()).unwrap());
                prop_assert!(!cut.lines.is_empty() && cut.lines.len() <= piece_bytes);
                joined.extend(cut.lines);
                prop_assert!(joined.len() == text.len() || joined.last() == Some(&b'\n'));
            }
            prop_assert_eq!(joined, text.into_bytes());
        }
    }
    #[test]
    fn what_tells_no_time_lies_between_what_came_before_and_the_closing() {
        let closed_at = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        let told = closed_at - chrono::TimeDelta::hours(1);
        let text = format!("{:40}\n{:40}\n{:40}\n", "none", told.to_rfc3339(), "none");
        let mut pieces = Pieces::new(Box::new(io::Cursor::new(text.into_bytes())), 41, closed_at);
        let mut next = || pieces.next().unwrap().map(|cut| (cut.first, cut.last));
        assert_eq!(next(), Some((None, closed_at)));
        assert_eq!(next(), Some((Some(told), told)));
        assert_eq!(next(), Some((Some(told), closed_at)));
        assert_eq!(next(), None);
    }
}
