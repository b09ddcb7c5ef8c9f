//! Pages of metrics between ours and Prometheus' own Python client, in both directions and both formats.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use alfred_ops_core::Labels;
use alfred_ops_core::exposition::{Format, Limits, Page, render};
use alfred_ops_core::testing::Python;

/// The client that is compared with; a newer one is a decision.
const CLIENT: &str = "prometheus-client==0.26.0";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/check_exposition.py");
const FORMATS: [(Format, &str); 2] = [(Format::Text, "text"), (Format::OpenMetrics, "openmetrics")];

/// A sample: series, value and milliseconds as text, and its exemplar.
type Row = (Labels, String, Option<i64>, Option<(Labels, String)>);

/// What the script prints, in an order of its own.
fn theirs(printed: &str) -> Vec<Row> {
    type Printed = (String, Labels, String, Option<i64>, Option<(Labels, String)>);
    let printed: Vec<Printed> = serde_json::from_str(printed).unwrap();
    let number = |text: &str| format!("{:?}", text.parse::<f64>().unwrap());
    let mut rows: Vec<Row> = printed
        .into_iter()
        .map(|(name, labels, value, millis, exemplar)| {
            let exemplar = exemplar.map(|(labels, value)| (labels, number(&value)));
            (labels.with(Labels::NAME, &name), number(&value), millis, exemplar)
        })
        .collect();
    rows.sort();
    rows
}

/// The same of a page of ours, with exemplars where the format has them.
fn ours(page: &Page, format: Format) -> Vec<Row> {
    let exemplar = |index: usize| {
        let found = page.exemplars.iter().find(|exemplar| exemplar.sample == index);
        found.filter(|_| format == Format::OpenMetrics).map(|e| (e.labels.clone(), format!("{:?}", e.value)))
    };
    let row = |(index, sample): (usize, &alfred_ops_core::Sample)| {
        let millis = sample.timestamp.map(|time| time.timestamp_millis());
        (sample.labels.clone(), format!("{:?}", sample.value), millis, exemplar(index))
    };
    let mut rows: Vec<Row> = page.samples.iter().enumerate().map(row).collect();
    rows.sort();
    rows
}

#[test]
fn both_read_what_the_other_writes() {
    let python = Python::with(env!("CARGO_TARGET_TMPDIR"), &[CLIENT]);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let written = python.script(SCRIPT, &["write", &path("")]);
    let mut pages = Vec::new();
    for (format, name) in FORMATS {
        let bytes = std::fs::read(path(name)).unwrap();
        let page = Page::read_bytes(&bytes, format, &Limits::default()).unwrap();
        let mut expected = theirs(&written);
        if format == Format::Text {
            expected.iter_mut().for_each(|row| row.3 = None);
        }
        assert_eq!(ours(&page, format), expected, "{name}");
        assert!(page.families.iter().any(|family| family.help == "Says \"much\" \\ and\nmore"), "{name}");
        pages.push(page);
    }
    let timed = "# TYPE old_total counter\nold_total{a=\"b\"} 3 1395066363001\n# TYPE new gauge\nnew 1e-7 -1500\nnew{a=\"c\"} 2\nalone 4\n";
    pages.push(Page::read(timed, Format::Text, &Limits::default()).unwrap());
    for (page, (format, name)) in pages.iter().flat_map(|page| FORMATS.map(|format| (page, format))) {
        let file = path("ours");
        std::fs::write(&file, render(page, format)).unwrap();
        let read = python.script(SCRIPT, &["read", name, &file]);
        assert_eq!(theirs(&read), ours(page, format), "from {:?} to {name}", page.format);
    }
}
