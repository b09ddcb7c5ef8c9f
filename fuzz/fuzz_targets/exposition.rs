//! Pages of metrics in both formats: never a panic, entries and whole pages agree, what is written reads back equal.

#![no_main]

use std::collections::HashSet;

use alfred_ops_core::exposition::{
    Entries, Entry, ExemplarEntry, Format, LabelReader, Limits, Page, page_text, render,
};
use alfred_ops_core::{Labels, Result};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let format = if first % 2 == 0 { Format::Text } else { Format::OpenMetrics };
    let limits = Limits::default().with_labels_max(8).with_label_bytes_max(64);
    let page = Page::read_bytes(bytes, format, &limits);
    let text = match page_text(bytes, format, &limits) {
        Ok(text) => text,
        Err(error) => return assert_eq!(page.unwrap_err().to_string(), error.to_string()),
    };
    match (page, stream(&text, format, &limits)) {
        (Ok(page), Ok(streamed)) => {
            assert_eq!(samples(&page), streamed);
            check_written(&page, &limits);
        }
        (Err(page), Err(streamed)) => assert_eq!(page.to_string(), streamed.to_string()),
        (page, streamed) => panic!("{page:?} and {streamed:?}"),
    }
});

type Timed = (u64, Option<i64>);
type Samples = Vec<(Labels, Timed, Option<(Labels, Timed)>)>;

/// The first sample of each series, sorted, with its exemplar.
fn stream(text: &str, format: Format, limits: &Limits) -> Result<Samples> {
    let (mut reader, mut seen, mut samples) = (LabelReader::new(), HashSet::new(), Vec::new());
    for entry in Entries::new(text, format, limits)? {
        if let Entry::Sample(sample) = entry? {
            assert!(text.contains(sample.series.text()));
            let labels = reader.read(&sample.series)?;
            assert_eq!(sample.series.labels()?, labels);
            let decoded =
                |e: ExemplarEntry<'_>| Some((e.labels.labels().ok()?, (e.value.to_bits(), e.timestamp_ms)));
            let exemplar = sample.exemplar.and_then(decoded);
            if seen.insert(labels.clone()) {
                samples.push((labels, (sample.value.to_bits(), sample.timestamp_ms), exemplar));
            }
        }
    }
    samples.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(samples)
}

/// The same of a whole page.
fn samples(page: &Page) -> Samples {
    let mut exemplars = page.exemplars.iter().peekable();
    let mut samples: Samples = page
        .samples
        .iter()
        .enumerate()
        .map(|(index, sample)| {
            let exemplar = exemplars.next_if(|exemplar| exemplar.sample == index);
            let exemplar = exemplar.map(|e| {
                (e.labels.clone(), (e.value.to_bits(), e.timestamp.map(|time| time.timestamp_millis())))
            });
            let time = sample.timestamp.map(|time| time.timestamp_millis());
            (sample.labels.clone(), (sample.value.to_bits(), time), exemplar)
        })
        .collect();
    samples.sort_by(|left, right| left.0.cmp(&right.0));
    samples
}

fn check_written(page: &Page, limits: &Limits) {
    let written = render(page, page.format);
    let back = Page::read(&written, page.format, limits).unwrap();
    assert_eq!(samples(&back), samples(page), "{written}");
    assert_eq!(back.families, page.families, "{written}");
    assert_eq!(render(&back, page.format), written);
    let other = if page.format == Format::Text { Format::OpenMetrics } else { Format::Text };
    let written = render(page, other);
    let back = Page::read(&written, other, limits).unwrap();
    let plain = |page: &Page| -> Vec<_> {
        samples(page).into_iter().map(|(labels, timed, _)| (labels, timed)).collect()
    };
    assert_eq!(plain(&back), plain(page), "{written}");
}
