//! What a walsender and we say to each other while WAL streams (Postgres' documentation, "Streaming
//! Replication Protocol").

use alfred_ops_core::Lsn;
use bytes::{Buf as _, Bytes};
use chrono::{DateTime, TimeDelta, Utc};

/// Postgres counts time from here: 2000-01-01.
const EPOCH_2000: i64 = 946_684_800;

/// A message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WalMessage {
    /// WAL that begins at `start`; the server had written up to `written`.
    Data { start: Lsn, written: Lsn, data: Bytes },
    /// A sign of life.
    KeepAlive { written: Lsn, reply_requested: bool },
}

impl WalMessage {
    /// Reads a message; `None` if it is none of those.
    pub(super) fn parse(mut payload: Bytes) -> Option<Self> {
        match payload.try_get_u8().ok()? {
            b'w' => {
                let (start, written) = (payload.try_get_u64().ok()?, payload.try_get_u64().ok()?);
                let _sent_at = payload.try_get_u64().ok()?;
                Some(Self::Data { start: Lsn(start), written: Lsn(written), data: payload })
            }
            b'k' => {
                let written = payload.try_get_u64().ok()?;
                let _sent_at = payload.try_get_u64().ok()?;
                let reply_requested = payload.try_get_u8().ok()? != 0;
                Some(Self::KeepAlive { written: Lsn(written), reply_requested })
            }
            _ => None,
        }
    }
}

/// Our message: how far WAL was received and is stored. The server may remove what is stored.
pub(super) fn status(received: Lsn, stored: Lsn, now: DateTime<Utc>, ask_for_reply: bool) -> Vec<u8> {
    let mut message = vec![b'r'];
    for position in [received, stored, stored] {
        message.extend_from_slice(&position.0.to_be_bytes());
    }
    let epoch = DateTime::<Utc>::from_timestamp(EPOCH_2000, 0).unwrap_or_default();
    let microseconds = TimeDelta::num_microseconds(&(now - epoch)).unwrap_or(0);
    message.extend_from_slice(&microseconds.to_be_bytes());
    message.push(u8::from(ask_for_reply));
    message
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_read_as_documented() {
        let mut wire = vec![b'w'];
        wire.extend_from_slice(&7u64.to_be_bytes());
        wire.extend_from_slice(&9u64.to_be_bytes());
        wire.extend_from_slice(&[0; 8]);
        wire.extend_from_slice(b"xy");
        let data = Bytes::from_static(b"xy");
        assert_eq!(
            WalMessage::parse(wire.into()),
            Some(WalMessage::Data { start: Lsn(7), written: Lsn(9), data })
        );
        let wire = [&b"k"[..], &9u64.to_be_bytes(), &[0; 8], &[1]].concat();
        let alive = WalMessage::KeepAlive { written: Lsn(9), reply_requested: true };
        assert_eq!(WalMessage::parse(wire.into()), Some(alive));
    }

    #[test]
    fn a_status_is_34_bytes() {
        let now = DateTime::from_timestamp(EPOCH_2000 + 1, 0).unwrap();
        let message = status(Lsn(3), Lsn(2), now, true);
        assert_eq!((message.len(), message[0], message[8], message[16], message[33]), (34, b'r', 3, 2, 1));
        assert_eq!(message[25..33], 1_000_000u64.to_be_bytes());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = WalMessage::parse(payload.into());
        }
    }
}
