//! Writes a page.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use super::heading::{Heading, owners};
use super::{Exemplar, Format, Page};
use crate::{Labels, Sample};

/// Beyond these sizes numbers are written with an exponent.
const PLAIN_MIN: f64 = 1e-5;
const PLAIN_MAX: f64 = 1e17;

/// Writes a page that [`Page::read`] reads back, in the page's own format as the same samples, exemplars and families.
///
/// Each family is followed by its samples, and in `OpenMetrics` the samples of one point stand together, as the formats
/// demand; samples without a family come first. A sample without a metric name has no form and is left out.
///
/// Written in the other format a page keeps its series, values and timestamps, while families go by that format's
/// rules. A counter is called `x_total` in Prometheus' format and `x` in `OpenMetrics`, where one that does not end so
/// is written as `unknown`, and where a family whose name another's samples bear (`x_created`) has no lines of its own.
/// Kinds that Prometheus' format lacks become the nearest it has, and units and exemplars are left out there.
#[must_use]
pub fn render(page: &Page, format: Format) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = Groups::of(page, format).write(&mut text);
    text
}

/// The samples of a page, each behind its family.
#[derive(Debug)]
struct Groups<'p> {
    format: Format,
    headings: Vec<Heading<'p>>,
    /// Samples without a family, those of one name together.
    orphans: Vec<Vec<Line<'p>>>,
    /// Samples of each family.
    members: Vec<Vec<Line<'p>>>,
}

/// A sample, and its exemplar where the format has such.
type Line<'p> = (&'p Sample, Option<&'p Exemplar>);

impl<'p> Groups<'p> {
    fn of(page: &'p Page, format: Format) -> Self {
        let headings = Heading::all(page, format);
        let owners = owners(&headings, format);
        let exemplars: HashMap<usize, &Exemplar> = match format {
            Format::Text => HashMap::new(),
            Format::OpenMetrics => page.exemplars.iter().map(|found| (found.sample, found)).collect(),
        };
        let mut members = vec![Vec::new(); headings.len()];
        let (mut orphans, mut places) = (Vec::<Vec<Line<'_>>>::new(), HashMap::new());
        for (index, sample) in page.samples.iter().enumerate() {
            let Some(name) = sample.labels.name() else {
                continue;
            };
            let line = (sample, exemplars.get(&index).copied());
            if let Some(group) = owners.get(name).and_then(|family| members.get_mut(*family)) {
                group.push(line);
                continue;
            }
            let place = *places.entry(name).or_insert(orphans.len());
            match orphans.get_mut(place) {
                Some(group) => group.push(line),
                None => orphans.push(vec![line]),
            }
        }
        if format == Format::OpenMetrics {
            members.iter_mut().for_each(|group| gather_points(group));
        }
        Self { format, headings, orphans, members }
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        for line in self.orphans.iter().flatten() {
            self.line(text, *line)?;
        }
        for (heading, members) in self.headings.iter().zip(&self.members) {
            heading.write(text, self.format)?;
            for line in members {
                self.line(text, *line)?;
            }
        }
        match self.format {
            Format::Text => Ok(()),
            Format::OpenMetrics => text.write_str("# EOF\n"),
        }
    }

    fn line(&self, text: &mut String, (sample, exemplar): Line<'_>) -> fmt::Result {
        write!(text, "{} {}", sample.labels, Number(sample.value))?;
        self.timestamp(text, sample.timestamp.map(|time| time.timestamp_millis()))?;
        if let Some(exemplar) = exemplar {
            write!(text, " # {} {}", exemplar.labels, Number(exemplar.value))?;
            self.timestamp(text, exemplar.timestamp.map(|time| time.timestamp_millis()))?;
        }
        text.push('\n');
        Ok(())
    }

    fn timestamp(&self, text: &mut String, millis: Option<i64>) -> fmt::Result {
        match (self.format, millis) {
            (_, None) => Ok(()),
            (Format::Text, Some(millis)) => write!(text, " {millis}"),
            (Format::OpenMetrics, Some(millis)) => {
                let (sign, size) = (if millis < 0 { "-" } else { "" }, millis.unsigned_abs());
                write!(text, " {sign}{}.{:03}", size / 1000, size % 1000)
            }
        }
    }
}

/// Brings together the samples of one point, those that differ only by suffix, bucket and quantile, in the order of
/// their first.
fn gather_points(lines: &mut [Line<'_>]) {
    let mut places: HashMap<Labels, usize> = HashMap::new();
    lines.sort_by_cached_key(|(sample, _)| {
        let point = sample.labels.without(|name| matches!(name, Labels::NAME | "le" | "quantile"));
        let next = places.len();
        *places.entry(point).or_insert(next)
    });
}

struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value == f64::INFINITY => f.write_str("+Inf"),
            value if value == f64::NEG_INFINITY => f.write_str("-Inf"),
            value if value.is_nan() => f.write_str("NaN"),
            // Some readers take "-0" for a whole number, which has no sign.
            value if value == 0.0 && value.is_sign_negative() => f.write_str("-0.0"),
            // Rust's shortest forms that read back as the same number.
            value if value == 0.0 || (PLAIN_MIN..PLAIN_MAX).contains(&value.abs()) => write!(f, "{value}"),
            value => write!(f, "{value:e}"),
        }
    }
}
