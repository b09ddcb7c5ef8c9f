//! The checksum of one page (`storage/checksum_impl.h`).

use alfred_ops_core::Lsn;

pub(super) const PAGE_BYTES: usize = 8192;
/// Sums that run beside each other, each over every 32nd word of the page.
const SUMS: usize = 32;
const ROW_BYTES: usize = SUMS * 4;
const PRIME: u32 = 16_777_619;
/// The word that holds the checksum itself in its lower half; it counts as zero.
const CHECKSUM_WORD: usize = 2;
/// What the sums begin with: random numbers that Postgres fixed once.
const SEEDS: [u32; SUMS] = [
    0x5b1f_36e9,
    0xb852_5960,
    0x02ab_50aa,
    0x1de6_6d2a,
    0x79ff_467a,
    0x9bb9_f8a3,
    0x217e_7cd2,
    0x83e1_3d2c,
    0xf8d4_474f,
    0xe39e_b970,
    0x42c6_ae16,
    0x9932_16fa,
    0x7b09_3b5d,
    0x98da_ff3c,
    0xf718_902a,
    0x0b1c_9cdb,
    0xe58f_764b,
    0x1876_36bc,
    0x5d7b_3bb1,
    0xe73d_e7de,
    0x92be_c979,
    0xcca6_c0b2,
    0x304a_0979,
    0x85aa_43d4,
    0x7831_25bb,
    0x6ca8_eaa2,
    0xe407_eac6,
    0x4b5c_fc3e,
    0x9fbf_8c76,
    0x15ca_20be,
    0xf2ca_9fd3,
    0x959b_d756,
];

/// What the checksum of a page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageState {
    /// Only zeros: Postgres has made room and written nothing yet.
    New,
    /// As it was written.
    Right,
    /// Not as it was written. Its header says that this position of the log changed it last.
    Wrong { changed: Lsn },
}

/// Looks at the page of that number within its relation.
pub(super) fn look(page: &[u8; PAGE_BYTES], block: u32) -> PageState {
    let half = |at: usize| u16::from_le_bytes([page[at], page[at + 1]]);
    let word = |at: usize| u32::from_le_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]]);
    let (stored, upper) = (half(8), half(14));
    if upper == 0 && page.iter().all(|&byte| byte == 0) {
        return PageState::New;
    }
    // A page whose header says that it is empty carries no checksum, so that something in it is wrong.
    if upper != 0 && checksum(page, block) == stored {
        return PageState::Right;
    }
    PageState::Wrong { changed: Lsn(u64::from(word(0)) << 32 | u64::from(word(4))) }
}

/// The checksum that the page of that number must carry.
pub(super) fn checksum(page: &[u8; PAGE_BYTES], block: u32) -> u16 {
    let mut sums = SEEDS;
    let (rows, _) = page.as_chunks::<ROW_BYTES>();
    if let Some((first, rest)) = rows.split_first() {
        let mut first = words(first);
        first[CHECKSUM_WORD] &= 0xffff_0000;
        add(&mut sums, &first);
        rest.iter().for_each(|row| add(&mut sums, &words(row)));
    }
    add(&mut sums, &[0; SUMS]);
    add(&mut sums, &[0; SUMS]);
    let sum = sums.iter().fold(0, |sum, one| sum ^ one) ^ block;
    // Never 0, which would be a page without a checksum.
    u16::try_from(sum % 65_535 + 1).unwrap_or_default()
}

/// One step of each sum: FNV-1a, with the upper bits brought down again.
#[inline]
fn add(sums: &mut [u32; SUMS], row: &[u32; SUMS]) {
    for (sum, word) in sums.iter_mut().zip(row) {
        let mixed = *sum ^ word;
        *sum = mixed.wrapping_mul(PRIME) ^ (mixed >> 17);
    }
}

#[inline]
fn words(row: &[u8; ROW_BYTES]) -> [u32; SUMS] {
    let mut words = [0; SUMS];
    for (word, bytes) in words.iter_mut().zip(row.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

#[cfg(test)]
pub(super) mod tests {
    use alfred_ops_core::{Entropy as _, SeededEntropy};
    use proptest::prelude::*;

    use super::*;

    /// A page of noise with a header that could be Postgres', and its checksum.
    pub(crate) fn page(seed: u64, block: u32, changed: Lsn) -> Box<[u8; PAGE_BYTES]> {
        let mut page = Box::new([0; PAGE_BYTES]);
        SeededEntropy::new(seed).fill(&mut page[..]);
        page[..4].copy_from_slice(&u32::try_from(changed.0 >> 32).unwrap().to_le_bytes());
        page[4..8].copy_from_slice(&u32::try_from(changed.0 & 0xffff_ffff).unwrap().to_le_bytes());
        page[14..16].copy_from_slice(&8000u16.to_le_bytes());
        let sum = checksum(&page, block);
        page[8..10].copy_from_slice(&sum.to_le_bytes());
        page
    }

    #[test]
    fn checksums_are_those_of_postgres() {
        // SELECT page_checksum(page, block) of the extension pageinspect, which gives a smallint, on Postgres 15.
        let counting: [u8; PAGE_BYTES] = std::array::from_fn(|at| u8::try_from(at % 251).unwrap());
        let ones = [1; PAGE_BYTES];
        for (page, block, wanted) in [
            (&counting, 0, 7648),
            (&counting, 1, 7647),
            (&counting, 131_072, 7646),
            (&counting, 2_000_000_000, 49_939),
            (&ones, 0, 1175),
            (&ones, 131_072, 1177),
            (&ones, 2_000_000_000, 22_986),
        ] {
            assert_eq!(checksum(page, block), wanted, "block {block}");
        }
    }

    #[test]
    fn new_pages_are_those_of_zeros_only() {
        let mut page = [0; PAGE_BYTES];
        assert_eq!(look(&page, 7), PageState::New);
        page[5000] = 1;
        assert_eq!(look(&page, 7), PageState::Wrong { changed: Lsn(0) });
    }

    #[test]
    fn flipped_bits_are_found_as_well_as_sixteen_bits_can() {
        let whole = page(11, 3, Lsn(5));
        assert_eq!(look(&whole, 3), PageState::Right);
        let missed = (0..PAGE_BYTES * 8).filter(|bit| {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            look(&damaged, 3) == PageState::Right
        });
        // One in 65,535 by chance; what is flipped after the capture is found by the frames' hashes.
        let missed = missed.count();
        assert!(missed <= 4, "{missed} of 65,536");
    }

    proptest! {
        #[test]
        fn a_page_in_another_place_is_found(seed: u64, block: u32, other: u32) {
            let page = page(seed, block, Lsn(5));
            prop_assert_eq!(look(&page, block), PageState::Right);
            let same = (block ^ other) % 65_535 == 0 || checksum(&page, block) == checksum(&page, other);
            prop_assert_eq!(look(&page, other) == PageState::Right, same);
        }

        #[test]
        fn a_flipped_bit_is_found(seed in 0u64..200, block in 0u32..1000, bit in 0usize..128) {
            // Bits of the header, the position of the last change among them: none of these is missed.
            let mut page = page(seed, block, Lsn(0x3_0000_1000));
            page[bit / 8] ^= 1 << (bit % 8);
            let PageState::Wrong { .. } = look(&page, block) else { panic!("bit {bit} of page {seed}") };
        }
    }
}
