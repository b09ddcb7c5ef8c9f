//! Reads a page, entry by entry.

use std::borrow::Cow;
use std::iter::FusedIterator;

use super::cause::{Malformed, Problem, excerpt};
use super::cursor::{Cursor, METRIC, unescape};
use super::grammar::Grammar;
use super::{Entry, ExemplarEntry, FamilyKind, Format, Limits, SampleEntry, Series};
use crate::{Error, Result};

/// Reads a page, entry by entry, without a copy of anything.
///
/// Every entry borrows from the page and is checked but for what only decoding shows: see [`Series::labels`]. A page
/// that turns out to be wrong gives an error and then ends; what came before counts for nothing, as with Prometheus.
/// Of several samples of one series the first counts, which is for the caller to see to.
///
/// ```
/// use alfred_ops_core::exposition::{Entries, Entry, Format, Limits};
///
/// let page = "# TYPE up gauge\nup{job=\"agents\"} 1 1395066363000\n";
/// let mut series = Vec::new();
/// for entry in Entries::new(page, Format::Text, &Limits::default())? {
///     if let Entry::Sample(sample) = entry? {
///         assert_eq!(sample.timestamp_ms, Some(1_395_066_363_000));
///         series.push(sample.series.text());
///     }
/// }
/// assert_eq!(series, ["up{job=\"agents\"}"]);
/// # Ok::<(), alfred_ops_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Entries<'t> {
    page: &'t str,
    format: Format,
    limits: Limits,
    cursor: Cursor<'t>,
    samples: usize,
    /// Where the entry that is read, or was read last, begins.
    entry_at: usize,
    /// What the last `# TYPE` line said; as in Prometheus it holds until the next one.
    kind: FamilyKind,
    ended: bool,
}

impl<'t> Entries<'t> {
    /// The entries of `page`.
    ///
    /// # Errors
    /// [`ResourceExhausted`](crate::ErrorKind::ResourceExhausted) if the page is longer than `limits` allow.
    pub fn new(page: &'t str, format: Format, limits: &Limits) -> Result<Self> {
        if page.len() > limits.bytes_max {
            let problem = Problem::TooLong { what: "page", max: limits.bytes_max, limit: "bytes_max" };
            return Err(Malformed::error(page, 0, problem));
        }
        Ok(Self {
            page,
            format,
            limits: limits.clone(),
            cursor: Cursor::new(page, 0),
            samples: 0,
            entry_at: 0,
            kind: FamilyKind::Untyped,
            ended: false,
        })
    }

    /// The number of the line, from 1, on which the last entry began. Counts lines, as [`Series::line`] does.
    #[must_use]
    pub fn line(&self) -> usize {
        Series::new(self.page, self.entry_at, self.entry_at).line()
    }

    fn read(&mut self) -> Result<Option<Entry<'t>>, Problem> {
        let grammar = Grammar { format: self.format, limits: &self.limits };
        let mut cursor = self.cursor;
        let entry = loop {
            self.entry_at = cursor.at();
            if self.format == Format::Text {
                cursor.skip_blanks();
            }
            match cursor.peek() {
                Some(b'#') => {
                    let comment = match self.format {
                        Format::Text => text_comment(&mut cursor)?,
                        Format::OpenMetrics => open_metrics_comment(&mut cursor)?,
                    };
                    match comment {
                        Comment::Entry(entry) => break Some(entry),
                        Comment::Plain => {}
                        Comment::End => break None,
                    }
                }
                Some(b'\n') if self.format == Format::Text => cursor.skip(1),
                // Prometheus takes a zero byte where an entry could begin for the end of the page.
                None | Some(0) if self.format == Format::Text => break None,
                None => return Err(Problem::NoEof),
                Some(_) => break Some(Entry::Sample(sample(&grammar, self.page, self.kind, &mut cursor)?)),
            }
        };
        match &entry {
            Some(Entry::Sample(_)) => {
                self.samples += 1;
                if self.samples > self.limits.samples_max {
                    let max = self.limits.samples_max;
                    return Err(Problem::TooMany { what: "samples", max, limit: "samples_max" });
                }
            }
            Some(Entry::Kind { kind, .. }) => self.kind = *kind,
            _ => {}
        }
        self.cursor = cursor;
        Ok(entry)
    }

    #[cold]
    fn malformed(&self, problem: Problem) -> Error {
        Malformed::error(self.page, self.entry_at, problem)
    }
}

impl<'t> Iterator for Entries<'t> {
    type Item = Result<Entry<'t>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let entry = self.read();
        self.ended = !matches!(entry, Ok(Some(_)));
        entry.map_err(|problem| self.malformed(problem)).transpose()
    }
}

impl FusedIterator for Entries<'_> {}

