//! What the replay of a record makes whole.

use super::format::WalFormat;
use super::headers;
use crate::postgres::pages::Relation;

/// The resource manager of databases (`access/rmgrlist.h`), and its record of one that is copied file by file.
const RM_DATABASE: u8 = 4;
const CREATE_BY_COPY: u8 = 0x00;

/// What the replay of a record makes whole, whatever lay there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postgres) enum Restores {
    /// One page: it is written from an image, or made anew.
    Page { relation: Relation, block: u32 },
    /// A database's folder in a tablespace: it is copied again from another's.
    Database { tablespace: u32, database: u32 },
}

impl Restores {
    /// `record` is whole and its checksum was found right.
    pub(super) fn of(record: &[u8], format: WalFormat) -> Vec<Self> {
        let mut found = Vec::new();
        let data = headers::read(record, format, &mut |block| {
            if block.whole {
                found.push(Self::Page { relation: block.relation, block: block.block });
            }
        });
        let number = |at: usize| Some(u32::from_le_bytes(*data?.get(at..)?.first_chunk()?));
        if let [info, RM_DATABASE] = record.get(16..18).unwrap_or_default()
            && info & 0xf0 == CREATE_BY_COPY
            && let (Some(database), Some(tablespace)) = (number(0), number(4))
        {
            found.push(Self::Database { tablespace, database });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(record: &[u8]) -> Vec<Restores> {
        Restores::of(record, WalFormat::of_magic(0xd118).unwrap())
    }

    fn record(manager: u8, parts: &[&[u8]]) -> Vec<u8> {
        let mut record = vec![0; 24];
        record[17] = manager;
        parts.iter().for_each(|part| record.extend_from_slice(part));
        record
    }

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    fn page(fork: u8, block: u32) -> Restores {
        Restores::Page { relation: Relation { tablespace: 1663, database: 5, relation: 99, fork }, block }
    }

    #[test]
    fn images_and_new_pages_are_told_from_changes() {
        let name = numbers(&[1663, 5, 99]);
        let image = |info: u8| [100, 0, 24, 0, info];
        let found = of(&record(
            10,
            &[
                // An image with a hole, not compressed.
                &[0, 0x10, 0, 0],
                &image(0x03),
                &name,
                &numbers(&[7]),
                // The same relation: a compressed image with a hole, of the free space map.
                &[1, 0x91, 0, 0],
                &image(0x0b),
                &[8, 0],
                &numbers(&[8]),
                // An image that only serves comparison, then a change, then a page made anew.
                &[2, 0x90, 0, 0],
                &image(0x00),
                &numbers(&[9]),
                &[3, 0xa0, 4, 0],
                &numbers(&[10]),
                &[32, 0xc0, 0, 0],
                &numbers(&[11]),
                &[253, 1, 0, 252, 1, 2, 3, 4, 255, 2],
                &[0xee; 204],
            ],
        ));
        assert_eq!(found, [page(0, 7), page(1, 8), page(0, 11)]);
    }

    #[test]
    fn before_15_other_bits_say_what_an_image_is_for() {
        let parts: [&[u8]; 5] = [
            &[0, 0x10, 0, 0],
            &[100, 0, 24, 0, 0x07, 8, 0],
            &numbers(&[1663, 5, 99]),
            &numbers(&[7]),
            &[255, 0],
        ];
        let found = Restores::of(&record(10, &parts), WalFormat::of_magic(0xd10d).unwrap());
        assert_eq!(found, [page(0, 7)]);
    }

    #[test]
    fn copied_databases_are_told() {
        let data = numbers(&[16_500, 1663, 1, 1663]);
        let created = of(&record(RM_DATABASE, &[&[255, 16], &data]));
        assert_eq!(created, [Restores::Database { tablespace: 1663, database: 16_500 }]);
        assert!(of(&record(RM_DATABASE + 1, &[&[255, 16], &data])).is_empty());
    }

    #[test]
    fn a_block_of_the_same_relation_needs_one_before() {
        assert!(of(&record(10, &[&[0, 0xc0, 0, 0], &numbers(&[1]), &[255, 0]])).is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, manager: u8) {
            let _ = of(&bytes);
            let _ = of(&record(manager, &[&bytes]));
        }
    }
}
