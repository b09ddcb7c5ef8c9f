//! Pages on their way past.

use alfred_ops_core::Lsn;

use super::checksum::{PAGE_BYTES, PageState, look};
use super::{Relation, RelationFile};

/// Pages that are remembered for a look into the log, at most: a torn page is rare, and a disk that damaged more
/// has made its point.
pub(super) const SUSPECTS_MAX: usize = 10_000;

/// A page whose checksum is wrong, and which the log may restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suspect {
    pub(super) relation: Relation,
    /// Within the relation.
    pub(super) block: u32,
    pub(super) path: String,
    /// Within the file.
    pub(super) file_block: u32,
    pub(super) changed: Lsn,
}

/// Checks the pages of one file after another as their bytes come by. Pure.
#[derive(Debug, Default)]
pub(super) struct PageCheck {
    /// The backup began and ended here: a page that changed in between was copied while it was being written.
    during: (Lsn, Lsn),
    file: Option<(RelationFile, String)>,
    /// A page whose beginning has come.
    partial: Vec<u8>,
    offset: u64,
    pub(super) pages: u64,
    pub(super) new_pages: u64,
    pub(super) torn_pages: u64,
    pub(super) suspects: Vec<Suspect>,
    pub(super) suspects_unlisted: u64,
}

impl PageCheck {
    pub(super) fn new(start: Lsn, end: Lsn) -> Self {
        Self { during: (start, end), ..Self::default() }
    }

    /// The next file begins.
    pub(super) fn begin(&mut self, path: &str) {
        self.end();
        self.file = RelationFile::of(path).map(|file| (file, path.to_owned()));
    }

    /// The next bytes of the present file.
    pub(super) fn add(&mut self, mut data: &[u8]) {
        if self.file.is_none() {
            return;
        }
        if !self.partial.is_empty() {
            let (now, rest) = data.split_at(data.len().min(PAGE_BYTES - self.partial.len()));
            self.partial.extend_from_slice(now);
            data = rest;
            if let Ok(page) = <[u8; PAGE_BYTES]>::try_from(&self.partial[..]) {
                self.partial.clear();
                self.page(&page);
            }
        }
        let (pages, rest) = data.as_chunks::<PAGE_BYTES>();
        pages.iter().for_each(|page| self.page(page));
        self.partial.extend_from_slice(rest);
    }

    /// No more bytes of the present file come. A last page that is short was being added while it was copied.
    pub(super) fn end(&mut self) {
        let partial = std::mem::take(&mut self.partial);
        if partial.iter().any(|&byte| byte != 0) {
            self.suspect(Lsn(0));
        }
        self.file = None;
        self.offset = 0;
    }

    fn page(&mut self, page: &[u8; PAGE_BYTES]) {
        let block = self.file_block();
        let Some((file, _)) = &self.file else { return };
        match look(page, file.first_block.wrapping_add(block)) {
            PageState::New => self.new_pages += 1,
            PageState::Right => self.pages += 1,
            PageState::Wrong { changed } => {
                self.pages += 1;
                if (self.during.0..=self.during.1).contains(&changed) {
                    self.torn_pages += 1;
                } else {
                    self.suspect(changed);
                }
            }
        }
        self.offset += PAGE_BYTES as u64;
    }

    fn suspect(&mut self, changed: Lsn) {
        let file_block = self.file_block();
        let Some((file, path)) = &self.file else { return };
        if self.suspects.len() >= SUSPECTS_MAX {
            self.suspects_unlisted += 1;
            return;
        }
        self.suspects.push(Suspect {
            relation: file.relation,
            block: file.first_block.wrapping_add(file_block),
            path: path.clone(),
            file_block,
            changed,
        });
    }

    fn file_block(&self) -> u32 {
        u32::try_from(self.offset / PAGE_BYTES as u64).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::checksum::tests::page;
    use super::*;

    #[test]
    fn pages_are_checked_however_they_are_cut_and_told_apart() {
        let (before, during, after) = (Lsn(50), Lsn(150), Lsn(900));
        let mut file = Vec::new();
        for (block, changed) in [(0, before), (1, before), (2, during), (3, after)] {
            file.extend_from_slice(&page(9, 131_072 + block, changed)[..]);
        }
        file.extend_from_slice(&[0; PAGE_BYTES]);
        for block in [1, 2, 3] {
            file[block * PAGE_BYTES + 4000] ^= 1;
        }
        file.extend_from_slice(&[7; 100]);
        for piece in [100, PAGE_BYTES, 3 * PAGE_BYTES + 1, file.len()] {
            let mut check = PageCheck::new(Lsn(100), Lsn(200));
            check.begin("base/5/99.1");
            file.chunks(piece).for_each(|piece| check.add(piece));
            check.begin("pg_xact/0000");
            check.add(&[1; 2 * PAGE_BYTES]);
            check.end();
            assert_eq!((check.pages, check.new_pages, check.torn_pages), (4, 1, 1), "{piece}");
            let blocks: Vec<(u32, u32, Lsn)> =
                check.suspects.iter().map(|page| (page.file_block, page.block, page.changed)).collect();
            assert_eq!(blocks, [(1, 131_073, before), (3, 131_075, after), (5, 131_077, Lsn(0))], "{piece}");
        }
    }
}