#[inline]
fn sample<'t>(
    grammar: &Grammar<'_>,
    page: &'t str,
    kind: FamilyKind,
    cursor: &mut Cursor<'t>,
) -> Result<SampleEntry<'t>, Problem> {
    let start = cursor.at();
    grammar.series(cursor, |_| ())?;
    let series = Series::new(page, start, cursor.at()).of_kind(kind);
    let (value, timestamp_ms) = grammar.timed_value(cursor)?;
    let exemplar = match grammar.format {
        Format::OpenMetrics if cursor.take_text(" # ") => Some(exemplar(grammar, page, cursor)?),
        _ => None,
    };
    grammar.line_end(cursor)?;
    Ok(SampleEntry { series, value, timestamp_ms, exemplar })
}

fn exemplar<'t>(
    grammar: &Grammar<'_>,
    page: &'t str,
    cursor: &mut Cursor<'t>,
) -> Result<ExemplarEntry<'t>, Problem> {
    let start = cursor.at();
    grammar.exemplar(cursor, |_| ())?;
    let labels = Series::of_exemplar(page, start, cursor.at());
    let (value, timestamp_ms) = grammar.timed_value(cursor)?;
    Ok(ExemplarEntry { labels, value, timestamp_ms })
}

/// What a line that starts with `#` is.
enum Comment<'t> {
    Entry(Entry<'t>),
    Plain,
    /// The end of the page.
    End,
}

fn text_comment<'t>(cursor: &mut Cursor<'t>) -> Result<Comment<'t>, Problem> {
    cursor.skip(1);
    let after_mark = cursor.at();
    cursor.skip_blanks();
    // "#HELP" without a blank is a plain comment, as is everything but HELP and TYPE.
    let keyword = if cursor.at() > after_mark { cursor.word() } else { "" };
    let is_known = matches!(keyword, "HELP" | "TYPE") && matches!(cursor.peek(), Some(b' ' | b'\t'));
    if !is_known {
        let line = cursor.line();
        cursor.take(b'\n');
        // Without a blank after the mark a zero byte ends the page, as it does where an entry could begin.
        let ends = keyword.is_empty() && memchr::memchr(0, line.as_bytes()).is_some();
        return Ok(if ends { Comment::End } else { Comment::Plain });
    }
    cursor.skip_blanks();
    let name = family_name(cursor, Format::Text)?;
    // One byte after the name separates, whichever it is.
    let rest = cursor.line();
    let text = if rest.is_empty() { Some("") } else { rest.get(1..) };
    let text = text.ok_or_else(|| cursor.expected("a blank after the metric name"))?;
    cursor.take(b'\n');
    Ok(Comment::Entry(match keyword {
        "HELP" => Entry::Help { name, help: unescape(text, false) },
        _ => Entry::Kind { name, kind: family_kind(text, Format::Text)? },
    }))
}

fn open_metrics_comment<'t>(cursor: &mut Cursor<'t>) -> Result<Comment<'t>, Problem> {
    if cursor.take_text("# EOF") {
        cursor.take(b'\n');
        return if cursor.peek().is_none() { Ok(Comment::End) } else { Err(Problem::AfterEof) };
    }
    let keyword = ["# HELP ", "# TYPE ", "# UNIT "].into_iter().find(|keyword| cursor.take_text(keyword));
    let Some(keyword) = keyword else {
        return Err(cursor.expected("HELP, TYPE, UNIT or EOF after `# `"));
    };
    let name = family_name(cursor, Format::OpenMetrics)?;
    if !cursor.take(b' ') {
        return Err(cursor.expected("a space after the metric name"));
    }
    let text = cursor.line();
    if !cursor.take(b'\n') {
        return Err(Problem::NoEof);
    }
    Ok(Comment::Entry(match keyword {
        "# HELP " => Entry::Help { name, help: unescape(text, true) },
        "# TYPE " => Entry::Kind { name, kind: family_kind(text, Format::OpenMetrics)? },
        _ => {
            let ends_name = name.strip_suffix(text).is_some_and(|before| before.ends_with('_'));
            if !text.is_empty() && !ends_name {
                return Err(Problem::Unit { unit: excerpt(text), name: excerpt(&name) });
            }
            Entry::Unit { name, unit: text }
        }
    }))
}

fn family_name<'t>(cursor: &mut Cursor<'t>, format: Format) -> Result<Cow<'t, str>, Problem> {
    if cursor.take(b'"') {
        return cursor.quoted_name(format).map(|raw| unescape(raw, true));
    }
    cursor.name(METRIC).map(Cow::Borrowed).ok_or_else(|| cursor.expected("a metric name"))
}

fn family_kind(word: &str, format: Format) -> Result<FamilyKind, Problem> {
    FamilyKind::from_name(word, format)
        .ok_or_else(|| Problem::Kind { word: excerpt(word), known: FamilyKind::known(format) })
}
