//! What the stored log holds.

use std::collections::VecDeque;

use alfred_ops_core::{Error, ErrorKind, JobContext, Lsn, ProgressUnit, Result};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::StoredWal;
use super::record::{RecordKind, WalReader, WalRecord};
use crate::postgres::facts::ClusterFacts;

/// Restore points that are remembered: the newest.
const RESTORE_POINTS_MAX: usize = 100;

/// What a part of the log holds, every record of it checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct WalSummary {
    /// Whole records.
    pub records: u64,
    /// The timeline that it ends on.
    pub timeline: u32,
    /// Behind the last whole record.
    pub until: Lsn,
    /// When the last transaction was committed.
    pub last_commit_at: Option<DateTime<Utc>>,
    /// The newest restore points, oldest first, and where each ends.
    pub restore_points: VecDeque<(String, Lsn)>,
    /// Where replay would stop for the moment that was looked for.
    #[serde(skip)]
    pub(in crate::postgres) stop: Option<Lsn>,
}

/// A moment that only the log itself can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::postgres) enum WalTarget {
    /// Before the first transaction that ended after this time.
    Time(DateTime<Utc>),
    /// Behind the end of this transaction.
    Xid(u32),
    /// Behind the restore point of this name.
    Name(String),
}

impl WalTarget {
    /// Whether replay stops at this record.
    fn stops_at(&self, kind: &RecordKind) -> bool {
        match (self, kind) {
            (Self::Time(wanted), RecordKind::Commit { at, .. } | RecordKind::Abort { at, .. }) => at > wanted,
            (Self::Xid(wanted), RecordKind::Commit { xid, .. } | RecordKind::Abort { xid, .. }) => {
                xid == wanted
            }
            (Self::Name(wanted), RecordKind::RestorePoint { name, .. }) => name == wanted,
            _ => false,
        }
    }
}

impl WalSummary {
    fn add(&mut self, record: WalRecord, target: Option<&WalTarget>) {
        self.records += 1;
        self.until = record.end;
        if self.stop.is_none() && target.is_some_and(|target| target.stops_at(&record.kind)) {
            self.stop = Some(record.end);
        }
        match record.kind {
            RecordKind::Commit { at, .. } => self.last_commit_at = self.last_commit_at.max(Some(at)),
            RecordKind::RestorePoint { name, .. } => {
                if self.restore_points.len() == RESTORE_POINTS_MAX {
                    self.restore_points.pop_front();
                }
                self.restore_points.push_back((name, record.end));
            }
            _ => {}
        }
    }
}

/// Reads WAL that begins with a segment, and checks every record. Memory is bounded by the
/// longest record.
pub(in crate::postgres) async fn scan(
    wal: &StoredWal,
    facts: &ClusterFacts,
    target: Option<&WalTarget>,
    context: &JobContext,
) -> Result<WalSummary> {
    context.progress.begin("read WAL", Some(wal.bytes()), ProgressUnit::Bytes);
    let mut reader = WalReader::new(wal.start(), facts.segment_bytes, facts.system_id.parse().ok());
    let mut summary = WalSummary { timeline: wal.timeline(), until: wal.start(), ..WalSummary::default() };
    let location = wal.timelines().repository().location();
    let at = |error: Error| error.with_target(format!("WAL of {} in {location}", facts.system_id));
    for part in wal.parts() {
        let mut log = wal.read(part).await?;
        while let Some(data) = log.next().await? {
            context.check("read WAL")?;
            context.progress.add(data.len() as u64);
            let mut input = &data[..];
            while let Some(record) = reader.next(&mut input).map_err(at)? {
                summary.add(record, target);
            }
        }
    }
    if summary.until < facts.end {
        let what = format!(
            "the log's last whole record ends at {}, the backup needs it until {}",
            summary.until, facts.end
        );
        return Err(at(Error::new(ErrorKind::Corrupt, "read WAL", what)));
    }
    Ok(summary)
}
