//! Records from bytes.

use alfred_ops_core::{Error, ErrorKind, Lsn, Result};

use super::format::WalFormat;
use super::{RecordKind, Restores};

const PAGE: u64 = 8192;
const SHORT_HEADER: usize = 24;
const LONG_HEADER: usize = 40;
const RECORD_HEADER: usize = 24;
/// Postgres cannot replay a longer record, and from 16 on writes none above 1,020 MiB. One is kept in memory until
/// it is whole.
const RECORD_BYTES_MAX: usize = (1 << 30) - 1;
const FIRST_IS_CONTINUED: u16 = 0x0001;
const CONTINUED_IS_OVERWRITTEN: u16 = 0x0008;

/// A whole record whose checksum is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::postgres) struct WalRecord {
    pub(in crate::postgres) start: Lsn,
    /// Behind its last byte.
    pub(in crate::postgres) end: Lsn,
    pub(in crate::postgres) kind: RecordKind,
    /// What its replay makes whole, if the reader was [asked](WalReader::with_restores) to look.
    pub(in crate::postgres) restores: Vec<Restores>,
}

/// Cuts WAL that arrives in arbitrary pieces into records, and checks each: its checksum, its link to the
/// record before, and the headers of its pages.
#[derive(Debug)]
pub(in crate::postgres) struct WalReader {
    segment_bytes: u64,
    system_id: Option<u64>,
    /// Of the next byte.
    position: u64,
    header: Vec<u8>,
    /// Of the page entered last; `None` before the first.
    format: Option<WalFormat>,
    record: Vec<u8>,
    record_start: u64,
    previous: Option<u64>,
    skip: u64,
    ended: bool,
    with_restores: bool,
}

impl WalReader {
    /// A reader of WAL that begins with the segment at `start`.
    pub(in crate::postgres) const fn new(start: Lsn, segment_bytes: u64, system_id: Option<u64>) -> Self {
        Self {
            segment_bytes,
            system_id,
            position: start.0,
            header: Vec::new(),
            format: None,
            record: Vec::new(),
            record_start: 0,
            previous: None,
            skip: 0,
            ended: false,
            with_restores: false,
        }
    }

    /// The same reader, telling of each record what its replay makes whole.
    pub(in crate::postgres) const fn with_restores(mut self) -> Self {
        self.with_restores = true;
        self
    }

    /// The next record; `None` when more bytes are needed. What follows the end of what a server has written
    /// is ignored.
    pub(in crate::postgres) fn next(&mut self, input: &mut &[u8]) -> Result<Option<WalRecord>> {
        while !input.is_empty() {
            if self.ended {
                *input = &[];
                break;
            }
            if self.skip > 0 {
                let skipped = self.take(input, self.skip).len() as u64;
                self.skip -= skipped;
                continue;
            }
            let into_page = self.position % PAGE;
            let page = self.position - into_page;
            let header = if page.is_multiple_of(self.segment_bytes) { LONG_HEADER } else { SHORT_HEADER };
            if into_page < header as u64 {
                let taken = self.take(input, header as u64 - into_page).to_vec();
                self.header.extend(taken);
                if self.header.len() == header {
                    let header = std::mem::take(&mut self.header);
                    self.enter_page(&header, page)?;
                }
                continue;
            }
            if self.record.is_empty() {
                let padding = self.position.next_multiple_of(8) - self.position;
                if padding > 0 {
                    self.skip = padding;
                    continue;
                }
                self.record_start = self.position;
            }
            let missing = self.wanted()? - self.record.len();
            let taken = self.take(input, (PAGE - into_page).min(missing as u64)).to_vec();
            self.record.extend(taken);
            if self.record.len() == 4 && self.record == [0; 4] {
                self.ended = true;
            } else if self.record.len() >= RECORD_HEADER && self.record.len() == self.wanted()? {
                return self.finish().map(Some);
            }
        }
        Ok(None)
    }

    /// How long the record is, as far as that is known.
    fn wanted(&self) -> Result<usize> {
        let Some(length) = self.record.first_chunk::<4>() else { return Ok(4) };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        if (RECORD_HEADER..=RECORD_BYTES_MAX).contains(&length) {
            return Ok(length);
        }
        Err(self.corrupt(&format!("a record claims {length} bytes")))
    }

