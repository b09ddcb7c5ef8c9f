//! The `INCREMENTAL.*` files of Postgres 17 and newer: the changed blocks of one file
//! (`src/backend/backup/basebackup_incremental.c`).

use alfred_ops_core::{Error, ErrorKind, Result};

const MAGIC: u32 = 0xd3ae_1f0d;
/// The length of a block, and what the header is padded to where blocks follow.
const BLOCK: usize = 8192;
/// Blocks of the largest file that a server writes: 32 GiB, by `--with-segsize`.
const BLOCKS_MAX: u32 = 1 << 22;
/// What stands before a file's name in the archive.
const PREFIX: &str = "INCREMENTAL.";

/// The header of an incremental file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IncrementalHeader {
    /// The file's length in blocks, counted with those that follow.
    pub(super) blocks: u32,
    /// Blocks below this one are as in the backup before unless they follow.
    pub(super) kept_blocks: u32,
    /// The blocks that follow, ascending.
    pub(super) changed: Vec<u32>,
}

/// Reads an incremental file that arrives in arbitrary pieces.
#[derive(Debug, Default)]
pub(super) struct IncrementalReader {
    head: Vec<u8>,
    header: Option<IncrementalHeader>,
    /// Blocks that came whole.
    taken: usize,
    block: Vec<u8>,
}

/// What comes next in an incremental file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum IncrementalEvent {
    Header(IncrementalHeader),
    /// One block, and which one it is.
    Block(u32, Vec<u8>),
}

/// The path that an incremental file in an archive is about; `None` for a whole file.
pub(super) fn subject(path: &str) -> Option<String> {
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let name = name.strip_prefix(PREFIX)?;
    Some(if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") })
}

impl IncrementalReader {
    /// Takes what it can from the front of `input`; `None` when more is needed.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<IncrementalEvent>> {
        let Some(header) = &self.header else {
            return self.take_header(input);
        };
        let Some(&number) = header.changed.get(self.taken) else {
            return if input.is_empty() {
                Ok(None)
            } else {
                Err(corrupt("something follows its last block"))
            };
        };
        fill(&mut self.block, BLOCK, input);
        if self.block.len() < BLOCK {
            return Ok(None);
        }
        self.taken += 1;
        Ok(Some(IncrementalEvent::Block(number, std::mem::take(&mut self.block))))
    }

    fn take_header(&mut self, input: &mut &[u8]) -> Result<Option<IncrementalEvent>> {
        fill(&mut self.head, 12, input);
        let Some(&[m0, m1, m2, m3, c0, c1, c2, c3, t0, t1, t2, t3]) = self.head.first_chunk::<12>() else {
            return Ok(None);
        };
        if u32::from_le_bytes([m0, m1, m2, m3]) != MAGIC {
            return Err(corrupt("it does not begin as one"));
        }
        let (count, kept_blocks) =
            (u32::from_le_bytes([c0, c1, c2, c3]), u32::from_le_bytes([t0, t1, t2, t3]));
        if count > BLOCKS_MAX || kept_blocks > BLOCKS_MAX {
            return Err(corrupt(&format!("it claims {count} blocks of {kept_blocks}")));
        }
        let unpadded = 12 + 4 * usize::try_from(count).unwrap_or(usize::MAX);
        let length = if count == 0 { unpadded } else { unpadded.next_multiple_of(BLOCK) };
        fill(&mut self.head, length, input);
        if self.head.len() < length {
            return Ok(None);
        }
        let numbers = &std::mem::take(&mut self.head)[12..unpadded];
        let changed: Vec<u32> = numbers.as_chunks::<4>().0.iter().map(|n| u32::from_le_bytes(*n)).collect();
        if !changed.is_sorted_by(|a, b| a < b) || changed.last().is_some_and(|&last| last >= BLOCKS_MAX) {
            return Err(corrupt("its blocks are out of order"));
        }
        let blocks = kept_blocks.max(changed.last().map_or(0, |last| last + 1));
        let header = IncrementalHeader { blocks, kept_blocks, changed };
        self.header = Some(header.clone());
        Ok(Some(IncrementalEvent::Header(header)))
    }

    /// Whether the file may end here.
    pub(super) fn is_complete(&self) -> bool {
        self.block.is_empty() && self.header.as_ref().is_some_and(|header| header.changed.len() == self.taken)
    }
}

/// Moves bytes until `buffer` has the given length.
fn fill(buffer: &mut Vec<u8>, length: usize, input: &mut &[u8]) {
    let wanted = length.saturating_sub(buffer.len()).min(input.len());
    let (now, later) = input.split_at(wanted);
    buffer.extend_from_slice(now);
    *input = later;
}

fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, "read incremental file", what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(kept: u32, changed: &[u32]) -> Vec<u8> {
        let mut file = MAGIC.to_le_bytes().to_vec();
        file.extend_from_slice(&u32::try_from(changed.len()).unwrap().to_le_bytes());
        file.extend_from_slice(&kept.to_le_bytes());
        changed.iter().for_each(|number| file.extend_from_slice(&number.to_le_bytes()));
        if !changed.is_empty() {
            file.resize(file.len().next_multiple_of(BLOCK), 0);
        }
        changed.iter().for_each(|&number| file.extend(vec![u8::try_from(number % 251).unwrap(); BLOCK]));
        file
    }

    fn read(file: &[u8], piece: usize) -> Result<(Option<IncrementalHeader>, Vec<u32>, bool)> {
        let mut reader = IncrementalReader::default();
        let (mut header, mut blocks) = (None, Vec::new());
        for mut piece in file.chunks(piece) {
            while let Some(event) = reader.next(&mut piece)? {
                match event {
                    IncrementalEvent::Header(found) => header = Some(found),
                    IncrementalEvent::Block(number, data) => {
                        assert_eq!(u32::from(data[0]), number % 251);
                        blocks.push(number);
                    }
                }
            }
        }
        Ok((header, blocks, reader.is_complete()))
    }

    #[test]
    fn files_are_read_in_any_pieces() {
        for piece in [1, 7, 4096, 1 << 20] {
            let (header, blocks, complete) = read(&file(9, &[0, 4, 11]), piece).unwrap();
            let wanted = IncrementalHeader { blocks: 12, kept_blocks: 9, changed: vec![0, 4, 11] };
            assert_eq!((header, blocks, complete), (Some(wanted), vec![0, 4, 11], true));
            let (header, blocks, complete) = read(&file(9, &[]), piece).unwrap();
            let unchanged = IncrementalHeader { blocks: 9, kept_blocks: 9, changed: Vec::new() };
            assert_eq!((header, blocks, complete), (Some(unchanged), Vec::new(), true));
        }
        assert!(read(&file(9, &[4, 4]), 100).unwrap_err().to_string().contains("out of order"));
        assert!(read(b"not an incremental file", 100).is_err());
        assert!(!read(&file(9, &[1])[..9000], 100).unwrap().2, "it is cut short");
    }

    #[test]
    fn names_tell_what_a_file_is_about() {
        assert_eq!(subject("base/5/INCREMENTAL.1259").as_deref(), Some("base/5/1259"));
        assert_eq!(subject("base/5/1259"), None);
        assert_eq!(subject("INCREMENTAL.x").as_deref(), Some("x"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, magic: bool) {
            let mut file = if magic { MAGIC.to_le_bytes().to_vec() } else { Vec::new() };
            file.extend(bytes);
            let mut reader = IncrementalReader::default();
            let mut input = &file[..];
            while let Ok(Some(_)) = reader.next(&mut input) {}
        }
    }
}
