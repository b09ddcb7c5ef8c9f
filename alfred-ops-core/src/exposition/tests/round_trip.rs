//! Any page is read or refused, and what is written is read back.

use std::collections::HashSet;

use chrono::DateTime;
use proptest::prelude::*;

use super::super::{Exemplar, Family, FamilyKind, Format, Limits, Page, parse_bytes, render};
use crate::{Labels, Sample};

const FORMATS: [Format; 2] = [Format::Text, Format::OpenMetrics];

/// Bits, so that NaN equals NaN; all NaNs are one in these formats.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

type Timed = (u64, Option<i64>);
type Row = (Labels, Timed, Option<(Labels, Timed)>);

/// Samples with their exemplars, in an order of their own: writing brings those of a family together.
fn samples(page: &Page) -> Vec<Row> {
    let time = |time: Option<DateTime<chrono::Utc>>| time.map(|time| time.timestamp_millis());
    let exemplar = |index| page.exemplars.iter().find(|exemplar| exemplar.sample == index);
    let mut samples: Vec<_> = page
        .samples
        .iter()
        .enumerate()
        .map(|(index, sample)| {
            let example = exemplar(index).map(|e| (e.labels.clone(), (bits(e.value), time(e.timestamp))));
            (sample.labels.clone(), (bits(sample.value), time(sample.timestamp)), example)
        })
        .collect();
    samples.sort_by(|left, right| left.0.cmp(&right.0));
    samples
}

fn check(page: &Page) -> Result<(), TestCaseError> {
    let text = render(page, page.format);
    let back = Page::read(&text, page.format, &Limits::default()).unwrap();
    prop_assert_eq!(&back.families, &page.families, "{}", text);
    prop_assert_eq!(samples(&back), samples(page), "{}", text);
    prop_assert_eq!(render(&back, page.format), text);
    Ok(())
}

prop_compose! {
    fn any_sample()(
        name in "[a-z:_][a-z0-9:_]{0,8}|m(_total|_bucket|_created|_sum)?|\\PC{1,8}",
        labels in prop::collection::btree_map("[a-z_][a-z0-9_]{0,6}|\\PC{1,6}", "(\\PC|\n|\"|\\\\){0,8}", 0..5),
        value in prop::num::f64::ANY,
        millis in prop::option::of(-1_000_000_000_000_i64..4_000_000_000_000),
    ) -> Sample {
        let pairs = labels.into_iter().filter(|(label, _)| label != Labels::NAME);
        let labels = Labels::from_pairs(pairs.chain([(Labels::NAME.to_owned(), name)]));
        Sample { labels, value, timestamp: millis.and_then(DateTime::from_timestamp_millis) }
    }
}

fn any_kind(format: Format) -> impl Strategy<Value = FamilyKind> {
    prop::sample::select(match format {
        Format::Text => {
            vec![FamilyKind::Counter, FamilyKind::Histogram, FamilyKind::Summary, FamilyKind::Untyped]
        }
        Format::OpenMetrics => vec![
            FamilyKind::Counter,
            FamilyKind::GaugeHistogram,
            FamilyKind::Info,
            FamilyKind::StateSet,
            FamilyKind::Untyped,
        ],
    })
}

