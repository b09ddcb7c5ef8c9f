//! The chunks of the log that a backup needs, and of what follows it.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use alfred_ops_core::{ErrorKind, Lsn, Result};
use futures::stream::{StreamExt as _, TryStreamExt as _};

use super::examination::{Check, Wrong, examine, fetch};
use super::inspector::{Inspector, READS, changed};
use super::{Damage, DamageKind, InspectionDepth, Unmended};
use crate::log::CHUNK_RAW_MAX;
use crate::repository::frame::HEADER_BYTES;
use crate::repository::repository::logs_in;
use crate::repository::{Layout, Sealer};
use crate::{BlobInfo, BlobStore, LogRange};

/// Listings are read in pages of this many keys.
const PAGE: usize = 1000;

impl Inspector<'_> {
    /// Looks at the log that a backup needs, and at what follows it in all its branches.
    pub(super) async fn log(&mut self, needed: &LogRange) -> Result<()> {
        if self.found.depth == InspectionDepth::Content {
            let start = needed.positions.start;
            let family = Layout::log_family(&needed.log);
            for name in logs_in(&*self.repository.store, family).await? {
                if Layout::log_family(&name) == family {
                    self.read_chunks(&name, start).await?;
                }
            }
            if let Some(second) = self.second {
                for name in logs_in(second, family).await? {
                    if Layout::log_family(&name) == family {
                        self.fill(second, &name, start).await?;
                    }
                }
            }
        }
        self.gaps(needed).await
    }

    async fn read_chunks(&mut self, name: &str, start: u64) -> Result<()> {
        let mut listing = Chunks::new(name, start);
        let (repository, second) = (self.repository, self.second);
        while let Some(page) = listing.next(&*repository.store).await? {
            let reads = futures::stream::iter(page).map(|(blob, positions)| {
                let check = chunk_check(blob.key.clone(), positions, repository.sealer.clone());
                examine(repository, second, blob.key, check)
            });
            let mut reads = reads.buffered(READS);
            while let Some(examined) = reads.try_next().await? {
                self.context.check("inspect")?;
                self.note(examined);
            }
        }
        Ok(())
    }

    /// Brings back the chunks that only the second store holds whole.
    async fn fill(&mut self, second: &dyn BlobStore, name: &str, start: u64) -> Result<()> {
        let mut listing = Chunks::new(name, start);
        while let Some(page) = listing.next(second).await? {
            let here = self.keys_here(name, &page).await?;
            for (blob, positions) in page.into_iter().filter(|(blob, _)| !here.contains(&blob.key)) {
                self.context.check("inspect")?;
                let check = chunk_check(blob.key.clone(), positions, self.repository.sealer.clone());
                // If it is needed and damaged there too, a gap is left and told.
                let Ok((data, ())) = fetch(second, &blob.key, &check).await? else { continue };
                match self.repository.store.create(&blob.key, data).await {
                    // An archiver was faster.
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                    created => created?,
                }
                tracing::info!(key = blob.key, from = second.location(), "mended");
                self.found.objects += 1;
                self.found.damages.push(Damage::missing(&blob.key));
                self.mended.push(Damage::missing(blob.key));
            }
        }
        Ok(())
    }

    /// Which of the second store's keys the repository holds too.
    async fn keys_here(&self, name: &str, page: &[(BlobInfo, Range<u64>)]) -> Result<HashSet<String>> {
        let mut here = HashSet::new();
        let (Some((first, _)), Some((last, _))) = (page.first(), page.last()) else { return Ok(here) };
        // A key that sorts just before the first.
        let mut after = first.key.clone();
        after.pop();
        loop {
            let found = self.repository.store.list(&Layout::logs(name), &after, PAGE).await?;
            let done = found.len() < PAGE || found.last().is_some_and(|blob| blob.key >= last.key);
            after = found.last().map(|blob| blob.key.clone()).unwrap_or_default();
            here.extend(found.into_iter().map(|blob| blob.key));
            if done {
                return Ok(here);
            }
        }
    }

    /// Names every part of the log that the backup needs and no chunk holds.
    async fn gaps(&mut self, needed: &LogRange) -> Result<()> {
        let Range { start, end } = needed.positions;
        let mut listing = Chunks::new(&needed.log, start);
        let mut covered = start;
        let mut gaps = Vec::new();
        while covered < end
            && let Some(page) = listing.next(&*self.repository.store).await?
        {
            for (blob, positions) in page {
                if covered >= end {
                    break;
                }
                if positions.start > covered {
                    gaps.push(covered..positions.start.min(end));
                }
                covered = covered.max(positions.end);
                if self.found.depth == InspectionDepth::Structure {
                    self.found.objects += 1;
                    self.found.stored_bytes += blob.bytes;
                    if blob.bytes < HEADER_BYTES as u64 {
                        let what = format!("it has {} bytes, less than any chunk", blob.bytes);
                        self.found.damages.push(Damage::new(blob.key, DamageKind::Short, what));
                    }
                }
            }
        }
        if covered < end {
            gaps.push(covered..end);
        }
        for gap in gaps {
            let what = format!("the log has a gap from {} to {}", Lsn(gap.start), Lsn(gap.end));
            let damage = Damage::new(Layout::logs(&needed.log), DamageKind::Missing, what);
            if self.second.is_some() {
                let why = "the second store has no whole copy".to_owned();
                self.unmended.push(Unmended { damage: damage.clone(), why });
            }
            self.found.damages.push(damage);
        }
        Ok(())
    }
}

/// The chunks of a log that hold anything behind a position, page by page.
struct Chunks {
    prefix: String,
    after: String,
    start: u64,
    done: bool,
}

impl Chunks {
    fn new(name: &str, start: u64) -> Self {
        let prefix = Layout::logs(name);
        let after = format!("{prefix}{:016x}", start.saturating_sub(CHUNK_RAW_MAX));
        Self { prefix, after, start, done: false }
    }

    /// The next of them in `store`; `None` after the last.
    async fn next(&mut self, store: &dyn BlobStore) -> Result<Option<Vec<(BlobInfo, Range<u64>)>>> {
        if self.done {
            return Ok(None);
        }
        let page = store.list(&self.prefix, &self.after, PAGE).await?;
        self.done = page.len() < PAGE;
        if let Some(last) = page.last() {
            self.after.clone_from(&last.key);
        }
        let chunks = page.into_iter().filter_map(|blob| {
            let (from, to) = Layout::positions_of_chunk(&blob.key)?;
            (to > self.start).then_some((blob, from..to))
        });
        Ok(Some(chunks.collect()))
    }
}

fn chunk_check(key: String, positions: Range<u64>, sealer: Sealer) -> Check<()> {
    Arc::new(move |data| -> Result<(), Wrong> {
        let raw = sealer.open_object(&key, data)?;
        let same = raw.len() as u64 == positions.end - positions.start;
        if same { Ok(()) } else { Err(changed("it has another length than its name says")) }
    })
}
