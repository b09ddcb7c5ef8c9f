//! How a closed file gets into the archive.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result, blocking};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use super::archived_logs::{READ_FILE, file_error, unpack};
use super::archiving_plan::OldFile;
use super::pieces::{Cut, Pieces};
use super::{ArchivedLogs, ArchivedPiece};

/// A file in which no line tells its time was begun so long before its closing at most, as far as a search is concerned.
const UNDATED_SPAN_MAX: TimeDelta = TimeDelta::days(31);

impl ArchivedLogs {
    /// Stores what is in `old`. After `Ok`, every line of it was read back from the store and compared. Gives how many bytes
    /// of the file that are.
    pub(super) async fn store_file(&self, host: &str, old: &OldFile, level: i32) -> Result<u64> {
        let file = &old.file;
        let opened = file.clone();
        let mut pieces =
            blocking(move || Pieces::open(&opened)).await?.map_err(|error| file_error(&file.path, &error))?;
        let (mut bytes, mut began_at) = (0, None);
        loop {
            let (returned, cut) = blocking(move || {
                let cut = pieces.next();
                (pieces, cut)
            })
            .await?;
            pieces = returned;
            let Some(cut) = cut.map_err(|error| file_error(&file.path, &error))? else { return Ok(bytes) };
            let first = match cut.first.or(began_at) {
                Some(first) => first,
                None => *began_at.insert(self.began_at(host, old).await?),
            };
            bytes += u64::try_from(cut.lines.len()).unwrap_or(u64::MAX);
            self.store_piece(host, old, cut, first, level).await?;
        }
    }

    /// Before what nothing was written into a file: when the one before it was closed. It is the same whether that one is in the
    /// folder still or in the archive already, so that a repeat gives the same pieces.
    async fn began_at(&self, host: &str, old: &OldFile) -> Result<DateTime<Utc>> {
        let closed_at = old.file.closed_at;
        let earliest = closed_at.checked_sub_signed(UNDATED_SPAN_MAX).unwrap_or(closed_at);
        if let Some(closed_before) = old.closed_before {
            return Ok(closed_before.clamp(earliest, closed_at));
        }
        let (log, mut began_at) = (ArchivedPiece::log_name(host, &old.log), earliest);
        self.visit(ArchivedPiece::keys_from(earliest), |piece| {
            if piece.last > closed_at {
                return ControlFlow::Break(());
            }
            let before = piece.closed_at.filter(|&before| before < closed_at && piece.log == log);
            began_at = before.map_or(began_at, |before| before.max(began_at));
            ControlFlow::Continue(())
        })
        .await?;
        Ok(began_at)
    }

    async fn store_piece(
        &self,
        host: &str,
        OldFile { log, file, .. }: &OldFile,
        cut: Cut,
        first: DateTime<Utc>,
        level: i32,
    ) -> Result<()> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&file.sequence.to_le_bytes());
        hasher.update(&file.closed_at.timestamp().to_le_bytes());
        hasher.update(&cut.offset.to_le_bytes());
        let lines = Arc::new(cut.lines);
        let shared = Arc::clone(&lines);
        let (digest, packed) = blocking(move || {
            hasher.update(&shared);
            (hasher.finalize(), pack(&shared, level))
        })
        .await?;
        let piece = ArchivedPiece::new(host, log, (first, cut.last), file.closed_at, &digest);
        let key = piece.key();
        let packed = packed.map_err(|error| file_error(&file.path, &error))?;
        match self.store.create(&key, Bytes::from(packed)).await {
            Ok(()) => {}
            // An interrupted run stored it.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let stored = self.store.get(&key).await?;
        let is_same = blocking(move || unpack(&stored).is_ok_and(|read| read == *lines)).await?;
        if is_same {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Corrupt, READ_FILE, "the store gives back other bytes than it was given")
            .with_target(format!("{}/{key}", self.store.location()))
            .with_remedy("the local file stays; remove this object and look after the store"))
    }
}

fn pack(lines: &[u8], level: i32) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), level)?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(u64::try_from(lines.len()).unwrap_or(u64::MAX)))?;
    io::Write::write_all(&mut encoder, lines)?;
    encoder.finish()
}
