//! One log.

use std::ops::Range;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result, blocking};
use bytes::Bytes;

use super::LogReader;
use crate::repository::{Compression, Layout, Sealer};
use crate::{BlobStore, check_key};

/// Raw bytes of a chunk, at most. A reader that looks for a position lists no further back than this.
pub(crate) const CHUNK_RAW_MAX: u64 = 4 << 20;
/// Listings are read in pages of this many keys.
const PAGE: usize = 1000;

/// One log of a repository: bytes with absolute positions, appended in chunks, each written once.
///
/// Chunks may overlap (two writers may archive the same log); then both hold the same bytes.
#[derive(Debug, Clone)]
pub struct LogArchive {
    store: Arc<dyn BlobStore>,
    name: String,
    sealer: Sealer,
    compression: Compression,
}

impl LogArchive {
    pub(crate) fn new(
        store: Arc<dyn BlobStore>,
        name: String,
        sealer: Sealer,
        compression: Compression,
    ) -> Self {
        Self { store, name, sealer, compression }
    }

    /// The log's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Stores `data` (at most 4 MiB), which begins at position `start`. After `Ok` it is as durable as the store makes it;
    /// after an error or a dropped future a repeat with the same data does no harm.
    ///
    /// # Errors
    /// The store's; [`ErrorKind::Conflict`] if other bytes are stored there already.
    pub async fn append(&self, start: u64, data: Bytes) -> Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        let end = start + data.len() as u64;
        let key = Layout::log_chunk(&self.name, start, end);
        check_key(&key)?;
        let (sealer, object, compression) = (self.sealer.clone(), key.clone(), self.compression);
        let frame = blocking(move || sealer.seal(&object, &data, compression)).await??;
        match self.store.create(&key, frame.bytes.freeze()).await {
            // After a lost answer the first attempt may have been the one that succeeded.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if self.sealer.open(&key, &self.store.get(&key).await?, Some(frame.id)).is_ok() {
                    return Ok(());
                }
                Err(Error::new(
                    ErrorKind::Conflict,
                    "append to log",
                    "other bytes are stored at this position",
                )
                .with_target(format!("{}/{key}", self.store.location()))
                .with_remedy("two servers write to one log: give each its own repository or prefix"))
            }
            outcome => outcome,
        }
    }

    /// The end of what is stored without a gap from `start` on; `start` itself if nothing is.
    ///
    /// # Errors
    /// The store's.
    pub async fn stored_until(&self, start: u64) -> Result<u64> {
        Ok(self.chunks_from(start).await?.last().map_or(start, |chunk| chunk.end))
    }

    /// Reads the bytes of `positions`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if a part is not stored, naming the first missing position; the store's.
    pub async fn read(&self, positions: Range<u64>) -> Result<LogReader> {
        let chunks = self.chunks_from(positions.start).await?;
        let end = chunks.last().map_or(positions.start, |chunk| chunk.end);
        if end < positions.end {
            return Err(Error::new(
                ErrorKind::NotFound,
                "read log",
                format!("it has a gap at {:X}/{:X}", end >> 32, end & 0xffff_ffff),
            )
            .with_target(format!("{}/{}", self.store.location(), Layout::logs(&self.name)))
            .with_remedy("restore to a point before the gap, or take a new full backup"));
        }
        let (store, sealer) = (Arc::clone(&self.store), self.sealer.clone());
        Ok(LogReader::new(store, sealer, self.name.clone(), chunks, positions))
    }

    /// The chunks that continue one another from the one that holds `start`.
    async fn chunks_from(&self, start: u64) -> Result<Vec<Range<u64>>> {
        let prefix = Layout::logs(&self.name);
        let earliest = start.saturating_sub(CHUNK_RAW_MAX);
        let mut after = format!("{prefix}{earliest:016x}");
        let mut chunks: Vec<Range<u64>> = Vec::new();
        let mut end = start;
        loop {
            let page = self.store.list(&prefix, &after, PAGE).await?;
            for blob in &page {
                let Some((from, to)) = Layout::positions_of_chunk(&blob.key) else { continue };
                if from > end {
                    return Ok(chunks);
                }
                // An overlapping chunk that brings nothing new is left out.
                if to > end {
                    chunks.push(from..to);
                    end = to;
                }
            }
            match page.last() {
                Some(blob) if page.len() == PAGE => after.clone_from(&blob.key),
                _ => return Ok(chunks),
            }
        }
    }
}
