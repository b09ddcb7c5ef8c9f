//! The log, for fuzz targets.

use alfred_ops_core::Lsn;

use super::TimelineHistory;
use super::message::WalMessage;
use super::record::{WalReader, WalRecord};

/// The records until the end or the first damage, and whether there was one.
pub(in crate::postgres) fn records(
    data: &[u8],
    pieces: usize,
    start: Lsn,
    segment_bytes: u64,
) -> (Vec<WalRecord>, bool) {
    let (mut reader, mut seen) = (WalReader::new(start, segment_bytes, None).with_restores(), Vec::new());
    for mut piece in data.chunks(pieces.max(1)) {
        loop {
            match reader.next(&mut piece) {
                Ok(Some(record)) => seen.push(record),
                Ok(None) => break,
                Err(_) => return (seen, true),
            }
        }
    }
    (seen, false)
}

pub(in crate::postgres) fn message_and_history(data: &[u8]) {
    let _ = WalMessage::parse(data.to_vec().into());
    if let Ok(history) = TimelineHistory::parse(7, &String::from_utf8_lossy(data)) {
        assert!(history.left(7).is_none(), "a timeline does not leave itself");
    }
}
