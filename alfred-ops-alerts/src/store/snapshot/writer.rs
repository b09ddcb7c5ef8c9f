//! Writes the primitives of a snapshot.

use super::CHECKSUM_BYTES;

/// Bytes of a snapshot in the making.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    /// One with room for so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// A number without a width.
    pub(super) fn number(&mut self, number: u64) {
        const PAYLOAD: u64 = 0x7f;
        const MORE: u8 = 0x80;
        let mut rest = number;
        loop {
            let low = u8::try_from(rest & PAYLOAD).unwrap_or(0);
            rest >>= 7;
            if rest == 0 {
                self.0.push(low);
                return;
            }
            self.0.push(low | MORE);
        }
    }

    /// A number without a width that may be negative.
    pub(super) fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    pub(super) fn count(&mut self, count: usize) {
        self.number(u64::try_from(count).unwrap_or(u64::MAX));
    }

    pub(super) fn float(&mut self, value: f64) {
        self.bytes(&value.to_bits().to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes(text.as_bytes());
    }

    /// All bytes, with their checksum behind them.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let checksum = xxhash_rust::xxh3::xxh3_64(&self.0);
        self.0.reserve_exact(CHECKSUM_BYTES);
        self.0.extend_from_slice(&checksum.to_le_bytes());
        self.0
    }
}
