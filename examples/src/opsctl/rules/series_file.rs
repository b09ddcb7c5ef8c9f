//! Series read from a file.

use std::collections::HashMap;
use std::path::Path;

use alfred_ops_alerts::promql::notation::parse_series;
use alfred_ops_alerts::promql::{Position, RecordedSeries, format_duration};
use alfred_ops_core::exposition::{Entries, Entry, Format, LabelReader, Limits};
use alfred_ops_core::{Error, ErrorKind, Labels, Result};
use chrono::{DateTime, SecondsFormat, Utc};

use super::source_arguments::ReadingArguments;
use crate::opsctl::text_file::read;

/// How large a file of series may be: a day of some thousand series.
const FILE_BYTES_MAX: u64 = 512 << 20;
/// Samples of all series together, each some fifty bytes in memory.
const SAMPLES_MAX: usize = 20_000_000;
/// How far apart and how many the samples are that one without a timestamp stands for.
const STEADY_INTERVAL_MILLIS: i64 = 15_000;
const STEADY_SAMPLES: i64 = 81;
/// Times before this one count from the first value of a written series.
pub(super) const YEAR_MILLIS: i64 = 365 * 24 * 3_600_000;

/// What a sample without a timestamp stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untimed {
    /// Itself, at the time of the look.
    Once,
    /// Twenty minutes in which it stayed the same, up to the time of the look.
    Steady,
}

/// Series read from a file, and as of when they are looked at.
#[derive(Debug)]
pub(super) struct SeriesFile {
    pub(super) series: RecordedSeries,
    /// As of when, in milliseconds since 1970.
    pub(super) at: i64,
    /// The time of the earliest sample.
    pub(super) first: i64,
    /// How many samples there are.
    pub(super) samples: usize,
    /// What a person should know about the file.
    pub(super) notes: Vec<String>,
}

impl SeriesFile {
    /// Reads a file as the arguments say.
    ///
    /// # Errors
    /// The file system's; `InvalidInput` with the place of the first line that is wrong; `ResourceExhausted` for a
    /// file with more than twenty million samples; `NotFound` if it holds no sample.
    pub(super) fn load(
        path: &Path,
        arguments: &ReadingArguments,
        untimed: Untimed,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let text = read(path, "read series", FILE_BYTES_MAX)?;
        let file = match arguments.interval {
            Some(interval) => {
                let interval = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
                Self::of_notation(path, &text, interval, arguments.time)?
            }
            None => Self::of_page(path, &text, arguments, untimed, now)?,
        };
        if file.samples == 0 {
            return Err(Error::new(ErrorKind::NotFound, "read series", "the file holds no sample")
                .with_target(path.display().to_string())
                .with_remedy("save a /metrics page or a dump with samples"));
        }
        Ok(file)
    }

    fn of_notation(path: &Path, text: &str, interval: i64, time: Option<DateTime<Utc>>) -> Result<Self> {
        let mut series = RecordedSeries::new();
        let mut samples = 0_usize;
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.trim_start().starts_with('#') {
                continue;
            }
            let (labels, entries) = parse_series(line).map_err(|error| {
                let indent = line.len() - line.trim_start().len();
                let column = error.position().map_or(1, |position| position.column) + indent;
                let page = Entries::new(line, Format::Text, &limits()).ok().and_then(|mut page| page.next());
                let remedy = match (error.hint(), page) {
                    (Some(hint), _) => hint.to_owned(),
                    (None, Some(Ok(_))) => {
                        "leave out --interval: the line is of a page of metrics".to_owned()
                    }
                    _ => "write a series and its values, such as up{job=\"a\"} 1 0x5 _ 1+2x3".to_owned(),
                };
                malformed(path, Position { line: index + 1, column }, error.message(), remedy)
            })?;
            samples = samples.saturating_add(entries.len());
            if samples > SAMPLES_MAX {
                let what = format!("there are more than {SAMPLES_MAX} samples up to here");
                return Err(malformed(
                    path,
                    Position { line: index + 1, column: 1 },
                    &what,
                    "split the file",
                ));
            }
            series.push_entries(&labels, 0, interval, &entries);
        }
        let time = time.map(|time| time.timestamp_millis());
        Ok(Self::new(series, time, 0, Vec::new()))
    }

    fn of_page(
        path: &Path,
        text: &str,
        arguments: &ReadingArguments,
        untimed: Untimed,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let mut page = Page::read(path, text)?;
        let mut notes = page.scraped(&arguments.label);
        let last = page.samples.iter().filter_map(|sample| sample.at).max();
        let at =
            arguments.time.map(|time| time.timestamp_millis()).or(last).unwrap_or(now.timestamp_millis());
        let mut samples = Vec::with_capacity(page.samples.len());
        for sample in &page.samples {
            match (sample.at, untimed) {
                (Some(at), _) => samples.push((at, sample.series, sample.value)),
                (None, Untimed::Once) => samples.push((at, sample.series, sample.value)),
                (None, Untimed::Steady) => samples.extend((0..STEADY_SAMPLES).map(|back| {
                    (at.saturating_sub(back * STEADY_INTERVAL_MILLIS), sample.series, sample.value)
                })),
            }
            if samples.len() > SAMPLES_MAX {
                return Err(too_many(path));
            }
        }
        // The sort is stable: of two samples of one time the first in the file stays.
        samples.sort_by_key(|(at, _, _)| *at);
        let mut series = RecordedSeries::new();
        let mut repeated = 0_usize;
        for (at, place, value) in samples {
            if let Some(labels) = page.series.get(place)
                && !series.push(labels, at, Some(value.into()))
            {
                repeated += 1;
            }
        }
        if repeated > 0 {
            notes.push(format!(
                "{}: {repeated} samples were left out: their series has another one of the same time",
                path.display()
            ));
        }
        Ok(Self::new(series, Some(at), at, notes))
    }

    fn new(series: RecordedSeries, at: Option<i64>, or_at: i64, notes: Vec<String>) -> Self {
        let times = || series.iter().flat_map(|(_, samples)| samples.iter().map(|(at, _)| *at));
        let first = times().min().unwrap_or(or_at);
        let at = at.unwrap_or_else(|| times().max().unwrap_or(or_at));
        let samples = times().count();
        Self { series, at, first, samples, notes }
    }
}

