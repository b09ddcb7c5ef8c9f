//! Formatting as Go's `fmt` does it.

mod directive;
mod float;
mod integer;
mod quote;
mod verb;

use std::iter::Peekable;
use std::str::Chars;

pub(super) use float::format_general;
pub(super) use quote::is_printable;

use super::Value;
use super::value::{Bounded, Overflow};
use directive::Directive;

/// No width, precision or place may be larger.
const NUMBER_MAX: usize = 1_000_000;

/// Writes the format with its directives filled in from `arguments`. What cannot be filled in is told in the text,
/// as in Go: `%!d(string=hi)`, `%!s(MISSING)`, `%!(EXTRA int=1)`.
pub(super) fn print(format: &str, arguments: &[Value], to: &mut Bounded) -> Result<(), Overflow> {
    let mut reader =
        Reader { rest: format.chars().peekable(), arguments, next: 0, reordered: false, bad_index: false };
    while let Some(c) = reader.rest.next() {
        if c == '%' { reader.directive(to)? } else { to.push_char(c)? }
    }
    if reader.reordered || reader.next >= arguments.len() {
        return Ok(());
    }
    to.push("%!(EXTRA ")?;
    for (place, value) in arguments[reader.next..].iter().enumerate() {
        to.push(if place == 0 { "" } else { ", " })?;
        if !matches!(value, Value::Nil) {
            to.push(&value.type_name())?;
            to.push("=")?;
        }
        value.print(to)?;
    }
    to.push(")")
}

struct Reader<'f> {
    rest: Peekable<Chars<'f>>,
    arguments: &'f [Value],
    next: usize,
    reordered: bool,
    bad_index: bool,
}

impl Reader<'_> {
    /// Reads what follows a percent sign and writes what it stands for.
    fn directive(&mut self, to: &mut Bounded) -> Result<(), Overflow> {
        let mut directive = Directive::default();
        self.bad_index = false;
        while let Some(c) = self.rest.peek() {
            if !directive.set_flag(*c) {
                break;
            }
            self.rest.next();
        }
        let mut indexed = self.index();
        if self.rest.next_if_eq(&'*').is_some() {
            match self.star() {
                Some(width) => {
                    directive.minus |= width < 0;
                    directive.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => to.push("%!(BADWIDTH)")?,
            }
            indexed = false;
        } else {
            directive.width = self.number();
            self.bad_index |= indexed && directive.width.is_some();
        }
        if self.rest.next_if_eq(&'.').is_some() {
            self.bad_index |= indexed;
            indexed = self.index();
            if self.rest.next_if_eq(&'*').is_some() {
                match self.star() {
                    Some(precision) => directive.precision = usize::try_from(precision).ok(),
                    None => to.push("%!(BADPREC)")?,
                }
                indexed = false;
            } else {
                directive.precision = Some(self.number().unwrap_or(0));
            }
        }
        if !indexed {
            self.index();
        }
        let Some(verb) = self.rest.next() else { return to.push("%!(NOVERB)") };
        if verb == '%' {
            return to.push("%");
        }
        let value = self.arguments.get(self.next).filter(|_| !self.bad_index);
        let Some(value) = value else {
            to.push("%!")?;
            to.push_char(verb)?;
            return to.push(if self.bad_index { "(BADINDEX)" } else { "(MISSING)" });
        };
        self.next += 1;
        if verb == 'v' {
            directive.for_v();
        }
        directive.print(value, verb, to)
    }

    /// Reads `[3]`, which says whose turn it is; whether it was there.
    fn index(&mut self) -> bool {
        if self.rest.next_if_eq(&'[').is_none() {
            return false;
        }
        self.reordered = true;
        let number = self.number();
        let closed = self.rest.next_if_eq(&']').is_some();
        if !closed {
            // Go skips to the bracket, if there is one.
            let mut ahead = self.rest.clone();
            if ahead.any(|c| c == ']') {
                self.rest = ahead;
            }
        }
        match number.filter(|number| closed && (1..=self.arguments.len()).contains(number)) {
            Some(number) => self.next = number - 1,
            None => self.bad_index = true,
        }
        true
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(10)) {
            self.rest.next();
            let larger = number.unwrap_or(0_usize) * 10 + digit as usize;
            if larger > NUMBER_MAX {
                // Go gives up on the format here.
                self.rest.by_ref().for_each(drop);
                return None;
            }
            number = Some(larger);
        }
        number
    }

    /// A width or precision from the arguments.
    fn star(&mut self) -> Option<i64> {
        let value = self.arguments.get(self.next);
        self.next += usize::from(value.is_some());
        match value {
            Some(Value::Int(number)) if number.unsigned_abs() <= NUMBER_MAX as u64 => Some(*number),
            _ => None,
        }
    }
}
