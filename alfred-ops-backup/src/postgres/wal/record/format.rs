//! What differs between the WAL of Postgres' versions.

/// `XLOG_PAGE_MAGIC` of Postgres 13, 15 and 18; those between belong to the versions between.
const MAGIC_13: u16 = 0xd106;
pub(super) const MAGIC_15: u16 = 0xd110;
const MAGIC_18: u16 = 0xd118;

/// How the records of a page are laid out, as far as that differs between versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WalFormat {
    /// The bits of `bimg_info` that say that a page image is compressed (`access/xlogrecord.h`).
    pub(super) image_compressed: u8,
    /// The one that says that it is written when the record is replayed.
    pub(super) image_applied: u8,
    /// The length of an item of dropped statistics in a commit. Before 15 there is none.
    pub(super) dropped_statistics: usize,
}

const NEWEST: WalFormat = WalFormat { image_compressed: 0x1c, image_applied: 0x02, dropped_statistics: 16 };

impl WalFormat {
    /// What a page with this magic number holds; `None` if it is of a version that is not known.
    pub(super) fn of_magic(magic: u16) -> Option<Self> {
        let between = |from, until| (from..until).contains(&magic);
        // From 15 on each method has a bit. Before, the one that now says "to be applied" said "compressed".
        match magic {
            _ if between(MAGIC_13, MAGIC_15) => {
                Some(Self { image_compressed: 0x02, image_applied: 0x04, dropped_statistics: 0 })
            }
            _ if between(MAGIC_15, MAGIC_18) => Some(Self { dropped_statistics: 12, ..NEWEST }),
            MAGIC_18 => Some(NEWEST),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_known_and_its_neighbours_are_not() {
        // Read from servers of 13, 14, 15, 16, 17 and 18.
        for (magic, compressed) in
            [(0xd106, 0x02), (0xd10d, 0x02), (0xd110, 0x1c), (0xd113, 0x1c), (0xd116, 0x1c), (0xd118, 0x1c)]
        {
            assert_eq!(WalFormat::of_magic(magic).unwrap().image_compressed, compressed, "{magic:x}");
        }
        assert_eq!((WalFormat::of_magic(0xd101), WalFormat::of_magic(0xd119)), (None, None));
    }
}
