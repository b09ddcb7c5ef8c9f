//! A body that is read up to a limit.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

/// The bytes of a body, unpacked as they come. It never holds more than its limit: a small packed body may
/// unpack to any size.
pub(super) enum Body {
    Plain(Bounded),
    // Boxed: the decoder holds its window.
    Packed(Box<MultiGzDecoder<Bounded>>),
}

impl Body {
    pub(super) fn new(packed: bool, bytes_max: usize) -> Self {
        let bounded = Bounded { bytes: Vec::new(), bytes_max, full: false };
        if packed { Self::Packed(Box::new(MultiGzDecoder::new(bounded))) } else { Self::Plain(bounded) }
    }

    /// Takes the next piece.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), BodyFault> {
        let (pushed, full) = match self {
            Self::Plain(bounded) => (bounded.write_all(piece), bounded.full),
            Self::Packed(decoder) => {
                let pushed = decoder.write_all(piece);
                (pushed, decoder.get_ref().full)
            }
        };
        pushed.map_err(|source| BodyFault::of(full, source))
    }

    pub(super) fn finish(self) -> Result<Vec<u8>, BodyFault> {
        match self {
            Self::Plain(bounded) => Ok(bounded.bytes),
            Self::Packed(mut decoder) => {
                let finished = decoder.try_finish();
                let full = decoder.get_ref().full;
                finished.map_err(|source| BodyFault::of(full, source))?;
                Ok(std::mem::take(&mut decoder.get_mut().bytes))
            }
        }
    }
}

/// Why a body cannot be read.
#[derive(Debug)]
pub(super) enum BodyFault {
    TooLong,
    Malformed(io::Error),
}

impl BodyFault {
    fn of(full: bool, source: io::Error) -> Self {
        if full { Self::TooLong } else { Self::Malformed(source) }
    }
}

pub(super) struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len().saturating_add(piece.len()) > self.bytes_max {
            self.full = true;
            return Err(io::Error::other("the limit is reached"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
