//! Carries commands out.

use std::collections::BTreeMap;
use std::time::Duration;

use alfred_ops_alerts::promql::notation::{Entry, parse_labels, parse_series, parse_values};
use alfred_ops_alerts::promql::{
    Annotations, Answer, Query, QueryOptions, RecordedSeries, SampleValue, Value, parse_duration,
};
use alfred_ops_core::Labels;
use alfred_ops_core::histogram::Histogram;
use regex::Regex;

use crate::compare::{floats_equal, show, values_equal};
use crate::script::Command;

type Series = BTreeMap<Labels, Vec<(i64, SampleValue)>>;
type Outcome = Result<(), String>;
/// A series and its points.
type Points = (Labels, Vec<(i64, SampleValue)>);

pub(crate) struct Runner {
    series: RecordedSeries,
    options: QueryOptions,
}

/// What a case says about its answer.
#[derive(Default)]
struct Expectations {
    fail: bool,
    warn: bool,
    info: bool,
    no_warn: bool,
    no_info: bool,
    ordered: bool,
    /// How a failure or an annotation reads.
    texts: Vec<(String, TextMatch)>,
    string: Option<String>,
    range: Option<(i64, i64, i64)>,
    lines: Vec<String>,
}

enum TextMatch {
    Exactly(String),
    Pattern(Regex),
}

impl TextMatch {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exactly(expected) => expected == text,
            Self::Pattern(pattern) => pattern.is_match(text),
        }
    }
}

impl Runner {
    pub(crate) fn new() -> Self {
        // As Prometheus' own runner: names are removed at the end, subqueries have a step of a minute.
        let options = QueryOptions::default()
            .with_delayed_name_removal(true)
            .with_subquery_step(Duration::from_secs(60));
        Self { series: RecordedSeries::new(), options }
    }

    /// Carries a command out; `None` if it is no case.
    pub(crate) fn run(&mut self, command: &Command) -> Option<Outcome> {
        let head = command.head();
        if head.starts_with("clear") {
            self.series = RecordedSeries::new();
            return None;
        }
        if head.starts_with("load") {
            return self.load(command).err().map(Err);
        }
        Some(self.eval(command))
    }

    fn load(&mut self, command: &Command) -> Outcome {
        let mut words = command.head().split_whitespace();
        let nhcb = words.next() == Some("load_with_nhcb");
        let step = words.next().and_then(parse_duration).ok_or("load has no step")?;
        let mut loaded: Vec<(Labels, Vec<Entry>)> = Vec::new();
        for line in command.body() {
            let (labels, entries) = parse_series(line).map_err(|error| format!("{line}: {error}"))?;
            // Of two lines for one series the last one counts.
            loaded.retain(|(known, _)| *known != labels);
            loaded.push((labels, entries));
        }
        for (labels, entries) in &loaded {
            self.series.push_entries(labels, 0, step, entries);
        }
        if nhcb {
            for (labels, entries) in custom_histograms(&loaded) {
                self.series.push_entries(&labels, 0, step, &entries);
            }
        }
        Ok(())
    }

