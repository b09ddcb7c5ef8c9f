//! Writes a page.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Write as _};

use super::cursor::METRIC;
use super::series_text::{write_escaped, write_name};
use super::{Exemplar, Family, FamilyKind, Format, Page};
use crate::Sample;

/// Beyond these sizes numbers are written with an exponent.
const PLAIN_MIN: f64 = 1e-5;
const PLAIN_MAX: f64 = 1e17;

/// Writes a page that [`Page::read`] reads back, in the page's own format as the same samples, exemplars and families.
///
/// Each family is followed by its samples, as both formats demand; samples without a family come first. Written in
/// the other format a page keeps its series, values and timestamps, while families go by that format's rules: a
/// counter is called `x_total` in Prometheus' format and `x` in `OpenMetrics`, where one that does not end so is
/// written as `unknown`; kinds that Prometheus' format lacks become the nearest it has, and units and exemplars are
/// left out. A sample without a metric name has no form in either format and is left out.
#[must_use]
pub fn render(page: &Page, format: Format) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = Groups::of(page, format).write(&mut text);
    text
}

/// A family as it is written in one format.
#[derive(Debug)]
struct Heading<'p> {
    name: Cow<'p, str>,
    kind: FamilyKind,
    family: &'p Family,
}

impl<'p> Heading<'p> {
    fn of(family: &'p Family, page: &Page, format: Format) -> Self {
        let own = |kind| Self { name: Cow::Borrowed(&family.name), kind, family };
        let with = |suffix| Self { name: Cow::Owned(format!("{}{suffix}", family.name)), ..own(family.kind) };
        match (page.format, format, family.kind) {
            (Format::Text, Format::OpenMetrics, FamilyKind::Counter) => {
                let is_free = |name: &&str| page.families.iter().all(|other| other.name != *name);
                match family.name.strip_suffix("_total").filter(is_free) {
                    Some(name) => Self { name: Cow::Borrowed(name), ..own(family.kind) },
                    None => own(FamilyKind::Untyped),
                }
            }
            (Format::OpenMetrics, Format::Text, FamilyKind::Counter) => with("_total"),
            (Format::OpenMetrics, Format::Text, FamilyKind::Info) => with("_info"),
            _ => own(family.kind),
        }
    }

    fn write(&self, text: &mut String, format: Format) -> fmt::Result {
        let Self { name, kind, family } = self;
        let unit = match family.unit.as_str() {
            unit if format == Format::Text || unit.is_empty() => None,
            unit => name.strip_suffix(unit).filter(|before| before.ends_with('_')).map(|_| unit),
        };
        let mut line = |keyword: &str, rest: &dyn Fn(&mut String) -> fmt::Result| {
            write!(text, "# {keyword} ")?;
            write_name(text, name, METRIC)?;
            text.push(' ');
            rest(text)?;
            writeln!(text)
        };
        if *kind != FamilyKind::Untyped || (family.help.is_empty() && unit.is_none()) {
            line("TYPE", &|text| text.write_str(kind.name(format)))?;
        }
        if let Some(unit) = unit {
            line("UNIT", &|text| text.write_str(unit))?;
        }
        if !family.help.is_empty() {
            line("HELP", &|text| write_escaped(text, &family.help, format == Format::OpenMetrics))?;
        }
        Ok(())
    }
}

/// The samples of a page, each behind its family.
#[derive(Debug)]
struct Groups<'p> {
    format: Format,
    headings: Vec<Heading<'p>>,
    /// Samples without a family, those of one name together.
    orphans: Vec<Vec<&'p Sample>>,
    /// Samples of each family.
    members: Vec<Vec<&'p Sample>>,
    exemplars: HashMap<*const Sample, &'p Exemplar>,
}

impl<'p> Groups<'p> {
    fn of(page: &'p Page, format: Format) -> Self {
        let headings: Vec<_> = page.families.iter().map(|family| Heading::of(family, page, format)).collect();
        let owners = owners(&headings, format);
        let mut members = vec![Vec::new(); headings.len()];
        let (mut orphans, mut places) = (Vec::<Vec<&Sample>>::new(), HashMap::new());
        for sample in &page.samples {
            let Some(name) = sample.labels.name() else {
                continue;
            };
            if let Some(group) = owners.get(name).and_then(|family| members.get_mut(*family)) {
                group.push(sample);
                continue;
            }
            let place = *places.entry(name).or_insert(orphans.len());
            match orphans.get_mut(place) {
                Some(group) => group.push(sample),
                None => orphans.push(vec![sample]),
            }
        }
        let exemplars = match format {
            Format::Text => HashMap::new(),
            Format::OpenMetrics => page
                .exemplars
                .iter()
                .filter_map(|exemplar| {
                    Some((std::ptr::from_ref(page.samples.get(exemplar.sample)?), exemplar))
                })
                .collect(),
        };
        Self { format, headings, orphans, members, exemplars }
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        for sample in self.orphans.iter().flatten() {
            self.sample(text, sample)?;
        }
        for (heading, members) in self.headings.iter().zip(&self.members) {
            heading.write(text, self.format)?;
            for sample in members {
                self.sample(text, sample)?;
            }
        }
        match self.format {
            Format::Text => Ok(()),
            Format::OpenMetrics => text.write_str("# EOF\n"),
        }
    }

    fn sample(&self, text: &mut String, sample: &Sample) -> fmt::Result {
        write!(text, "{} {}", sample.labels, Number(sample.value))?;
        self.timestamp(text, sample.timestamp.map(|time| time.timestamp_millis()))?;
        if let Some(exemplar) = self.exemplars.get(&std::ptr::from_ref(sample)) {
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

/// Which heading the samples of a name belong under: one of that very name before one that a suffix leads to.
fn owners(headings: &[Heading<'_>], format: Format) -> HashMap<String, usize> {
    let mut owners = HashMap::new();
    for exact in [true, false] {
        for (index, heading) in headings.iter().enumerate() {
            for suffix in heading.kind.suffixes(format).iter().filter(|suffix| suffix.is_empty() == exact) {
                owners.entry(format!("{}{suffix}", heading.name)).or_insert(index);
            }
        }
    }
    owners
}

struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value == f64::INFINITY => f.write_str("+Inf"),
            value if value == f64::NEG_INFINITY => f.write_str("-Inf"),
            value if value.is_nan() => f.write_str("NaN"),
            // Rust's shortest forms that read back as the same number.
            value if value == 0.0 || (PLAIN_MIN..PLAIN_MAX).contains(&value.abs()) => write!(f, "{value}"),
            value => write!(f, "{value:e}"),
        }
    }
}
