//! Families as a format writes them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Write as _};

use super::cursor::METRIC;
use super::series_text::{write_escaped, write_name};
use super::{Family, FamilyKind, Format, Page};

/// A family as it is written in one format.
#[derive(Debug)]
pub(super) struct Heading<'p> {
    pub(super) name: Cow<'p, str>,
    kind: FamilyKind,
    family: &'p Family,
}

impl<'p> Heading<'p> {
    /// All families of `page` that have lines of their own in `format`.
    pub(super) fn all(page: &'p Page, format: Format) -> Vec<Self> {
        let mut headings: Vec<_> =
            page.families.iter().map(|family| Self::new(family, page, format)).collect();
        if page.format == Format::Text && format == Format::OpenMetrics {
            let suffixed = suffixed(&headings, format);
            headings.retain(|heading| !suffixed.contains_key(&*heading.name));
        }
        headings
    }

    fn new(family: &'p Family, page: &Page, format: Format) -> Self {
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

    pub(super) fn write(&self, text: &mut String, format: Format) -> fmt::Result {
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

/// Which heading the samples of a name belong under: one of that very name before one that a suffix leads to.
pub(super) fn owners(headings: &[Heading<'_>], format: Format) -> HashMap<String, usize> {
    let mut owners = suffixed(headings, format);
    for (index, heading) in headings.iter().enumerate().rev() {
        if heading.kind.suffixes(format).contains(&"") {
            owners.insert(heading.name.clone().into_owned(), index);
        }
    }
    owners
}

/// The names that headings reserve for their samples by suffixes; the first heading counts.
fn suffixed(headings: &[Heading<'_>], format: Format) -> HashMap<String, usize> {
    let mut names = HashMap::new();
    for (index, heading) in headings.iter().enumerate() {
        for suffix in heading.kind.suffixes(format).iter().filter(|suffix| !suffix.is_empty()) {
            names.entry(format!("{}{suffix}", heading.name)).or_insert(index);
        }
    }
    names
}