    fn eval(&self, command: &Command) -> Outcome {
        let head = command.head();
        let (word, rest) = head.split_once(' ').ok_or("nothing to evaluate")?;
        let mut expectations = Expectations::read(word, command)?;
        let (when, rest) = rest.trim_start().split_once(' ').ok_or("neither instant nor range")?;
        let rest = rest.trim_start();
        let answer;
        let range;
        match when {
            "instant" => {
                let rest = rest.strip_prefix("at ").ok_or("instant without at")?.trim_start();
                let (at, expression) = rest.split_once(char::is_whitespace).ok_or("no expression")?;
                let at = time(at)?;
                range = (at, at, 60_000);
                answer = Query::parse(expression.trim())
                    .and_then(|query| query.instant(&self.series, at, &self.options));
            }
            "range" => {
                let words: Vec<&str> = rest.splitn(7, char::is_whitespace).collect();
                let ["from", from, "to", to, "step", step, expression] = words.as_slice() else {
                    return Err("range without from, to, step".to_owned());
                };
                range = (time(from)?, time(to)?, time(step)?);
                answer = Query::parse(expression.trim())
                    .and_then(|query| query.range(&self.series, range, &self.options));
            }
            other => return Err(format!("{other} is neither instant nor range")),
        }
        match answer {
            Err(error) if expectations.fail => {
                // Prometheus puts the place before what it cannot read.
                let place =
                    error.position().map(|place| format!("{place}: parse error: {}", error.message()));
                let told = place
                    .into_iter()
                    .find(|text| expectations.check_texts("fail", [text.as_str()].into_iter()).is_ok());
                expectations.check_texts("fail", [told.as_deref().unwrap_or(error.message())].into_iter())
            }
            Err(error) => Err(format!("failed: {error}")),
            Ok(_) if expectations.fail => Err("expected to fail".to_owned()),
            Ok(answer) => {
                expectations.check_annotations(&answer.annotations)?;
                let range = expectations.range.take().unwrap_or(range);
                expectations.check_value(&answer, range, when == "range")
            }
        }
    }
}

fn time(text: &str) -> Result<i64, String> {
    let (sign, magnitude) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let millis = parse_duration(magnitude).or_else(|| {
        let seconds: f64 = magnitude.parse().ok()?;
        #[expect(clippy::cast_possible_truncation, reason = "times of tests are small")]
        Some((seconds * 1000.0).round() as i64)
    });
    millis.map(|millis| sign * millis).ok_or_else(|| format!("{text} is not a time"))
}

impl Expectations {
    fn read(word: &str, command: &Command) -> Result<Self, String> {
        let mut expectations = Self {
            fail: word == "eval_fail",
            warn: word == "eval_warn",
            info: word == "eval_info",
            ordered: word == "eval_ordered",
            ..Self::default()
        };
        for line in command.body() {
            let line = line.trim();
            if let Some(rest) = line.strip_prefix("expected_fail_message ") {
                expectations.texts.push(("fail".to_owned(), TextMatch::Exactly(rest.trim().to_owned())));
                continue;
            }
            if let Some(rest) = line.strip_prefix("expected_fail_regexp ") {
                let pattern = Regex::new(rest.trim()).map_err(|error| error.to_string())?;
                expectations.texts.push(("fail".to_owned(), TextMatch::Pattern(pattern)));
                continue;
            }
            let Some(expected) = line.strip_prefix("expect ") else {
                expectations.lines.push(line.to_owned());
                continue;
            };
            let (kind, rest) = expected.trim().split_once(' ').unwrap_or((expected.trim(), ""));
            let rest = rest.trim();
            match kind {
                "fail" => expectations.fail = true,
                "warn" => expectations.warn = true,
                "info" => expectations.info = true,
                "no_warn" => expectations.no_warn = true,
                "no_info" => expectations.no_info = true,
                "ordered" => expectations.ordered = true,
                "string" => expectations.string = Some(unquoted(rest)?),
                "range" => {
                    let words: Vec<&str> = rest.split_whitespace().collect();
                    let ["vector", "from", from, "to", to, "step", step] = words.as_slice() else {
                        return Err(format!("{line} is not understood"));
                    };
                    expectations.range = Some((time(from)?, time(to)?, time(step)?));
                }
                _ => return Err(format!("{line} is not understood")),
            }
            if let Some(text) = rest.strip_prefix("msg:") {
                expectations.texts.push((kind.to_owned(), TextMatch::Exactly(text.trim().to_owned())));
            } else if let Some(text) = rest.strip_prefix("regex:") {
                let pattern = Regex::new(text.trim()).map_err(|error| error.to_string())?;
                expectations.texts.push((kind.to_owned(), TextMatch::Pattern(pattern)));
            }
        }
        Ok(expectations)
    }

