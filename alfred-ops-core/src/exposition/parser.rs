//! Reads a page.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::cause::{Malformed, Problem};
use super::cursor::{Cursor, unescape};
use super::{Family, FamilyKind, Limits, Page};
use crate::{Error, Labels, Result, Sample};

const OPERATION: &str = "parse metrics page";

/// Reads a page.
///
/// ```
/// use alfred_ops_core::exposition::{Limits, parse};
///
/// let page = parse("http_requests_total{path=\"/x/{id}\",code=\"200\"} 1027 1395066363000\n", &Limits::default())?;
/// assert_eq!(page.samples[0].labels.get("path"), Some("/x/{id}"));
///
/// let error = parse("up 1\nqueue_length 12,5\n", &Limits::default()).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "parse metrics page: line 2: \"12,5\" is not a decimal number, NaN or an infinity, \
///      in `queue_length 12,5`; correct the exporter that writes this page"
/// );
/// # Ok::<(), alfred_ops_core::Error>(())
/// ```
///
/// # Errors
/// [`InvalidInput`](crate::ErrorKind::InvalidInput) with the number and beginning of the first line that is
/// wrong, [`ResourceExhausted`](crate::ErrorKind::ResourceExhausted) beyond `limits`. There is no partial page.
pub fn parse(text: &str, limits: &Limits) -> Result<Page> {
    if text.len() > limits.bytes_max {
        let problem = Problem::TooLong { what: "page", max: limits.bytes_max, limit: "bytes_max" };
        return Err(Error::caused_by(OPERATION, Malformed::new(1, problem, first_line(text))));
    }
    let mut parser = Parser::new(limits);
    for (index, line) in text.split('\n').enumerate() {
        parser
            .line(line)
            .map_err(|problem| Error::caused_by(OPERATION, Malformed::new(index + 1, problem, line)))?;
    }
    Ok(parser.page)
}

/// Reads a page that has not been checked to be UTF-8.
///
/// # Errors
/// Those of [`parse`], and [`InvalidInput`](crate::ErrorKind::InvalidInput) with the first line that is not UTF-8.
pub fn parse_bytes(bytes: &[u8], limits: &Limits) -> Result<Page> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line_start = valid.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let line_number = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        let line = String::from_utf8_lossy(bytes.get(line_start..).unwrap_or_default());
        Error::caused_by(OPERATION, Malformed::new(line_number, Problem::NotUtf8, first_line(&line)))
    })?;
    parse(text, limits)
}

fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}

struct Parser<'t, 'l> {
    limits: &'l Limits,
    page: Page,
    seen: HashSet<Labels>,
    /// Where in the page's families each name stands.
    families: HashMap<String, usize>,
    /// The labels of the line being read, and space to pack them in: one page has very many lines.
    pairs: Vec<(Cow<'t, str>, Cow<'t, str>)>,
    space: String,
}

