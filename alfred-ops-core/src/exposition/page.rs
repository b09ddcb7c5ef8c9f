//! A parsed page.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use chrono::DateTime;

use super::{Entries, Entry, Exemplar, Family, Format, LabelReader, Limits, SampleEntry, page_text};
use crate::{Labels, Result, Sample};

/// A parsed page: its samples in order, and what it says about them.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Page {
    /// The format it was written in, which decides what its families are called.
    pub format: Format,
    /// The samples in the page's order, each series once.
    pub samples: Vec<Sample>,
    /// Examples of what was counted, in the order of their samples; one with a label named twice is left out, since it
    /// says nothing against its sample.
    pub exemplars: Vec<Exemplar>,
    /// The metrics that the page explains, in the order of their first mention.
    pub families: Vec<Family>,
    /// Samples left out because their series came before: a fault of the page's author.
    pub duplicates: usize,
}

impl Page {
    /// Reads a page.
    ///
    /// ```
    /// use alfred_ops_core::exposition::{Format, Limits, Page};
    ///
    /// let text = "# TYPE jobs counter\njobs_total 7 1.5 # {trace_id=\"4bf9\"} 1\n# EOF\n";
    /// let page = Page::read(text, Format::OpenMetrics, &Limits::default())?;
    /// assert_eq!(page.exemplars[0].labels.get("trace_id"), Some("4bf9"));
    /// # Ok::<(), alfred_ops_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) with the number and beginning of the first line that is
    /// wrong, [`ResourceExhausted`](crate::ErrorKind::ResourceExhausted) beyond `limits`. There is no partial page.
    pub fn read(text: &str, format: Format, limits: &Limits) -> Result<Self> {
        let mut builder = Builder { page: Self { format, ..Self::default() }, ..Builder::default() };
        for entry in Entries::new(text, format, limits)? {
            match entry? {
                Entry::Sample(sample) => builder.sample(&sample)?,
                Entry::Kind { name, kind } => builder.family(name).kind = kind,
                Entry::Help { name, help } => builder.family(name).help = help.into_owned(),
                Entry::Unit { name, unit } => unit.clone_into(&mut builder.family(name).unit),
            }
        }
        Ok(builder.page)
    }

    /// Reads a page that has not been checked to be UTF-8, as [`page_text`] does.
    ///
    /// # Errors
    /// Those of [`Page::read`] and [`page_text`].
    pub fn read_bytes(bytes: &[u8], format: Format, limits: &Limits) -> Result<Self> {
        Self::read(&page_text(bytes, format, limits)?, format, limits)
    }
}

#[derive(Default)]
struct Builder {
    page: Page,
    reader: LabelReader,
    seen: HashSet<Labels>,
    /// Where in the page's families each name stands.
    families: HashMap<String, usize>,
}

impl Builder {
    fn sample(&mut self, entry: &SampleEntry<'_>) -> Result<()> {
        let labels = self.reader.read(&entry.series)?;
        if !self.seen.insert(labels.clone()) {
            self.page.duplicates += 1;
            return Ok(());
        }
        let timestamp = entry.timestamp_ms.and_then(DateTime::from_timestamp_millis);
        self.page.samples.push(Sample { labels, value: entry.value, timestamp });
        if let Some(exemplar) = &entry.exemplar
            && let Ok(labels) = self.reader.read(&exemplar.labels)
        {
            self.page.exemplars.push(Exemplar {
                sample: self.page.samples.len() - 1,
                labels,
                value: exemplar.value,
                timestamp: exemplar.timestamp_ms.and_then(DateTime::from_timestamp_millis),
            });
        }
        Ok(())
    }

    fn family(&mut self, name: Cow<'_, str>) -> &mut Family {
        let families = &mut self.page.families;
        let index = match self.families.get(&*name) {
            Some(index) => *index,
            None => {
                families.push(Family { name: name.clone().into_owned(), ..Family::default() });
                self.families.insert(name.into_owned(), families.len() - 1);
                families.len() - 1
            }
        };
        &mut families[index]
    }
}
