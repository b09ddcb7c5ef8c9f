//! Whole numbers.

use super::super::value::{Bounded, Overflow};
use super::directive::Directive;
use super::quote::{is_printable, quote_char};

impl Directive {
    /// Writes a whole number; `None` for a verb that it has not.
    pub(super) fn integer(&self, value: i64, verb: char, to: &mut Bounded) -> Option<Result<(), Overflow>> {
        let character = || u32::try_from(value).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
        Some(match verb {
            'v' | 'd' => self.digits(value, format!("{}", value.unsigned_abs()), "", to),
            'b' => self.digits(
                value,
                format!("{:b}", value.unsigned_abs()),
                if self.sharp { "0b" } else { "" },
                to,
            ),
            'o' | 'O' => {
                let mut digits = format!("{:o}", value.unsigned_abs());
                // The sharp flag asks for a zero in front, which the precision may have brought already.
                let padded = self.precision.is_some_and(|precision| precision > digits.len());
                if self.sharp && !padded && !digits.starts_with('0') {
                    digits.insert(0, '0');
                }
                self.digits(value, digits, if verb == 'O' { "0o" } else { "" }, to)
            }
            'x' => self.digits(
                value,
                format!("{:x}", value.unsigned_abs()),
                if self.sharp { "0x" } else { "" },
                to,
            ),
            'X' => self.digits(
                value,
                format!("{:X}", value.unsigned_abs()),
                if self.sharp { "0X" } else { "" },
                to,
            ),
            'c' => self.pad(character().encode_utf8(&mut [0; 4]), self.zero, to),
            'q' => self.pad(&quote_char(character(), self.plus), self.zero, to),
            'U' => {
                let c = u32::try_from(value)
                    .ok()
                    .and_then(char::from_u32)
                    .filter(|c| self.sharp && is_printable(*c));
                let shown = c.map_or_else(String::new, |c| format!(" '{c}'"));
                let width = self.precision.unwrap_or(0).max(4);
                let digits = format!("{value:X}");
                if width > to.bytes_left() {
                    return Some(Err(Overflow));
                }
                let zeros = "0".repeat(width.saturating_sub(digits.len()));
                self.pad(&format!("U+{zeros}{digits}{shown}"), false, to)
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