impl<'t, 'l> Parser<'t, 'l> {
    fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            page: Page::default(),
            seen: HashSet::new(),
            families: HashMap::new(),
            pairs: Vec::new(),
            space: String::new(),
        }
    }

    fn line(&mut self, line: &'t str) -> Result<(), Problem> {
        if line.ends_with('\r') {
            return Err(Problem::CarriageReturn);
        }
        let mut cursor = Cursor::new(line);
        cursor.skip_blanks();
        if cursor.is_at_end() {
            return Ok(());
        }
        if cursor.take('#') {
            return self.comment(&mut cursor);
        }
        let sample = self.sample(&mut cursor)?;
        if self.page.samples.len() >= self.limits.samples_max {
            let max = self.limits.samples_max;
            return Err(Problem::TooMany { what: "samples", max, limit: "samples_max" });
        }
        if self.seen.insert(sample.labels.clone()) {
            self.page.samples.push(sample);
        } else {
            self.page.duplicates += 1;
        }
        Ok(())
    }

    fn comment(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
        // "#HELP" without a blank is a plain comment, as is everything but HELP and TYPE.
        if !cursor.starts_with(' ') && !cursor.starts_with('\t') {
            return Ok(());
        }
        cursor.skip_blanks();
        let keyword = cursor.word();
        if (keyword != "HELP" && keyword != "TYPE") || cursor.is_at_end() {
            return Ok(());
        }
        cursor.skip_blanks();
        let name = match cursor.take('"') {
            true => cursor.quoted(),
            false => cursor.metric_name().map(Cow::Borrowed),
        };
        let name = name.ok_or_else(|| cursor.expected("a metric name"))?;
        if !cursor.is_at_end() && !cursor.starts_with(' ') && !cursor.starts_with('\t') {
            return Err(cursor.expected("a blank after the metric name"));
        }
        if keyword == "HELP" {
            let help = cursor.rest().get(1..).unwrap_or_default();
            self.family(&name).help = unescape(help, false);
        } else {
            let word = cursor.rest().trim_matches([' ', '\t']);
            let kind = FamilyKind::from_name(word).ok_or_else(|| Problem::Kind { word: word.to_owned() })?;
            self.family(&name).kind = kind;
        }
        Ok(())
    }

    fn family(&mut self, name: &str) -> &mut Family {
        let families = &mut self.page.families;
        let index = *self.families.entry(name.to_owned()).or_insert_with(|| {
            families.push(Family { name: name.to_owned(), ..Family::default() });
            families.len() - 1
        });
        &mut families[index]
    }

    fn sample(&mut self, cursor: &mut Cursor<'t>) -> Result<Sample, Problem> {
        self.pairs.clear();
        if !cursor.starts_with('{') {
            let name = cursor.metric_name().ok_or_else(|| cursor.expected("a metric name"))?;
            self.pairs.push((Cow::Borrowed(Labels::NAME), Cow::Borrowed(name)));
            cursor.skip_blanks();
        }
        if cursor.take('{') {
            self.labels(cursor)?;
        }
        let labels = self.pack()?;
        cursor.skip_blanks();
        if cursor.is_at_end() {
            return Err(cursor.expected("a value"));
        }
        let value = number(cursor.word())?;
        cursor.skip_blanks();
        let mut timestamp = None;
        if !cursor.is_at_end() {
            timestamp = Some(time(cursor.word())?);
            cursor.skip_blanks();
        }
        if !cursor.is_at_end() {
            return Err(cursor.expected("the end of the line"));
        }
        Ok(Sample { labels, value, timestamp })
    }

    /// Labels whose opening brace has been taken, up to and with their closing brace.
    fn labels(&mut self, cursor: &mut Cursor<'t>) -> Result<(), Problem> {
        let pairs = &mut self.pairs;
        loop {
            cursor.skip_blanks();
            if cursor.take('}') {
                return Ok(());
            }
            let quoted_name = cursor.starts_with('"');
            let name = match cursor.take('"') {
                true => cursor.quoted().ok_or(Problem::UnclosedName)?,
                false => {
                    Cow::Borrowed(cursor.label_name().ok_or_else(|| cursor.expected("a label name or `}`"))?)
                }
            };
            cursor.skip_blanks();
            let is_metric_name = quoted_name && !cursor.starts_with('=');
            if is_metric_name {
                if pairs.iter().any(|(label, _)| label == Labels::NAME) {
                    return Err(Problem::SecondName { name: name.into_owned() });
                }
                pairs.push((Cow::Borrowed(Labels::NAME), name));
            } else {
                let value = label_value(cursor, &name)?;
                if name == Labels::NAME {
                    return Err(Problem::ReservedLabel);
                }
                pairs.push((name, value));
            }
            if pairs.len() > self.limits.labels_max.saturating_add(1) {
                let max = self.limits.labels_max;
                return Err(Problem::TooMany { what: "labels", max, limit: "labels_max" });
            }
            cursor.skip_blanks();
            if !cursor.take(',') && !cursor.starts_with('}') {
                return Err(cursor.expected("`,` or `}`"));
            }
        }
    }

    fn pack(&mut self) -> Result<Labels, Problem> {
        let pairs = &mut self.pairs;
        let max = self.limits.label_bytes_max;
        let too_long =
            |name: &str, value: &str| (name.len() > max && name != Labels::NAME) || value.len() > max;
        if pairs.iter().any(|(name, value)| too_long(name, value)) {
            return Err(Problem::TooLong { what: "label name or value", max, limit: "label_bytes_max" });
        }
        if !pairs.iter().any(|(name, value)| name == Labels::NAME && !value.is_empty()) {
            return Err(Problem::Nameless);
        }
        pairs.sort_by(|left, right| left.0.cmp(&right.0));
        if let Some(twice) = pairs.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(Problem::LabelTwice { label: twice[0].0.clone().into_owned() });
        }
        Ok(Labels::pack_in(&mut self.space, pairs.iter().map(|(name, value)| (&**name, &**value))))
    }
}

fn label_value<'a>(cursor: &mut Cursor<'a>, name: &str) -> Result<Cow<'a, str>, Problem> {
    if !cursor.take('=') {
        return Err(cursor.expected("`=` after a label name"));
    }
    cursor.skip_blanks();
    if !cursor.take('"') {
        return Err(cursor.expected("a quoted label value"));
    }
    cursor.quoted().ok_or_else(|| Problem::Unclosed { label: name.to_owned() })
}

/// What Go's `ParseFloat` reads, without hexadecimal floats and underscores.
fn number(text: &str) -> Result<f64, Problem> {
    let refused = || Problem::Value { text: text.to_owned() };
    let value: f64 = text.parse().map_err(|_| refused())?;
    let signed_nan = value.is_nan() && text.starts_with(['+', '-']);
    // A number too large for a float is an error there and infinity here.
    let overflown = value.is_infinite() && !text.contains(['i', 'I']);
    if signed_nan || overflown { Err(refused()) } else { Ok(value) }
}

fn time(text: &str) -> Result<DateTime<Utc>, Problem> {
    let millis = text.parse::<i64>().ok().filter(|_| !text.starts_with('+'));
    millis
        .and_then(DateTime::from_timestamp_millis)
        .ok_or_else(|| Problem::Timestamp { text: text.to_owned() })
}
