//! The headers of a record's parts.

use super::format::WalFormat;
use crate::postgres::pages::Relation;

const RECORD_HEADER: usize = 24;
/// Flags beside the number of the fork.
const HAS_IMAGE: u8 = 0x10;
const WILL_INIT: u8 = 0x40;
const SAME_RELATION: u8 = 0x80;
/// What is said of an image.
const IMAGE_HAS_HOLE: u8 = 0x01;
/// Numbers of parts that are no blocks.
const MAIN_SHORT: u8 = 255;
const MAIN_LONG: u8 = 254;
const ORIGIN: u8 = 253;
const TOP_XID: u8 = 252;
const BLOCKS_MAX: u8 = 32;

/// A block that a record changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) relation: Relation,
    pub(super) block: u32,
    /// Whether replay writes the whole page, whatever lies there: from an image, or anew.
    pub(super) whole: bool,
}

/// Reads the headers of a whole record, hands on each block in order, and returns the record's own data, which
/// stands last. `None` for a record that is not what Postgres writes.
pub(super) fn read<'a>(record: &'a [u8], format: WalFormat, each: &mut dyn FnMut(Block)) -> Option<&'a [u8]> {
    let mut headers = record.get(RECORD_HEADER..)?;
    let mut take = |bytes: usize| {
        let (taken, rest) = headers.split_at_checked(bytes)?;
        headers = rest;
        Some(taken)
    };
    let number = |bytes: &[u8]| Some(u32::from_le_bytes(*bytes.first_chunk()?));
    let mut relation: Option<Relation> = None;
    let length = loop {
        match take(1)?[0] {
            MAIN_SHORT => break usize::from(take(1)?[0]),
            MAIN_LONG => break usize::try_from(number(take(4)?)?).ok()?,
            ORIGIN => drop(take(2)?),
            TOP_XID => drop(take(4)?),
            0..=BLOCKS_MAX => {
                let fork_flags = take(3)?[0];
                let mut whole = fork_flags & WILL_INIT != 0;
                if fork_flags & HAS_IMAGE != 0 {
                    let image = take(5)?[4];
                    // Images that are not applied only serve comparisons.
                    whole |= image & format.image_applied != 0;
                    // A compressed image with a hole tells the hole's length.
                    if image & IMAGE_HAS_HOLE != 0 && image & format.image_compressed != 0 {
                        take(2)?;
                    }
                }
                let fork = fork_flags & 0x0f;
                if fork_flags & SAME_RELATION == 0 {
                    let name = take(12)?;
                    let [tablespace, database, of] = [0, 4, 8].map(|at| name.get(at..).and_then(number));
                    relation =
                        Some(Relation { tablespace: tablespace?, database: database?, relation: of?, fork });
                }
                let block = number(take(4)?)?;
                each(Block { relation: Relation { fork, ..relation? }, block, whole });
            }
            _ => return None,
        }
    };
    record.get(record.len().checked_sub(length)?..)
}
