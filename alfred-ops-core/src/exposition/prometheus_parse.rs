//! Accepts what the `prometheus-parse` crate has parsed.

use ::prometheus_parse::{Sample as Parsed, Scrape, Value};

use super::{Family, Page};
use crate::{Labels, Sample};

/// Takes over a page parsed by that crate, with what it has lost: labels with `=` or `,` in their values,
/// escapes, names with `:`. Read pages with [`parse`](super::parse) where the text is at hand.
///
/// Histograms and summaries become one sample per bucket and quantile again. That crate gives a sample
/// without a timestamp the time of its parsing, so all samples here carry one.
impl From<&Scrape> for Page {
    fn from(scrape: &Scrape) -> Self {
        let mut families: Vec<Family> = scrape
            .docs
            .iter()
            .map(|(name, help)| Family { name: name.clone(), help: help.clone(), ..Family::default() })
            .collect();
        families.sort_by(|left, right| left.name.cmp(&right.name));
        let samples = scrape.samples.iter().flat_map(convert).collect();
        Self { samples, families, ..Self::default() }
    }
}

impl From<Scrape> for Page {
    fn from(scrape: Scrape) -> Self {
        Self::from(&scrape)
    }
}

fn convert(parsed: &Parsed) -> Vec<Sample> {
    let labels = |name: &str, extra: Option<(&str, f64)>| {
        let extra = extra.map(|(label, bound)| (label.to_owned(), bound_text(bound)));
        let own = parsed.labels.iter().map(|(label, value)| (label.clone(), value.clone()));
        Labels::from_pairs(own.chain([(Labels::NAME.to_owned(), name.to_owned())]).chain(extra))
    };
    let one = |labels, value| Sample::new(labels, value).at(parsed.timestamp);
    match &parsed.value {
        Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => {
            vec![one(labels(&parsed.metric, None), *value)]
        }
        Value::Histogram(buckets) => {
            let name = format!("{}_bucket", parsed.metric);
            buckets.iter().map(|b| one(labels(&name, Some(("le", b.less_than))), b.count)).collect()
        }
        Value::Summary(quantiles) => quantiles
            .iter()
            .map(|q| one(labels(&parsed.metric, Some(("quantile", q.quantile))), q.count))
            .collect(),
    }
}

fn bound_text(bound: f64) -> String {
    if bound == f64::INFINITY { "+Inf".to_owned() } else { bound.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exposition::{FamilyKind, Format, Limits, parse, render};

    prop_compose! {
        /// Series of the subset that crate reads rightly: no `=`, `,`, `}`, escape or blank in values, no
        /// colon in names, at least one label (it cannot read `m{}`), finite short numbers.
        fn tame_sample()(
            name in "[a-z][a-z0-9_]{0,8}",
            labels in prop::collection::btree_map("[a-z][a-z0-9_]{0,6}", "[a-zA-Z0-9/._:-]{1,8}", 1..4),
            value in -1e9..1e9_f64,
            millis in 0..4_000_000_000_000_i64,
        ) -> Sample {
            let labels = Labels::from_pairs(labels).with(Labels::NAME, &name);
            Sample::new(labels, value).at(chrono::DateTime::from_timestamp_millis(millis).unwrap())
        }
    }

    fn theirs(text: &str) -> Page {
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        Scrape::parse_at(lines, chrono::DateTime::UNIX_EPOCH).unwrap().into()
    }

    proptest! {
        #[test]
        fn both_read_the_tame_subset_alike(samples in prop::collection::vec(tame_sample(), 0..12)) {
            let mut seen = std::collections::HashSet::new();
            let samples = samples.into_iter().filter(|sample| seen.insert(sample.labels.clone())).collect();
            let text = render(&Page { samples, ..Page::default() }, Format::Text);
            prop_assert_eq!(theirs(&text).samples, parse(&text, &Limits::default()).unwrap().samples);
        }
    }

    #[test]
    fn buckets_become_samples_again() {
        let text = "# TYPE d histogram\nd_bucket{job=\"a\",le=\"0.5\"} 1 0\nd_bucket{job=\"a\",le=\"+Inf\"} 2 0\n\
                    d_sum{job=\"a\"} 3 0\nd_count{job=\"a\"} 2 0\n";
        let ours = parse(text, &Limits::default()).unwrap();
        assert_eq!(ours.families[0].kind, FamilyKind::Histogram);
        let sorted = |page: Page| {
            let mut samples = page.samples;
            samples.sort_by(|left, right| left.labels.cmp(&right.labels));
            samples
        };
        assert_eq!(sorted(theirs(text)), sorted(ours));
    }

    #[test]
    fn their_losses_are_not_ours() {
        for text in ["m{q=\"a,b\"} 1", "m{q=\"a=b\"} 1", "m{q=\"}\"} 1", "a:b 1", "m{a=\"1\", b=\"2\"} 1"] {
            let ours = parse(text, &Limits::default()).unwrap().samples[0].labels.clone();
            let theirs = theirs(text).samples.first().map(|sample| sample.labels.clone());
            assert_ne!(theirs, Some(ours), "{text}");
        }
    }
}
