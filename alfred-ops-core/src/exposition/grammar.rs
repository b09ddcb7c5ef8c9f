//! How a series and its value are written.

use super::cause::{Problem, excerpt};
use super::cursor::{Cursor, LABEL, METRIC, unescape};
use super::number::{timestamp_ms, value};
use super::{Format, Limits};

/// A name or a label of a series, escapes left in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'t> {
    Name(&'t str),
    Label(&'t str, &'t str),
}

/// What stands before a brace, which decides whether a name may stand within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// A metric's name.
    Metric,
    /// Nothing: the name stands within.
    Nameless,
    /// The `#` of an exemplar, which has no name.
    Exemplar,
}

/// A value and, if there is one, its timestamp in milliseconds.
pub(super) type Timed = (f64, Option<i64>);

/// How pages of one format are written, and how large their parts may be.
#[derive(Debug, Clone)]
pub(super) struct Grammar<'l> {
    pub(super) format: Format,
    pub(super) limits: &'l Limits,
}

impl Grammar<'_> {
    /// Reads a series, name and labels, and hands its parts to `each` in the page's order.
    ///
    /// Afterwards the cursor stands behind the series and its text is right, but for labels named twice or
    /// `__name__`.
    #[inline]
    pub(super) fn series<'t>(
        &self,
        cursor: &mut Cursor<'t>,
        mut each: impl FnMut(Part<'t>),
    ) -> Result<(), Problem> {
        let Some(name) = cursor.name(METRIC) else {
            if !cursor.take(b'{') {
                return Err(cursor.expected("a metric name"));
            }
            return self.labels(cursor, Owner::Nameless, each);
        };
        self.check_bytes(name.len())?;
        each(Part::Name(name));
        let end = cursor.at();
        self.skip_blanks(cursor);
        if cursor.take(b'{') {
            return self.labels(cursor, Owner::Metric, each);
        }
        cursor.go_back(end);
        Ok(())
    }

    /// Labels of an exemplar, their opening brace included.
    pub(super) fn exemplar<'t>(
        &self,
        cursor: &mut Cursor<'t>,
        each: impl FnMut(Part<'t>),
    ) -> Result<(), Problem> {
        if !cursor.take(b'{') {
            return Err(cursor.expected("`{` of an exemplar"));
        }
        self.labels(cursor, Owner::Exemplar, each)
    }

    /// Labels whose opening brace has been taken, up to and with their closing brace.
    #[inline]
    fn labels<'t>(
        &self,
        cursor: &mut Cursor<'t>,
        mut owner: Owner,
        mut each: impl FnMut(Part<'t>),
    ) -> Result<(), Problem> {
        let mut count = 0_usize;
        loop {
            if let Some((name, value)) = cursor.plain_label() {
                self.check_label(&mut count, name.len().max(value.len()))?;
                each(Part::Label(cursor.text(name), cursor.text(value)));
                self.separator(cursor)?;
                continue;
            }
            self.skip_blanks(cursor);
            if cursor.take(b'}') {
                return if owner == Owner::Nameless { Err(Problem::Nameless) } else { Ok(()) };
            }
            let is_quoted = cursor.take(b'"');
            let name = match is_quoted {
                true => cursor.quoted_name(self.format)?,
                false => cursor.name(LABEL).ok_or_else(|| cursor.expected("a label name or `}`"))?,
            };
            self.check_bytes(unescaped_bytes(name))?;
            self.skip_blanks(cursor);
            let is_name = is_quoted && owner != Owner::Exemplar && matches!(cursor.peek(), Some(b',' | b'}'));
            if is_name {
                match owner {
                    Owner::Nameless if name.is_empty() => return Err(Problem::Nameless),
                    Owner::Nameless => owner = Owner::Metric,
                    _ => return Err(Problem::SecondName { name: excerpt(name) }),
                }
                each(Part::Name(name));
            } else {
                let value = self.label_value(cursor, name)?;
                self.check_label(&mut count, unescaped_bytes(value))?;
                each(Part::Label(name, value));
            }
            self.separator(cursor)?;
        }
    }

    #[inline]
    fn label_value<'t>(&self, cursor: &mut Cursor<'t>, name: &str) -> Result<&'t str, Problem> {
        if name.is_empty() {
            return Err(Problem::EmptyLabel);
        }
        if !cursor.take(b'=') {
            return Err(cursor.expected("`=` after a label name"));
        }
        self.skip_blanks(cursor);
        if !cursor.take(b'"') {
            return Err(cursor.expected("a quoted label value"));
        }
        cursor.quoted(self.format).ok_or_else(|| Problem::Unclosed { label: excerpt(name) })
    }

    /// A comma between labels, which Prometheus' format may lack and which may follow the last.
    #[inline]
    fn separator(&self, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
        if cursor.take(b',') {
            return Ok(());
        }
        self.skip_blanks(cursor);
        if cursor.take(b',') || cursor.peek() == Some(b'}') {
            return Ok(());
        }
        let mut ahead = *cursor;
        let another = self.format == Format::Text && (ahead.take(b'"') || ahead.name(LABEL).is_some());
        if another { Ok(()) } else { Err(cursor.expected("`,` or `}`")) }
    }

    /// A value and its timestamp, which stand behind a series or the labels of an exemplar.
    #[inline]
    pub(super) fn timed_value(&self, cursor: &mut Cursor<'_>) -> Result<Timed, Problem> {
        self.gap(cursor)?;
        let value = value(cursor)?;
        let has_timestamp = match self.format {
            Format::Text => {
                cursor.skip_blanks();
                !cursor.is_at_line_end()
            }
            Format::OpenMetrics => !cursor.rest().starts_with(b" #") && cursor.take(b' '),
        };
        let timestamp_ms = if has_timestamp { Some(timestamp_ms(cursor, self.format)?) } else { None };
        Ok((value, timestamp_ms))
    }

    /// Nothing but the end of the line may stand here.
    #[inline]
    pub(super) fn line_end(&self, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
        self.skip_blanks(cursor);
        if cursor.take(b'\n') {
            return Ok(());
        }
        match (self.format, cursor.peek()) {
            (Format::Text, None) => Ok(()),
            (Format::OpenMetrics, None) => Err(Problem::NoEof),
            _ => Err(cursor.expected("the end of the line")),
        }
    }

    /// What separates a value from what it belongs to: one space, or in Prometheus' format any blanks or none.
    #[inline]
    fn gap(&self, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
        self.skip_blanks(cursor);
        if cursor.is_at_line_end() {
            return Err(cursor.expected("a value"));
        }
        if self.format == Format::OpenMetrics && !cursor.take(b' ') {
            return Err(cursor.expected("a space before the value"));
        }
        Ok(())
    }

    /// Blanks that mean nothing; `OpenMetrics` has none.
    #[inline]
    fn skip_blanks(&self, cursor: &mut Cursor<'_>) {
        if self.format == Format::Text {
            cursor.skip_blanks();
        }
    }

    /// Counts one more label, the longer of whose parts has so many bytes.
    #[inline]
    fn check_label(&self, count: &mut usize, bytes: usize) -> Result<(), Problem> {
        *count += 1;
        if *count > self.limits.labels_max {
            let max = self.limits.labels_max;
            return Err(Problem::TooMany { what: "labels", max, limit: "labels_max" });
        }
        self.check_bytes(bytes)
    }

    #[inline]
    fn check_bytes(&self, bytes: usize) -> Result<(), Problem> {
        let max = self.limits.label_bytes_max;
        if bytes <= max {
            return Ok(());
        }
        Err(Problem::TooLong { what: "label name or value", max, limit: "label_bytes_max" })
    }
}

/// How many bytes a quoted text has once its escapes are undone.
fn unescaped_bytes(raw: &str) -> usize {
    unescape(raw, true).len()
}
