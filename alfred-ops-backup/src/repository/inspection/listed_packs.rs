//! Packs, looked for by a listing.

use alfred_ops_core::Result;

use super::Damage;
use super::inspector::{Inspector, Packs};
use super::pack_contents::too_short;
use crate::repository::Layout;

/// Listings are read in pages of this many keys.
const PAGE: usize = 1000;

impl Inspector<'_> {
    /// Looks whether the packs are there and long enough, without reading them.
    pub(super) async fn list_packs(&mut self, packs: &Packs) -> Result<()> {
        let mut wanted = packs.iter().peekable();
        // A key that sorts just before the first.
        let mut after = packs.keys().next().map(|&first| Layout::pack(first)).unwrap_or_default();
        after.pop();
        while wanted.peek().is_some() {
            self.context.check("inspect")?;
            let page = self.repository.store.list(Layout::PACKS, &after, PAGE).await?;
            let last = page.len() < PAGE;
            let mut listed = page.iter().peekable();
            while let Some(&(&id, contents)) = wanted.peek() {
                let key = Layout::pack(id);
                while listed.next_if(|blob| blob.key < key).is_some() {}
                let blob = match listed.peek() {
                    Some(blob) if blob.key == key => blob,
                    None if !last => break,
                    _ => {
                        wanted.next();
                        self.found.objects += 1;
                        self.found.damages.push(Damage::missing(key));
                        continue;
                    }
                };
                wanted.next();
                self.found.objects += 1;
                self.found.stored_bytes += blob.bytes;
                let bytes_min = contents.as_ref().map_or(0, |contents| contents.bytes_min());
                if blob.bytes < bytes_min {
                    let wrong = too_short(blob.bytes, bytes_min);
                    self.found.damages.push(Damage::new(key, wrong.kind, wrong.what));
                }
            }
            after = page.last().map(|blob| blob.key.clone()).unwrap_or_default();
        }
        Ok(())
    }
}
