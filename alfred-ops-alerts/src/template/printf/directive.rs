//! Flags, width and precision.

use super::super::value::{Bounded, Overflow};

/// How a value is to be written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Directive {
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) sharp: bool,
    pub(super) space: bool,
    pub(super) zero: bool,
    /// The form of Go's source: `%#v`.
    pub(super) source: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

impl Directive {
    /// Takes a flag; whether it was one.
    pub(super) const fn set_flag(&mut self, flag: char) -> bool {
        match flag {
            '+' => self.plus = true,
            '-' => self.minus = true,
            '#' => self.sharp = true,
            ' ' => self.space = true,
            '0' => self.zero = true,
            _ => return false,
        }
        true
    }

    /// For the verb `v` two of the flags mean something else.
    pub(super) const fn for_v(&mut self) {
        self.source = self.sharp;
        self.sharp = false;
        self.plus = false;
    }

    /// Writes text in the width asked for.
    pub(super) fn pad(&self, text: &str, zero: bool, to: &mut Bounded) -> Result<(), Overflow> {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        if missing > to.bytes_left() {
            return Err(Overflow);
        }
        if self.minus {
            to.push(text)?;
            return to.push(&" ".repeat(missing));
        }
        to.push(&(if zero { "0" } else { " " }).repeat(missing))?;
        to.push(text)
    }
}