    fn check_texts<'a>(&self, kind: &str, actual: impl Iterator<Item = &'a str>) -> Outcome {
        let expected: Vec<&TextMatch> =
            self.texts.iter().filter(|(own, _)| own == kind).map(|(_, text)| text).collect();
        for text in actual {
            if !expected.is_empty() && !expected.iter().any(|expected| expected.matches(text)) {
                return Err(format!("unexpected {kind}: {text}"));
            }
        }
        Ok(())
    }

    fn check_annotations(&self, annotations: &Annotations) -> Outcome {
        let shown = || format!("{annotations:?}");
        if self.warn && annotations.warnings().next().is_none() {
            return Err(format!("expected a warning: {}", shown()));
        }
        if self.info && annotations.infos().next().is_none() {
            return Err(format!("expected an info: {}", shown()));
        }
        if self.no_warn && annotations.warnings().next().is_some() {
            return Err(format!("expected no warning: {}", shown()));
        }
        if self.no_info && annotations.infos().next().is_some() {
            return Err(format!("expected no info: {}", shown()));
        }
        self.check_texts("warn", annotations.warnings())?;
        self.check_texts("info", annotations.infos())
    }

    fn check_value(&self, answer: &Answer, range: (i64, i64, i64), is_range: bool) -> Outcome {
        match &answer.value {
            Value::Text(text) => match &self.string {
                Some(expected) if expected == text => Ok(()),
                expected => Err(format!("expected {expected:?}, got {text:?}")),
            },
            Value::Scalar(scalar) => {
                let [line] = self.lines.as_slice() else {
                    return Err(format!("got the scalar {scalar}, which is not expected"));
                };
                let expected: f64 =
                    line.parse().map_err(|_| format!("got the scalar {scalar}, not {line}"))?;
                if floats_equal(expected, *scalar) {
                    Ok(())
                } else {
                    Err(format!("expected {expected}, got {scalar}"))
                }
            }
            Value::Vector(samples) => {
                let order: Vec<Labels> = samples.iter().map(|sample| sample.labels.clone()).collect();
                let actual: Series = samples
                    .iter()
                    .map(|sample| (sample.labels.clone(), vec![(range.0, sample.value.clone())]))
                    .collect();
                if actual.len() != samples.len() {
                    return Err("a series occurs twice".to_owned());
                }
                let expected = self.expected(range, false)?;
                if self.ordered {
                    let wanted: Vec<Labels> = expected.iter().map(|(labels, _)| labels.clone()).collect();
                    if wanted != order {
                        return Err(format!("expected the order {wanted:?}, got {order:?}"));
                    }
                }
                differ(expected.into_iter().collect(), actual)
            }
            Value::Matrix(series) => {
                let actual: Series =
                    series.iter().map(|series| (series.labels.clone(), series.points.clone())).collect();
                let expected = self.expected(range, is_range || self.range_given(range))?;
                differ(expected.into_iter().collect(), actual)
            }
        }
    }

    const fn range_given(&self, range: (i64, i64, i64)) -> bool {
        range.0 != range.1
    }

    /// The expected series, with their points at the steps of `range`.
    fn expected(&self, range: (i64, i64, i64), many: bool) -> Result<Vec<Points>, String> {
        let mut expected = Vec::new();
        for line in &self.lines {
            let bare = line.parse::<f64>().is_ok() || (many && parse_values(line).is_ok());
            let (labels, entries) = if bare {
                (Labels::empty(), parse_values(line).map_err(|error| error.to_string())?)
            } else {
                parse_series(line).map_err(|error| format!("{line}: {error}"))?
            };
            let mut points = Vec::new();
            let mut at = range.0;
            for entry in entries {
                if let Entry::Value(value) = entry {
                    points.push((at, value));
                }
                at += range.2;
            }
            if !points.is_empty() {
                expected.push((labels, points));
            }
        }
        Ok(expected)
    }
}

