//! Pages: what backups are compared by.

/// Files are compared and deduplicated in pages of this length, which is that of Postgres.
pub(crate) const PAGE_BYTES: usize = 8192;
/// The same number, as the format counts.
pub(crate) const PAGE_BYTES_U32: u32 = 8192;
/// Pages of a segment: the part of a file that has a map of its own. It bounds what must be in memory
/// of a file of any length.
pub(crate) const SEGMENT_PAGES: u32 = 1 << 17;
/// Bytes of a segment.
pub(crate) const SEGMENT_BYTES: u64 = (SEGMENT_PAGES as u64) * (PAGE_BYTES as u64);

/// The first eight bytes of a page's hash.
///
/// A page is only ever compared with the one page of the same place in the backup before, so that the
/// chance of a wrong match is 2⁻⁶⁴ for each changed page; the hash is keyed in encrypted repositories, so
/// that nobody can look for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PageDigest(pub(super) [u8; 8]);

impl PageDigest {
    pub(super) fn of(hash: blake3::Hash) -> Self {
        Self(hash.as_bytes().first_chunk().copied().unwrap_or_default())
    }
}

/// How many pages so many bytes take. The last one may be short.
pub(crate) fn pages_of(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(PAGE_BYTES as u64)).unwrap_or(u32::MAX)
}

/// Whether a page holds only zeros. Such pages are not stored.
pub(crate) fn is_zeros(page: &[u8]) -> bool {
    let (chunks, rest) = page.as_chunks::<64>();
    chunks.iter().all(|chunk| *chunk == [0; 64]) && rest.iter().all(|&byte| byte == 0)
}