    fn take<'a>(&mut self, input: &mut &'a [u8], at_most: u64) -> &'a [u8] {
        let length = usize::try_from(at_most).unwrap_or(usize::MAX).min(input.len());
        let (taken, rest) = input.split_at(length);
        *input = rest;
        self.position += length as u64;
        taken
    }

    fn enter_page(&mut self, header: &[u8], page: u64) -> Result<()> {
        let (Some([m0, m1, i0, i1, _, _, _, _, address @ ..]), rest) =
            (header.first_chunk::<16>(), header.get(16..).unwrap_or_default())
        else {
            return Err(self.corrupt("a page has no header"));
        };
        let (magic, info) = (u16::from_le_bytes([*m0, *m1]), u16::from_le_bytes([*i0, *i1]));
        if magic == 0 && self.record.is_empty() {
            self.ended = true;
            return Ok(());
        }
        let format = WalFormat::of_magic(magic);
        if format.is_none() {
            return Err(self.corrupt(&format!("a page has the magic number {magic:#06x}")));
        }
        self.format = format;
        let address = address.first_chunk().map_or(0, |address| u64::from_le_bytes(*address));
        if address != page {
            return Err(self.corrupt(&format!("a page says that it is at {}", Lsn(address))));
        }
        let system_id = rest.get(8..).and_then(|rest| rest.first_chunk()).map(|id| u64::from_le_bytes(*id));
        if let (Some(found), Some(wanted)) = (system_id, self.system_id)
            && found != wanted
        {
            return Err(self.corrupt(&format!("it is of cluster {found} instead of {wanted}")));
        }
        let continued = rest.first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
        let continued = usize::try_from(continued).unwrap_or(usize::MAX);
        match (info & FIRST_IS_CONTINUED != 0, self.record.is_empty()) {
            (true, false) if self.wanted()? - self.record.len() == continued => Ok(()),
            // What a server that crashed left half-written is not continued by its successor.
            (false, false) if info & CONTINUED_IS_OVERWRITTEN != 0 => {
                self.record.clear();
                self.previous = None;
                Ok(())
            }
            (false, true) => Ok(()),
            // The record that ends here began before the reader did.
            (true, true) if self.previous.is_none() => {
                let room = PAGE - self.position % PAGE;
                self.skip = (continued as u64).next_multiple_of(8).min(room);
                Ok(())
            }
            _ => Err(self.corrupt("a page does not continue the one before")),
        }
    }

    fn finish(&mut self) -> Result<WalRecord> {
        let record = std::mem::take(&mut self.record);
        let field = |at: usize| record.get(at..).unwrap_or_default();
        let stored = field(20).first_chunk().map_or(0, |crc| u32::from_le_bytes(*crc));
        let crc =
            crc32c::crc32c_append(crc32c::crc32c(field(RECORD_HEADER)), record.get(..20).unwrap_or_default());
        if crc != stored {
            return Err(self.corrupt("a record does not match its checksum"));
        }
        let link = field(8).first_chunk().map_or(0, |link| u64::from_le_bytes(*link));
        if self.previous.is_some_and(|previous| previous != link) {
            return Err(self.corrupt("a record does not follow the one before"));
        }
        self.previous = Some(self.record_start);
        let kind = self.format.map_or(RecordKind::Other, |format| RecordKind::of(&record, format));
        if kind == RecordKind::Switch {
            self.skip = self.position.next_multiple_of(self.segment_bytes) - self.position;
        }
        let restores = match self.format {
            Some(format) if self.with_restores => Restores::of(&record, format),
            _ => Vec::new(),
        };
        Ok(WalRecord { start: Lsn(self.record_start), end: Lsn(self.position), kind, restores })
    }

    fn corrupt(&self, what: &str) -> Error {
        Error::new(ErrorKind::Corrupt, "read WAL", format!("{what}, near {}", Lsn(self.position)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::format::MAGIC_15;
    use super::*;

    const SEGMENT: u64 = 1 << 20;

    /// Lays records out on pages as a server does.
    fn wal(lengths: &[usize]) -> Vec<u8> {
        let (mut bytes, mut previous) = (Vec::new(), 0u64);
        for (number, &length) in lengths.iter().enumerate() {
            while !bytes.len().is_multiple_of(8) {
                bytes.push(0);
            }
            page_header(&mut bytes, 0);
            let start = bytes.len() as u64 + SEGMENT;
            let mut record = vec![u8::try_from(number % 251).unwrap(); length];
            record[..4].copy_from_slice(&u32::try_from(length).unwrap().to_le_bytes());
            record[8..16].copy_from_slice(&previous.to_le_bytes());
            (record[16], record[17]) = (0, 7);
            let crc = crc32c::crc32c_append(crc32c::crc32c(&record[24..]), &record[..20]);
            record[20..24].copy_from_slice(&crc.to_le_bytes());
            let mut rest = &record[..];
            while !rest.is_empty() {
                page_header(&mut bytes, rest.len());
                let room = 8192 - bytes.len() % 8192;
                let (now, later) = rest.split_at(rest.len().min(room));
                bytes.extend_from_slice(now);
                rest = later;
            }
            previous = start;
        }
        bytes
    }

    fn page_header(bytes: &mut Vec<u8>, continued: usize) {
        if !bytes.len().is_multiple_of(8192) {
            return;
        }
        let address = bytes.len() as u64 + SEGMENT;
        let long = address.is_multiple_of(SEGMENT);
        bytes.extend_from_slice(&MAGIC_15.to_le_bytes());
        bytes.extend_from_slice(&u16::from(continued > 0).to_le_bytes());
        bytes.extend_from_slice(&1u32.to_le_bytes());
        bytes.extend_from_slice(&address.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(continued).unwrap().to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        if long {
            bytes.extend_from_slice(&77u64.to_le_bytes());
            bytes.extend_from_slice(&[0; 8]);
        }
    }

    fn read(bytes: &[u8], piece: usize) -> Result<Vec<(u64, u64)>> {
        let mut reader = WalReader::new(Lsn(SEGMENT), SEGMENT, Some(77));
        let mut found = Vec::new();
        for mut piece in bytes.chunks(piece) {
            while let Some(record) = reader.next(&mut piece)? {
                found.push((record.start.0, record.end.0));
            }
        }
        Ok(found)
    }

    proptest! {
        #[test]
        fn records_come_out_in_any_pieces(
            lengths in prop::collection::vec(24usize..30_000, 1..20), piece in 1usize..20_000,
        ) {
            let bytes = wal(&lengths);
            let whole = read(&bytes, bytes.len()).unwrap();
            prop_assert_eq!(whole.len(), lengths.len());
            prop_assert_eq!(read(&bytes, piece).unwrap(), whole);
        }

        #[test]
        fn a_flipped_bit_loses_or_changes_nothing_unseen(
            lengths in prop::collection::vec(24usize..20_000, 2..6), at: prop::sample::Index,
        ) {
            let bytes = wal(&lengths);
            let mut damaged = bytes.clone();
            let bit = at.index(damaged.len() * 8);
            damaged[bit / 8] ^= 1 << (bit % 8);
            // Padding and unused bits of page headers say nothing; everything else is found, or ends the log
            // short of its known end.
            match read(&damaged, 4096) {
                Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Corrupt),
                Ok(found) => {
                    let whole = read(&bytes, 4096).unwrap();
                    prop_assert!(found == whole || found.len() < whole.len());
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, magic: bool) {
            let mut input = if magic { wal(&[24]) } else { Vec::new() };
            input.extend(bytes);
            let _ = read(&input, 100);
        }
    }

    #[test]
    fn the_end_and_foreign_clusters_are_told() {
        let mut bytes = wal(&[100, 200]);
        bytes.resize(3 * 8192, 0);
        assert_eq!(read(&bytes, 512).unwrap().len(), 2);
        let mut foreign = WalReader::new(Lsn(SEGMENT), SEGMENT, Some(78));
        assert!(foreign.next(&mut &bytes[..]).unwrap_err().to_string().contains("of cluster 77"));
    }
}
