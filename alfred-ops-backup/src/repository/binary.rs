//! Numbers and byte strings as the format writes them.

use alfred_ops_core::{Error, ErrorKind, Id, Result};

/// Appends to a byte string. Unsigned numbers are written as LEB128, seven bits a byte, least first.
#[derive(Debug, Default)]
pub(super) struct Encoder(Vec<u8>);

impl Encoder {
    pub(super) fn number(&mut self, value: impl Into<u64>) {
        let mut value: u64 = value.into();
        loop {
            let low = u8::try_from(value & 0x7f).unwrap_or(0);
            value >>= 7;
            if value == 0 {
                self.0.push(low);
                return;
            }
            self.0.push(low | 0x80);
        }
    }

    pub(super) fn length(&mut self, value: usize) {
        self.number(value as u64);
    }

    /// Zigzag: small numbers of either sign are short.
    pub(super) fn signed(&mut self, value: i64) {
        self.number((value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A length and so many bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.raw(bytes);
    }

    pub(super) fn id(&mut self, id: Id) {
        self.raw(id.as_bytes());
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Takes from the front of a byte string what an [`Encoder`] wrote.
#[derive(Debug)]
pub(super) struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn number(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(corrupt("a number is too large"))
    }

    pub(super) fn small(&mut self) -> Result<u32> {
        u32::try_from(self.number()?).map_err(|_| corrupt("a number is too large"))
    }

    /// How many items follow, each of at least `item_bytes` bytes, so that no claim outgrows the data.
    pub(super) fn count(&mut self, item_bytes: usize) -> Result<usize> {
        let count = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if count.saturating_mul(item_bytes.max(1)) > self.0.len() {
            return Err(corrupt("it is cut short"));
        }
        Ok(count)
    }

    pub(super) fn signed(&mut self) -> Result<i64> {
        let value = self.number()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    pub(super) fn raw(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(|| corrupt("it is cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or_else(|| corrupt("it is cut short"))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.count(1)?;
        self.raw(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| corrupt("a text is not UTF-8"))
    }

    pub(super) fn id(&mut self) -> Result<Id> {
        Ok(Id::from_bytes(self.array()?))
    }

    pub(super) fn end(&self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(corrupt("something follows its end")) }
    }
}

pub(super) fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, "read index", what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_and_bytes_round_trip(numbers: Vec<u64>, signed: i64, bytes: Vec<u8>) {
            let mut encoder = Encoder::default();
            numbers.iter().for_each(|&number| encoder.number(number));
            encoder.signed(signed);
            encoder.bytes(&bytes);
            let written = encoder.into_bytes();
            let mut decoder = Decoder::new(&written);
            for number in numbers {
                prop_assert_eq!(decoder.number().unwrap(), number);
            }
            prop_assert_eq!(decoder.signed().unwrap(), signed);
            prop_assert_eq!(decoder.bytes().unwrap(), &bytes[..]);
            decoder.end().unwrap();
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = Decoder::new(&bytes).number();
            let _ = Decoder::new(&bytes).text();
            let _ = Decoder::new(&bytes).count(3);
        }
    }
}
