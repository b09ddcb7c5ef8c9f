//! What a record says, as far as a restore wants to know.

use chrono::{DateTime, TimeDelta, Utc};

/// Resource managers (`access/rmgrlist.h`).
const RM_XLOG: u8 = 0;
const RM_XACT: u8 = 1;
/// Seconds from 1970 to Postgres' epoch, 2000.
const EPOCH_2000: i64 = 946_684_800;
/// From 18 on an item of dropped statistics is longer.
const MAGIC_18: u16 = 0xd118;

/// What a record says, as far as a restore wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::postgres) enum RecordKind {
    /// A transaction was committed.
    Commit {
        xid: u32,
        at: DateTime<Utc>,
    },
    /// A transaction was rolled back.
    Abort {
        xid: u32,
        at: DateTime<Utc>,
    },
    /// `pg_create_restore_point`.
    RestorePoint {
        name: String,
        at: DateTime<Utc>,
    },
    /// `pg_switch_wal`: the rest of the segment is empty.
    Switch,
    Other,
}

impl RecordKind {
    /// `record` is whole and its checksum was found right.
    pub(super) fn of(record: &[u8], magic: u16) -> Self {
        Self::read(record, magic).unwrap_or(Self::Other)
    }

    fn read(record: &[u8], magic: u16) -> Option<Self> {
        let xid = u32::from_le_bytes(*record.get(4..)?.first_chunk()?);
        let (info, manager) = (*record.get(16)?, *record.get(17)?);
        match (manager, info & 0x70) {
            (RM_XLOG, 0x40) => Some(Self::Switch),
            (RM_XLOG, 0x70) => {
                let data = main_data(record)?;
                let name = data.get(8..72)?;
                let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
                let name = String::from_utf8_lossy(&name[..end]).into_owned();
                Some(Self::RestorePoint { name, at: time(data)? })
            }
            (RM_XACT, 0x00) => Some(Self::Commit { xid, at: time(main_data(record)?)? }),
            (RM_XACT, 0x20) => Some(Self::Abort { xid, at: time(main_data(record)?)? }),
            // The transaction that is committed is another than the one that commits it.
            (RM_XACT, 0x30) => {
                let data = main_data(record)?;
                Some(Self::Commit { xid: prepared_xid(data, magic)?, at: time(data)? })
            }
            _ => Some(Self::Other),
        }
    }
}

/// Microseconds since 2000, at the beginning of the data.
fn time(data: &[u8]) -> Option<DateTime<Utc>> {
    let microseconds = i64::from_le_bytes(*data.first_chunk()?);
    let epoch = DateTime::from_timestamp(EPOCH_2000, 0)?;
    epoch.checked_add_signed(TimeDelta::microseconds(microseconds))
}

/// The record's own data, which stands last.
fn main_data(record: &[u8]) -> Option<&[u8]> {
    super::headers::read(record, &mut |_| {})
}

/// The transaction of a `COMMIT PREPARED` (`ParseCommitRecord` in `xactdesc.c`).
fn prepared_xid(data: &[u8], magic: u16) -> Option<u32> {
    let number = |at: usize| Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?));
    let mut at = 8;
    let parts = number(at)?;
    at += 4;
    if parts & 1 != 0 {
        at += 8;
    }
    let statistics = if magic >= MAGIC_18 { 16 } else { 12 };
    // Subtransactions, dropped relations, dropped statistics, invalidations: each a number of items.
    for (bit, item) in [(2, 4), (4, 12), (256, statistics), (8, 16)] {
        if parts & bit != 0 {
            at += 4 + usize::try_from(number(at)?).ok()?.checked_mul(item)?;
        }
    }
    if parts & 16 != 0 { number(at) } else { None }
}
