//! Reads a pattern once and writes it anew.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

/// The highest count that RE2 accepts in `{n,m}`.
const COUNT_MAX: u32 = 1000;

/// The same expression in the syntax of the `regex` crate; the error says what RE2 refuses.
pub(in crate::relabel) fn translate(pattern: &str) -> Result<String, String> {
    let mut translator = Translator {
        rest: pattern.chars().peekable(),
        out: String::new(),
        repeated: false,
        flags_at: None,
        lazy: vec![false],
    };
    translator.run()?;
    Ok(translator.out)
}

/// A pattern on its way: what is not read yet, and what is written so far.
pub(super) struct Translator<'p> {
    pub(super) rest: Peekable<Chars<'p>>,
    pub(super) out: String,
    /// Whether what was read last is a repetition: another may not follow.
    repeated: bool,
    /// Where the flags begin that were read last, and whether they turned greed around: RE2 looks through them
    /// for what a repetition repeats.
    flags_at: Option<(usize, bool)>,
    /// For each open group, whether greed is turned around.
    lazy: Vec<bool>,
}

impl Translator<'_> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.rest.next() {
            let repetition = match c {
                '*' | '+' | '?' => Some(c.to_string()),
                '{' => self.count()?,
                _ => None,
            };
            if let Some(repetition) = repetition {
                self.repeat(&repetition)?;
                continue;
            }
            self.repeated = false;
            let flags_at = self.flags_at.take();
            match c {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => {
                    self.group()?;
                    // Flags behind flags are looked through together.
                    if let (Some((_, turned)), Some((at, before))) = (self.flags_at, flags_at) {
                        self.flags_at = Some((at, turned != before));
                    }
                }
                ')' => {
                    self.lazy.pop();
                    self.out.push(c);
                }
                '{' | '}' | ']' => self.literal(c),
                c => self.out.push(c),
            }
        }
        Ok(())
    }

    fn repeat(&mut self, repetition: &str) -> Result<(), String> {
        if self.repeated {
            return Err(format!("a repetition cannot be repeated: `{repetition}`"));
        }
        let (at, turned) = self.flags_at.take().unwrap_or((self.out.len(), false));
        let lazy = self.rest.next_if_eq(&'?').is_some() != turned;
        self.out.insert_str(at, if lazy { "?" } else { "" });
        self.out.insert_str(at, repetition);
        self.repeated = true;
        Ok(())
    }

    /// A count behind its `{`, if one stands there.
    fn count(&mut self) -> Result<Option<String>, String> {
        let mut ahead = self.rest.clone();
        let mut text = String::from("{");
        loop {
            match ahead.next() {
                Some('}') => break,
                Some(c) if c.is_ascii_digit() || c == ',' => text.push(c),
                _ => return Ok(None),
            }
        }
        let (least, most) = text[1..].split_once(',').unwrap_or((&text[1..], ""));
        if least.is_empty() || most.contains(',') {
            return Ok(None);
        }
        let read = |digits: &str| digits.parse().ok().filter(|count: &u32| *count <= COUNT_MAX);
        let (low, high) = (read(least), if most.is_empty() { Some(COUNT_MAX) } else { read(most) });
        if !matches!((low, high), (Some(low), Some(high)) if low <= high) {
            return Err(format!("the count {text}}} is above {COUNT_MAX} or its ends are swapped"));
        }
        self.rest = ahead;
        text.push('}');
        Ok(Some(text))
    }

    /// Everything up to `\E` as it stands.
    pub(super) fn quotation(&mut self) {
        while let Some(c) = self.rest.next() {
            if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.literal(c);
        }
    }

    fn group(&mut self) -> Result<(), String> {
        let (begin, outer) = (self.out.len(), self.lazy.last().copied().unwrap_or(false));
        self.lazy.push(outer);
        self.out.push('(');
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        self.out.push('?');
        let mut flags = String::new();
        while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphabetic() || *c == '-') {
            flags.push(c);
        }
        let named = matches!(self.rest.peek(), Some('<')) && matches!(&*flags, "" | "P");
        let known = flags.chars().all(|c| "imsU-".contains(c));
        let flagged = known && matches!(self.rest.peek(), Some(':' | ')'));
        if !named && !flagged {
            return Err(format!("`(?{flags}` begins no group"));
        }
        self.out.push_str(&flags);
        let lazy = match flags.split_once('-') {
            Some((_, off)) if off.contains('U') => false,
            _ => outer || (!named && flags.contains('U')),
        };
        if let Some(innermost) = self.lazy.last_mut() {
            *innermost = lazy;
        }
        if !named && self.rest.next_if_eq(&')').is_some() {
            // Flags alone hold for the rest of the group around them.
            self.out.push(')');
            self.lazy.pop();
            if let Some(innermost) = self.lazy.last_mut() {
                *innermost = lazy;
            }
            self.flags_at = Some((begin, lazy != outer));
        }
        // The name is read at once: what stands in it is no syntax.
        while named && let Some(c) = self.rest.next() {
            self.out.push(c);
            if c == '>' {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn literal(&mut self, c: char) {
        self.out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    pub(super) fn code(&mut self, c: char) {
        let _ = write!(self.out, "\\x{{{:x}}}", u32::from(c));
    }
}