fn any_page(format: Format) -> impl Strategy<Value = Page> {
    let family = (prop::option::of(any_kind(format)), "(\\PC|\n|\\\\|\"){0,12}", any::<bool>());
    let exemplars = prop::collection::vec(prop::option::of(any_sample()), 6);
    let samples = prop::collection::vec(any_sample(), 0..6);
    (samples, exemplars, prop::collection::btree_map("m|m_total|n_s|\\PC{1,5}", family, 0..3)).prop_map(
        move |(samples, exemplars, families)| {
            let mut seen = HashSet::new();
            let mut page = Page { format, ..Page::default() };
            page.samples = samples.into_iter().filter(|sample| seen.insert(sample.labels.clone())).collect();
            if format == Format::OpenMetrics {
                let of_sample = |(sample, exemplar): (usize, Option<Sample>)| {
                    let Sample { labels, value, timestamp } = exemplar?;
                    let labels = labels.without(|name| name == Labels::NAME);
                    Some(Exemplar { sample, labels, value, timestamp })
                };
                page.exemplars = exemplars
                    .into_iter()
                    .take(page.samples.len())
                    .enumerate()
                    .filter_map(of_sample)
                    .collect();
            }
            page.families = families
                .into_iter()
                .map(|(name, (kind, help, has_unit))| Family {
                    kind: kind.unwrap_or_default(),
                    help,
                    unit: if has_unit && format == Format::OpenMetrics && name == "n_s" {
                        "s".to_owned()
                    } else {
                        String::new()
                    },
                    name,
                })
                .collect();
            page
        },
    )
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(\\PC|[\n\t {}\"\\\\=,#0-9a-z]){0,120}") {
        for format in FORMATS {
            let _ = Page::read(&text, format, &Limits::default());
        }
    }

    #[test]
    fn any_near_page_is_read_or_refused(
        text in "(# (HELP|TYPE) [a-z\"]{0,3} ?(counter)?|[a-z:]{0,2} ?(\\{([a-z\"]{0,3}=?\"?(\\\\.|[^\"])?\"?,?){0,3}\\}?)? ?(1|NaN|-)? ?[0-9]{0,3}\n?){0,6}"
    ) {
        if let Ok(page) = Page::read(&text, Format::Text, &Limits::default()) {
            check(&page)?;
        }
    }

    #[test]
    fn any_near_page_of_open_metrics_is_read_or_refused(
        text in "((# (HELP|TYPE|UNIT) [a-z_]{0,3} (counter|info|stateset|a)?|[a-z:]{0,2}(\\{([a-z]{0,2}=\"(\\\\.|[^\"\n])?\",?){0,2}\\})?( (1|NaN|-|.5)){1,2}( # \\{(a=\"b\")?\\} 1 ?[0-9.]{0,3})?)\n){0,5}"
    ) {
        if let Ok(page) = Page::read(&format!("{text}# EOF\n"), Format::OpenMetrics, &Limits::default()) {
            check(&page)?;
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = parse_bytes(&bytes, &Limits::default());
        let _ = Page::read_bytes(&bytes, Format::OpenMetrics, &Limits::default());
    }

}

proptest! {
    // Pages are large to make.
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_written_is_read_back(page in any_page(Format::Text)) {
        check(&page)?;
    }

    #[test]
    fn what_is_written_in_open_metrics_is_read_back(page in any_page(Format::OpenMetrics)) {
        check(&page)?;
    }

    #[test]
    fn the_other_format_keeps_all_samples(
        page in prop::sample::select(FORMATS.to_vec()).prop_flat_map(any_page)
    ) {
        let other = if page.format == Format::Text { Format::OpenMetrics } else { Format::Text };
        let back = Page::read(&render(&page, other), other, &Limits::default()).unwrap();
        let without_exemplars = |page: &Page| samples(&Page { exemplars: Vec::new(), ..page.clone() });
        prop_assert_eq!(without_exemplars(&back), without_exemplars(&page));
    }
}

#[test]
fn families_go_by_the_rules_of_the_format_they_are_written_in() {
    let text = "up 1\n# TYPE a_total counter\n# HELP a_total Says \"A\".\na_total{x=\"1\"} 2 1500\n# TYPE b counter\nb 3\n\
                # TYPE c untyped\nc 1e+20\n# TYPE d histogram\nd_bucket{le=\"+Inf\"} 1\nd_sum 2\nd_count 1\n";
    let open_metrics = "up 1\n# TYPE a counter\n# HELP a Says \\\"A\\\".\na_total{x=\"1\"} 2 1.500\n# TYPE b unknown\nb 3\n\
                        # TYPE c unknown\nc 1e20\n# TYPE d histogram\nd_bucket{le=\"+Inf\"} 1\nd_sum 2\nd_count 1\n# EOF\n";
    let page = Page::read(text, Format::Text, &Limits::default()).unwrap();
    assert_eq!(render(&page, Format::OpenMetrics), open_metrics);

    let open_metrics = "# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 2 # {t=\"x\"} 1 0.250\na_seconds_created 5\n\
                        # TYPE b info\nb_info{v=\"1\"} 1\n# TYPE c gaugehistogram\nc_bucket{le=\"+Inf\"} 1\n# TYPE d stateset\nd{d=\"on\"} 1\n# EOF\n";
    let text = "a_seconds_created 5\n# TYPE a_seconds_total counter\na_seconds_total 2\n\
                # TYPE b_info gauge\nb_info{v=\"1\"} 1\n# TYPE c histogram\nc_bucket{le=\"+Inf\"} 1\n# TYPE d gauge\nd{d=\"on\"} 1\n";
    let page = Page::read(open_metrics, Format::OpenMetrics, &Limits::default()).unwrap();
    assert_eq!(render(&page, Format::OpenMetrics), open_metrics);
    assert_eq!(render(&page, Format::Text), text);
}
