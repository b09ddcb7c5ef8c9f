//! Whole numbers.

use super::super::value::{Bounded, Overflow};
use super::directive::Directive;
use super::quote::quote_char;

impl Directive {
    /// Writes a whole number; `None` for a verb that it has not.
    pub(super) fn integer(&self, value: i64, verb: char, to: &mut Bounded) -> Option<Result<(), Overflow>> {
        let character = || u32::try_from(value).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
        Some(match verb {
            'v' | 'd' => self.digits(value, format!("{}", value.unsigned_abs()), "", to),
            'b' => {
                self.digits(value, format!("{:b}", value.unsigned_abs()), if self.sharp { "0b" } else { "" }, to)
            }
            'o' | 'O' => {
                let digits = format!("{:o}", value.unsigned_abs());
                let zero = if self.sharp && !digits.starts_with('0') { "0" } else { "" };
                let prefix = format!("{}{zero}", if verb == 'O' { "0o" } else { "" });
                self.digits(value, digits, &prefix, to)
            }
            'x' => {
                self.digits(value, format!("{:x}", value.unsigned_abs()), if self.sharp { "0x" } else { "" }, to)
            }
            'X' => {
                self.digits(value, format!("{:X}", value.unsigned_abs()), if self.sharp { "0X" } else { "" }, to)
            }
            'c' => self.pad(character().encode_utf8(&mut [0; 4]), self.zero, to),
            'q' => self.pad(&quote_char(character(), self.plus), self.zero, to),
            'U' => {
                let shown = if self.sharp { format!(" '{}'", character()) } else { String::new() };
                self.pad(&format!("U+{value:04X}{shown}"), false, to)
            }
            _ => return None,
        })
    }

    fn digits(&self, value: i64, digits: String, prefix: &str, to: &mut Bounded) -> Result<(), Overflow> {
        let sign = match value {
            ..0 => "-",
            _ if self.plus => "+",
            _ if self.space => " ",
            _ => "",
        };
        let fills = self.zero && !self.minus && self.precision.is_none();
        let count = match self.precision {
            Some(0) if value == 0 => return self.pad("", false, to),
            Some(precision) => precision,
            None if fills => self.width.unwrap_or(0).saturating_sub(sign.len()),
            None => 0,
        };
        let missing = count.saturating_sub(digits.len());
        if missing > to.bytes_left() {
            return Err(Overflow);
        }
        self.pad(&format!("{sign}{prefix}{}{digits}", "0".repeat(missing)), false, to)
    }
}
