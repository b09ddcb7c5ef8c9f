//! Text that may not grow without end.

use std::fmt;

/// More text than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::template) struct Overflow;

impl From<fmt::Error> for Overflow {
    fn from(_: fmt::Error) -> Self {
        Self
    }
}

/// Text that takes so many bytes and no more. What does not fit is left out whole.
#[derive(Debug)]
pub(in crate::template) struct Bounded {
    text: String,
    bytes_max: usize,
}

impl Bounded {
    pub(in crate::template) const fn new(bytes_max: usize) -> Self {
        Self { text: String::new(), bytes_max }
    }

    pub(in crate::template) fn push(&mut self, text: &str) -> Result<(), Overflow> {
        if text.len() > self.bytes_max - self.text.len() {
            return Err(Overflow);
        }
        self.text.push_str(text);
        Ok(())
    }

    pub(in crate::template) fn push_char(&mut self, c: char) -> Result<(), Overflow> {
        self.push(c.encode_utf8(&mut [0; 4]))
    }

    pub(in crate::template) const fn bytes_left(&self) -> usize {
        self.bytes_max - self.text.len()
    }

    pub(in crate::template) fn into_text(self) -> String {
        self.text
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text).map_err(|_| fmt::Error)
    }
}
