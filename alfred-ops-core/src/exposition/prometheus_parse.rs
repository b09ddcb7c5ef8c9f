//! Accepts what the `prometheus-parse` crate has parsed.

use ::prometheus_parse::{Sample as Parsed, Scrape, Value};

use super::{Family, Page, bound};
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
        let extra = extra.map(|(label, value)| (label.to_owned(), bound::written(value)));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exposition::{FamilyKind, Format, Limits, parse, render};

    /// Label values of the kind that crate reads rightly: no `=`, `,`, `}`, escape or blank.
    const TAME: &str = "[a-zA-Z0-9/._:-]{1,8}";

    prop_compose! {
        /// Series of the subset that crate reads rightly: tame labels, no colon in names, numbers of any size.
        fn tame_sample()(
            name in "[a-z][a-z0-9_]{0,8}",
            labels in prop::collection::btree_map("[a-z][a-z0-9_]{0,6}", TAME, 0..4),
            value in prop_oneof![-1e9..1e9_f64, prop::num::f64::ANY, Just(f64::INFINITY)],
            millis in 0..4_000_000_000_000_i64,
        ) -> Sample {
            let labels = Labels::from_pairs(labels).with(Labels::NAME, &name);
            let value = if value.is_nan() { 0.0 } else { value };
            Sample::new(labels, value).at(chrono::DateTime::from_timestamp_millis(millis).unwrap())
        }
    }

    prop_compose! {
        /// A family as client libraries write it, its series told apart by one label.
        fn tame_family()(
            kind in prop::sample::select(vec!["counter", "gauge", "histogram", "summary", "untyped"]),
            series in prop::collection::btree_map(TAME, prop::collection::vec(0_u32..1_000_000, 5), 1..4),
        ) -> String {
            let mut text = format!("# HELP {kind}s Some {kind}\n# TYPE {kind}s {kind}\n");
            for (job, v) in series {
                text += &match kind {
                    "histogram" => format!(
                        "histograms_bucket{{job=\"{job}\",le=\"0.5\"}} {}\nhistograms_bucket{{job=\"{job}\",le=\"2.5\"}} {}\n\
                         histograms_bucket{{job=\"{job}\",le=\"+Inf\"}} {}\nhistograms_sum{{job=\"{job}\"}} {}\n\
                         histograms_count{{job=\"{job}\"}} {}\n",
                        v[0], v[1], v[2], v[3], v[4]
                    ),
                    "summary" => format!(
                        "summarys{{job=\"{job}\",quantile=\"0.5\"}} {}\nsummarys{{job=\"{job}\",quantile=\"0.9\"}} {}\n\
                         summarys_sum{{job=\"{job}\"}} {}\nsummarys_count{{job=\"{job}\"}} {}\n",
                        v[0], v[1], v[2], v[3]
                    ),
                    _ => format!("{kind}s{{job=\"{job}\"}} {}\n", v[0]),
                };
            }
            text
        }
    }

    fn theirs(text: &str) -> Page {
        let lines = text.lines().map(|line| Ok(line.to_owned()));
        Scrape::parse_at(lines, chrono::DateTime::UNIX_EPOCH).unwrap().into()
    }

    /// Series and values in an order of their own: that crate brings together what it takes for one metric.
    fn values(page: Page) -> Vec<(Labels, u64)> {
        let mut values: Vec<_> =
            page.samples.into_iter().map(|sample| (sample.labels, sample.value.to_bits())).collect();
        values.sort();
        values
    }

    proptest! {
        #[test]
        fn both_read_the_tame_subset_alike(samples in prop::collection::vec(tame_sample(), 0..12)) {
            let mut seen = std::collections::HashSet::new();
            let samples = samples.into_iter().filter(|sample| seen.insert(sample.labels.clone())).collect();
            let text = render(&Page { samples, ..Page::default() }, Format::Text);
            prop_assert_eq!(theirs(&text).samples, parse(&text, &Limits::default()).unwrap().samples);
        }

        #[test]
        fn both_read_families_of_every_kind_alike(families in prop::collection::vec(tame_family(), 0..4)) {
            let mut seen = std::collections::HashSet::new();
            let text: String = families.into_iter().filter(|family| seen.insert(family.lines().next().unwrap().to_owned())).collect();
            let ours = parse(&text, &Limits::default()).unwrap();
            let (help, theirs) = (ours.families.iter().map(|family| family.help.clone()), theirs(&text));
            let their_help: std::collections::BTreeSet<_> = theirs.families.iter().map(|family| family.help.clone()).collect();
            prop_assert_eq!(help.collect::<std::collections::BTreeSet<_>>(), their_help);
            prop_assert_eq!(values(theirs), values(ours));
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
        for text in [
            "m{q=\"a,b\"} 1",
            "m{q=\"a=b\"} 1",
            "m{q=\"}\"} 1",
            "a:b 1",
            "m{} 1",
            "m{a=\"1\", b=\"2\"} 1",
            "m{a=\"\\\"\"} 1",
            "m{a=\"\\n\"} 1",
            "m{a=\"\\\\\"} 1",
            "{\"m.n\",a=\"1\"} 1",
            "m{\"a.b\"=\"1\"} 1",
        ] {
            let ours = parse(text, &Limits::default()).unwrap().samples[0].labels.clone();
            let theirs = theirs(text).samples.first().map(|sample| sample.labels.clone());
            assert_ne!(theirs, Some(ours), "{text}");
        }
    }

    #[test]
    fn what_they_let_pass_we_refuse() {
        for text in ["<html>", "m{a=\"1\"", "m", "m{a=1} 1", "m 1 2 3"] {
            assert!(parse(text, &Limits::default()).is_err(), "{text}");
            assert!(theirs(text).samples.len() < 2, "{text}");
        }
    }
}
