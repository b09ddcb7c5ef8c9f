//! Reading a log in order.

use std::ops::Range;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result, blocking};
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt as _};

use crate::BlobStore;
use crate::repository::{Layout, Sealer, read_again_if_damaged};

/// Chunks on their way at once.
const READS: usize = 4;

/// The bytes of a part of a log, in order. Chunks are read ahead in parallel.
pub struct LogReader {
    data: BoxStream<'static, Result<Bytes>>,
}

impl LogReader {
    pub(super) fn new(
        store: Arc<dyn BlobStore>,
        sealer: Sealer,
        name: String,
        chunks: Vec<Range<u64>>,
        positions: Range<u64>,
    ) -> Self {
        let mut wanted = positions.start;
        let parts: Vec<(Range<u64>, Range<u64>)> = chunks
            .into_iter()
            .map(|chunk| {
                let part = wanted.max(chunk.start)..chunk.end.min(positions.end);
                wanted = wanted.max(part.end);
                (chunk, part)
            })
            .filter(|(_, part)| part.start < part.end)
            .collect();
        let data = futures::stream::iter(parts)
            .map(move |(chunk, part)| {
                let key = Layout::log_chunk(&name, chunk.start, chunk.end);
                read_chunk(Arc::clone(&store), sealer.clone(), key, chunk, part)
            })
            .buffered(READS)
            .boxed();
        Self { data }
    }

    /// The next bytes; `None` after the last.
    ///
    /// # Errors
    /// The store's; [`ErrorKind::Corrupt`] for a damaged chunk, naming it.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        self.data.next().await.transpose()
    }
}

impl std::fmt::Debug for LogReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader").finish_non_exhaustive()
    }
}

async fn read_chunk(
    store: Arc<dyn BlobStore>,
    sealer: Sealer,
    key: String,
    chunk: Range<u64>,
    part: Range<u64>,
) -> Result<Bytes> {
    let target = format!("{}/{key}", store.location());
    let at = move |error: Error| error.with_target(target.clone());
    let read = || async {
        let object = store.get(&key).await?;
        let (sealer, key) = (sealer.clone(), key.clone());
        blocking(move || sealer.open_object(&key, &object)).await?.map_err(&at)
    };
    let data = read_again_if_damaged(read).await?;
    let bounds =
        usize::try_from(part.start - chunk.start).ok().zip(usize::try_from(part.end - chunk.start).ok());
    match bounds {
        Some((from, to)) if data.len() as u64 == chunk.end - chunk.start => Ok(data.slice(from..to)),
        _ => Err(at(Error::new(
            ErrorKind::Corrupt,
            "read log",
            "a chunk has another length than its name says",
        ))),
    }
}
