//! What stands behind a backslash.

use std::fmt::Write as _;

use super::translator::Translator;

impl Translator<'_> {
    pub(super) fn escape(&mut self) -> Result<(), String> {
        let Some(c) = self.rest.next() else { return Err("a backslash ends it".to_owned()) };
        match c {
            'b' | 'B' => {
                let _ = write!(self.out, "(?-u:\\{c})");
            }
            'A' | 'z' => self.out.extend(['\\', c]),
            'Q' => self.quotation(),
            'p' | 'P' => self.property(c)?,
            c if perl_class(c).is_some() => {
                let (negated, members) = perl_class(c).unwrap_or_default();
                let _ = write!(self.out, "[{}{members}]", if negated { "^" } else { "" });
            }
            c => {
                let character = self.escaped_character(c)?;
                self.literal(character);
            }
        }
        Ok(())
    }

    /// The character that an escape stands for, its first character having been read.
    pub(super) fn escaped_character(&mut self, c: char) -> Result<char, String> {
        let code = match c {
            'a' => 0x07,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'v' => 0x0b,
            'x' => self.hexadecimal()?,
            '0' => self.octal(0, 2),
            '1'..='7' if self.rest.peek().is_some_and(|next| next.is_digit(8)) => {
                self.octal(c.to_digit(8).unwrap_or(0), 2)
            }
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => u32::from(c),
            c => return Err(format!("`\\{c}` is no escape")),
        };
        char::from_u32(code).ok_or_else(|| format!("`\\x{{{code:x}}}` is no character"))
    }

    pub(super) fn octal(&mut self, first: u32, digits_max: usize) -> u32 {
        let mut code = first;
        for _ in 0..digits_max {
            let Some(digit) = self.rest.next_if(|c| c.is_digit(8)) else { break };
            code = code * 8 + digit.to_digit(8).unwrap_or(0);
        }
        code
    }

    pub(super) fn hexadecimal(&mut self) -> Result<u32, String> {
        let mut digits = String::new();
        if self.rest.next_if_eq(&'{').is_some() {
            digits.extend(self.rest.by_ref().take_while(|c| *c != '}'));
        } else {
            digits.extend(self.rest.by_ref().take(2));
        }
        // The standard library would take a sign too.
        let code = u32::from_str_radix(&digits, 16).ok().filter(|_| !digits.starts_with('+'));
        code.ok_or_else(|| format!("`\\x{digits}` is no character"))
    }

    pub(super) fn property(&mut self, letter: char) -> Result<(), String> {
        let mut name = String::new();
        match self.rest.next() {
            Some('{') => {
                name.extend(self.rest.by_ref().take_while(|c| *c != '}'));
            }
            Some(c) => name.push(c),
            None => return Err(format!("`\\{letter}` names no class of characters")),
        }
        let (name, turned) = name.strip_prefix('^').map_or((&*name, false), |name| (name, true));
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') || name.is_empty() {
            return Err(format!("`\\{letter}{{{name}}}` names no class of characters"));
        }
        let letter = if (letter == 'P') == turned { 'p' } else { 'P' };
        let _ = write!(self.out, "\\{letter}{{{name}}}");
        Ok(())
    }
}

/// Whether a class such as `\d` is the opposite, and which characters it is about.
pub(super) const fn perl_class(c: char) -> Option<(bool, &'static str)> {
    match c {
        'd' => Some((false, "0-9")),
        'D' => Some((true, "0-9")),
        's' => Some((false, r"\t\n\x0c\r ")),
        'S' => Some((true, r"\t\n\x0c\r ")),
        'w' => Some((false, "0-9A-Za-z_")),
        'W' => Some((true, "0-9A-Za-z_")),
        _ => None,
    }
}
