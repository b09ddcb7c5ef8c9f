//! What a record says, as far as a restore wants to know.

use chrono::{DateTime, TimeDelta, Utc};

use super::format::WalFormat;

/// Resource managers (`access/rmgrlist.h`).
const RM_XLOG: u8 = 0;
const RM_XACT: u8 = 1;
/// Seconds from 1970 to Postgres' epoch, 2000.
const EPOCH_2000: i64 = 946_684_800;

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
    pub(super) fn of(record: &[u8], format: WalFormat) -> Self {
        Self::read(record, format).unwrap_or(Self::Other)
    }

    fn read(record: &[u8], format: WalFormat) -> Option<Self> {
        let xid = u32::from_le_bytes(*record.get(4..)?.first_chunk()?);
        let (info, manager) = (*record.get(16)?, *record.get(17)?);
        // The highest bit of a transaction's record is not part of its kind.
        let kind = if manager == RM_XACT { info & 0x70 } else { info & 0xf0 };
        match (manager, kind) {
            (RM_XLOG, 0x40) => Some(Self::Switch),
            (RM_XLOG, 0x70) => {
                let data = main_data(record, format)?;
                let name = data.get(8..72)?;
                let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
                let name = String::from_utf8_lossy(&name[..end]).into_owned();
                Some(Self::RestorePoint { name, at: time(data)? })
            }
            (RM_XACT, 0x00) => Some(Self::Commit { xid, at: time(main_data(record, format)?)? }),
            (RM_XACT, 0x20) => Some(Self::Abort { xid, at: time(main_data(record, format)?)? }),
            // The transaction that is committed is another than the one that commits it.
            (RM_XACT, 0x30) => {
                let data = main_data(record, format)?;
                Some(Self::Commit { xid: prepared_xid(data, format)?, at: time(data)? })
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
fn main_data(record: &[u8], format: WalFormat) -> Option<&[u8]> {
    super::headers::read(record, format, &mut |_| {})
}

/// The transaction of a `COMMIT PREPARED` (`ParseCommitRecord` in `xactdesc.c`).
fn prepared_xid(data: &[u8], format: WalFormat) -> Option<u32> {
    let number = |at: usize| Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?));
    let mut at = 8;
    let parts = number(at)?;
    at += 4;
    if parts & 1 != 0 {
        at += 8;
    }
    // Subtransactions, dropped relations, dropped statistics, invalidations: each a number of items.
    for (bit, item) in [(2, 4), (4, 12), (256, format.dropped_statistics), (8, 16)] {
        if parts & bit != 0 {
            at += 4 + usize::try_from(number(at)?).ok()?.checked_mul(item)?;
        }
    }
    if parts & 16 != 0 { number(at) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with a page image whose hole's length is told, and a name as its data.
    fn restore_point(image_info: u8, hole: bool) -> Vec<u8> {
        let mut record = vec![0; 24];
        (record[16], record[17]) = (0x70, RM_XLOG);
        // Block 0 with an image of 3 bytes and no data, its relation and number.
        record.extend([0, 0x10, 0, 0, 3, 0, 0, 0, image_info]);
        record.extend(vec![9; if hole { 2 } else { 0 }]);
        record.extend([0; 16]);
        record.extend([255, 72]);
        record.extend([7; 3]);
        record.extend([0; 8]);
        record.extend(b"here");
        record.resize(record.len() + 60, 0);
        record
    }

    #[test]
    fn holes_of_page_images_are_told_as_each_version_does() {
        let (old, new) = (0xd10d, 0xd110);
        for (magic, image_info, hole) in [
            (old, 0x01 | 0x02 | 0x04, true),
            // A hole and no compression; to be applied.
            (old, 0x01 | 0x04, false),
            (new, 0x01 | 0x02 | 0x04, true),
            (new, 0x01 | 0x02, false),
        ] {
            let format = WalFormat::of_magic(magic).unwrap();
            let kind = RecordKind::of(&restore_point(image_info, hole), format);
            assert!(
                matches!(&kind, RecordKind::RestorePoint { name, .. } if name == "here"),
                "{magic:x} {kind:?}"
            );
        }
    }

    #[test]
    fn the_transaction_of_a_prepared_commit_is_found_behind_everything_else() {
        for (magic, statistics) in [(0xd106u16, None), (0xd110, Some(12)), (0xd118, Some(16))] {
            let parts: u32 = 1 | 2 | 4 | 8 | 16 | if statistics.is_some() { 256 } else { 0 };
            let mut data = vec![0; 8];
            data.extend(parts.to_le_bytes());
            data.extend([0; 8]);
            for item in [Some(4), Some(12), statistics, Some(16)].into_iter().flatten() {
                data.extend(2u32.to_le_bytes());
                data.extend(vec![0xee; 2 * item]);
            }
            data.extend(735u32.to_le_bytes());
            let format = WalFormat::of_magic(magic).unwrap();
            assert_eq!(prepared_xid(&data, format), Some(735), "{magic:x}");
        }
    }
}