/// A time for a person: since the first value for written series, a date otherwise.
pub(super) fn show_time(millis: i64) -> String {
    if (0..YEAR_MILLIS).contains(&millis) {
        return format_duration(millis);
    }
    let time = DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC);
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// The samples of a page, which may have many of one series.
#[derive(Debug, Default)]
struct Page {
    series: Vec<Labels>,
    samples: Vec<PageSample>,
}

#[derive(Debug)]
struct PageSample {
    series: usize,
    at: Option<i64>,
    value: f64,
}

impl Page {
    /// Adds what a scrape adds: labels, over those of the page, and the series `up`. Says so if that is missing.
    fn scraped(&mut self, labels: &[(String, String)]) -> Vec<String> {
        let is_up = |series: &Labels| series.get(Labels::NAME) == Some("up");
        let is_saved =
            self.samples.iter().any(|sample| sample.at.is_none()) && !self.series.iter().any(is_up);
        if is_saved && labels.is_empty() {
            return vec![
                "the page has not the labels and the series up that a scrape adds: give them by \
                 --label job=JOB --label instance=HOST:PORT"
                    .to_owned(),
            ];
        }
        if is_saved {
            self.samples.push(PageSample { series: self.series.len(), at: None, value: 1.0 });
            self.series.push(Labels::metric("up"));
        }
        for series in &mut self.series {
            for (name, value) in labels {
                *series = series.clone().with(name, value);
            }
        }
        Vec::new()
    }

    fn read(path: &Path, text: &str) -> Result<Self> {
        let format = if text.trim_end().ends_with("# EOF") { Format::OpenMetrics } else { Format::Text };
        let mut page = Self::default();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut reader = LabelReader::new();
        let mut entries =
            Entries::new(text, format, &limits()).map_err(|error| of_page_error(path, &error))?;
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|error| of_line(path, text, format, entries.line(), &error))?;
            let Entry::Sample(sample) = entry else { continue };
            let place = match places.get(sample.series.text()) {
                Some(place) => *place,
                None => {
                    let labels = reader.read(&sample.series).map_err(|error| of_page_error(path, &error))?;
                    page.series.push(labels);
                    places.insert(sample.series.text(), page.series.len() - 1);
                    page.series.len() - 1
                }
            };
            page.samples.push(PageSample { series: place, at: sample.timestamp_ms, value: sample.value });
        }
        Ok(page)
    }
}

fn limits() -> Limits {
    let bytes_max = usize::try_from(FILE_BYTES_MAX).unwrap_or(usize::MAX);
    Limits::default().with_bytes_max(bytes_max).with_samples_max(SAMPLES_MAX)
}

/// What to do about a line that is none of a page.
fn remedy(line: &str, format: Format) -> &'static str {
    match format {
        _ if line.starts_with("{__name__=") => "dump the blocks by `promtool tsdb dump-openmetrics`",
        // Two values may as well be one with a time.
        _ if parse_series(line).is_ok_and(|(_, values)| values.len() > 2) => {
            "give --interval, such as --interval 1m: the line is a series as unit tests have them"
        }
        Format::OpenMetrics => {
            "write NAME{LABELS} VALUE [SECONDS], as OpenMetrics has it, which ends with # EOF"
        }
        _ => {
            "write NAME{LABELS} VALUE [MILLISECONDS]; times in seconds need # EOF as the last line (OpenMetrics)"
        }
    }
}

/// An error of the page's `number`th line. The reader's own remedy is for exporters.
fn of_line(path: &Path, text: &str, format: Format, number: usize, error: &Error) -> Error {
    if error.kind() == ErrorKind::ResourceExhausted {
        return of_page_error(path, error);
    }
    let line = text.lines().nth(number.saturating_sub(1)).unwrap_or_default();
    let said = error.to_string();
    let said = error.remedy().and_then(|remedy| said.strip_suffix(remedy)).unwrap_or(&said);
    let said = said.split_once(&format!("line {number}: ")).map_or(said, |(_, said)| said);
    Error::new(error.kind(), "read series", said.trim_end_matches("; "))
        .with_target(format!("{}:{number}", path.display()))
        .with_remedy(remedy(line, format))
}

fn of_page_error(path: &Path, error: &Error) -> Error {
    Error::new(error.kind(), "read series", error.full()).with_target(path.display().to_string())
}

fn too_many(path: &Path) -> Error {
    let what = format!("there are more than {SAMPLES_MAX} samples");
    Error::new(ErrorKind::ResourceExhausted, "read series", what)
        .with_target(path.display().to_string())
        .with_remedy("leave out series that no rule reads")
}

fn malformed(path: &Path, position: Position, what: &str, remedy: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, "read series", what)
        .with_target(format!("{}:{position}", path.display()))
        .with_remedy(remedy.into())
}
