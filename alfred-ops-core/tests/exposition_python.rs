//! Pages of metrics between ours and Prometheus' own Python client, in both directions and both formats.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use alfred_ops_core::Labels;
use alfred_ops_core::exposition::{Format, Limits, Page, render};

/// The client that is compared with; a newer one is a decision.
const CLIENT: &str = "prometheus-client==0.26.0";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/check_exposition.py");
const FORMATS: [(Format, &str); 2] = [(Format::Text, "text"), (Format::OpenMetrics, "openmetrics")];

/// Runs a command, which must succeed, and returns what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} failed: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// A virtual environment with the client, made once for each target folder.
fn python() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(CLIENT.replace("==", "-"));
    let (python, ready) = (home.join("bin/python"), home.join("ready"));
    if !ready.exists() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--no-input", CLIENT]));
        std::fs::write(ready, CLIENT).unwrap();
    }
    python
}

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
    let (python, folder) = (python(), tempfile::tempdir().unwrap());
    let written = run(Command::new(&python).arg(SCRIPT).arg("write").arg(folder.path()));
    let mut pages = Vec::new();
    for (format, name) in FORMATS {
        let bytes = std::fs::read(folder.path().join(name)).unwrap();
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
        let file = folder.path().join("ours");
        std::fs::write(&file, render(page, format)).unwrap();
        let read = run(Command::new(&python).arg(SCRIPT).args(["read", name]).arg(&file));
        assert_eq!(theirs(&read), ours(page, format), "from {:?} to {name}", page.format);
    }
}
