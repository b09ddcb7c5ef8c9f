//! Reads the primitives of a snapshot.

use alfred_ops_core::{Error, ErrorKind, Result};

/// What is left to read of a snapshot. Nothing that it says is believed before the bytes for it are there.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub(super) const fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (bytes, rest) =
            self.rest.split_at_checked(count).ok_or_else(|| corrupt("it ends within a series"))?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.bytes(N)?.try_into().map_err(|_| corrupt("it ends within a number"))
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn number(&mut self) -> Result<u64> {
        const PAYLOAD: u8 = 0x7f;
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & PAYLOAD);
            if part.leading_zeros() < shift {
                break;
            }
            number |= part << shift;
            if byte <= PAYLOAD {
                return Ok(number);
            }
        }
        Err(corrupt("a number has more than 64 bits"))
    }

    pub(super) fn signed(&mut self) -> Result<i64> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(super) fn narrow(&mut self) -> Result<i32> {
        i32::try_from(self.signed()?).map_err(|_| corrupt("a number has more than 32 bits"))
    }

    pub(super) fn size(&mut self) -> Result<usize> {
        usize::try_from(self.number()?).map_err(|_| corrupt("a number is larger than memory"))
    }

    /// How many things follow that take at least `bytes_each` bytes each.
    pub(super) fn count(&mut self, bytes_each: usize) -> Result<usize> {
        let count = self.size()?;
        if count.saturating_mul(bytes_each) > self.rest.len() {
            return Err(corrupt("it ends before what it counts"));
        }
        Ok(count)
    }

    pub(super) fn float(&mut self) -> Result<f64> {
        Ok(f64::from_bits(u64::from_le_bytes(self.array()?)))
    }

    pub(super) fn text(&mut self) -> Result<&'a str> {
        let length = self.count(1)?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| corrupt("a text is not UTF-8"))
    }
}

/// The error of a snapshot that says something that no store ever held.
pub(super) fn corrupt(message: &str) -> Error {
    Error::new(ErrorKind::Corrupt, "restore samples", format!("the snapshot is damaged: {message}"))
        .with_remedy("remove it; rules over ranges are complete again once targets were scraped for so long")
}