fn differ(expected: Series, actual: Series) -> Outcome {
    let same_points = |left: &[(i64, SampleValue)], right: &[(i64, SampleValue)]| {
        left.len() == right.len()
            && left
                .iter()
                .zip(right)
                .all(|(left, right)| left.0 == right.0 && values_equal(&left.1, &right.1))
    };
    let same = expected.len() == actual.len()
        && expected
            .iter()
            .all(|(labels, points)| actual.get(labels).is_some_and(|own| same_points(points, own)));
    if same {
        return Ok(());
    }
    Err(format!("expected\n        {}\n    got\n        {}", show(&expected), show(&actual)))
}

fn unquoted(text: &str) -> Result<String, String> {
    let labels = parse_labels(&format!("{{s={text}}}")).map_err(|error| error.to_string())?;
    Ok(labels.get("s").unwrap_or_default().to_owned())
}

/// The histograms with custom bounds that classic ones among `loaded` amount to.
fn custom_histograms(loaded: &[(Labels, Vec<Entry>)]) -> Vec<(Labels, Vec<Entry>)> {
    #[derive(Default)]
    struct Classic {
        buckets: Vec<(f64, Vec<Entry>)>,
        count: Option<Vec<Entry>>,
        sum: Option<Vec<Entry>>,
    }
    let mut groups: BTreeMap<Labels, Classic> = BTreeMap::new();
    for (labels, entries) in loaded {
        let name = labels.name().unwrap_or_default();
        let base = |suffix: &str| name.strip_suffix(suffix).map(|base| labels.with(Labels::NAME, base));
        if let (Some(key), Some(bound)) = (base("_bucket"), labels.get("le")) {
            let group = groups.entry(key.with("le", "")).or_default();
            if let Ok(bound) = bound.parse::<f64>() {
                group.buckets.push((bound, entries.clone()));
            }
        } else if let Some(key) = base("_count") {
            groups.entry(key).or_default().count = Some(entries.clone());
        } else if let Some(key) = base("_sum") {
            groups.entry(key).or_default().sum = Some(entries.clone());
        }
    }
    let float = |entries: &[Entry], index: usize| match entries.get(index) {
        Some(Entry::Value(value)) => value.float(),
        _ => None,
    };
    let mut histograms = Vec::new();
    for (labels, mut group) in groups {
        if group.buckets.is_empty() {
            continue;
        }
        group.buckets.sort_by(|left, right| left.0.total_cmp(&right.0));
        let length = group.buckets.iter().map(|(_, entries)| entries.len()).max().unwrap_or(0);
        let entries = (0..length).map(|index| {
            let mut buckets: Vec<(f64, f64)> = Vec::new();
            for (bound, entries) in &group.buckets {
                let Some(count) = float(entries, index) else { continue };
                match buckets.last_mut() {
                    Some(last) if last.0 == *bound => last.1 = count,
                    _ => buckets.push((*bound, count)),
                }
            }
            let Some(last) = buckets.last().copied() else { return Entry::Missing };
            let count = group.count.as_ref().and_then(|entries| float(entries, index)).unwrap_or(last.1);
            let bounds: Vec<f64> =
                buckets.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite()).collect();
            let mut histogram = Histogram::custom(bounds);
            histogram.count = count;
            histogram.sum = group.sum.as_ref().and_then(|entries| float(entries, index)).unwrap_or(0.0);
            let mut before = 0.0;
            let cumulated =
                buckets.iter().filter(|(bound, _)| bound.is_finite()).map(|(_, count)| *count).chain([count]);
            for (place, cumulated) in (0..).zip(cumulated) {
                histogram.positive.push((place, cumulated - before));
                before = cumulated;
            }
            histogram.compact();
            Entry::Value(histogram.into())
        });
        histograms.push((labels, entries.collect()));
    }
    histograms
}
