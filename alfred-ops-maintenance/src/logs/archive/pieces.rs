//! A closed file, cut into pieces.

use std::fs::File;
use std::io::{self, Read};

use chrono::{DateTime, Utc};

use super::super::closed_file::ClosedFile;
use super::line_time::line_time;

/// A piece has about so many bytes before it is compressed.
const PIECE_BYTES: usize = 16 << 20;

/// A closed file, cut into pieces of whole lines. The same file gives the same pieces whenever it is read.
pub(super) struct Pieces {
    source: Box<dyn Read + Send>,
    piece_bytes: usize,
    /// What is read and not yet given away.
    rest: Vec<u8>,
    offset: u64,
    /// The time of what has no time of its own.
    time: DateTime<Utc>,
}

/// Lines of a log.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) lines: Vec<u8>,
    /// How many bytes of the file come before.
    pub(super) offset: u64,
    /// The earliest and the latest time.
    pub(super) times: (DateTime<Utc>, DateTime<Utc>),
}

impl Pieces {
    pub(super) fn open(file: &ClosedFile) -> io::Result<Self> {
        let source = File::open(&file.path)?;
        // A log that says nothing of time is as old as its closing.
        let time = file.closed_at;
        if file.is_compressed {
            let decoder = zstd::Decoder::new(source)?;
            return Ok(Self::new(Box::new(decoder), PIECE_BYTES, time));
        }
        Ok(Self::new(Box::new(source), PIECE_BYTES, time))
    }

    pub(super) fn new(source: Box<dyn Read + Send>, piece_bytes: usize, time: DateTime<Utc>) -> Self {
        Self { source, piece_bytes, rest: Vec::new(), offset: 0, time }
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
        let mut times = None;
        for time in lines.split_inclusive(|&byte| byte == b'\n').filter_map(line_time) {
            let (first, last) = times.unwrap_or((time, time));
            times = Some((time.min(first), time.max(last)));
            self.time = time;
        }
        Ok(Some(Cut { lines, offset, times: times.unwrap_or((self.time, self.time)) }))
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
}
