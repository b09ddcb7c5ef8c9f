//! How fast pages of metrics are read, beside prometheus-parse on the same page.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use alfred_ops_core::exposition::{Entries, Entry, Format, Limits, Page};
use alfred_ops_core::{Clock as _, Error, ErrorKind, Result, SystemClock};
use prometheus_parse::Scrape;

use crate::cluster::Figures;

/// Samples of the page, which makes it 1 MB.
const SAMPLES: usize = 9_200;
/// Each reader has so many turns; its best counts, since whatever else the machine does only slows it down.
const TURNS: usize = 15;

/// Reads one page of 1 MB with both.
///
/// Ours goes over all entries with their values, as a scrape does whose series are known. Theirs has no such form:
/// it makes a map of labels for every sample. `page_mb_per_s` is ours with all labels decoded.
pub(crate) fn measure(quick: bool) -> Result<Figures> {
    let (text, open_metrics) = pages();
    let repeats = if quick { 10 } else { 100 };
    let clock = SystemClock::new();
    let time = |read: &dyn Fn() -> Result<usize>, repeats: usize| -> Result<Duration> {
        let begun = clock.monotonic();
        for _ in 0..repeats {
            let samples = read()?;
            if samples != SAMPLES {
                return Err(failed(&format!("{samples} samples were read instead of {SAMPLES}")));
            }
        }
        Ok((clock.monotonic() - begun) / u32::try_from(repeats).unwrap_or(u32::MAX))
    };
    let limits = Limits::default();
    let ours = || stream(&text, Format::Text, &limits);
    let ours_open_metrics = || stream(&open_metrics, Format::OpenMetrics, &limits);
    let whole = || Page::read(&text, Format::Text, &limits).map(|page| black_box(page).samples.len());
    let theirs = || peer(&text);
    let mut best = [Duration::MAX; 4];
    for _ in 0..TURNS {
        let turns: [(&dyn Fn() -> Result<usize>, usize); 4] = [
            (&ours, repeats),
            (&ours_open_metrics, repeats),
            (&whole, 1 + repeats / 10),
            (&theirs, 1 + repeats / 20),
        ];
        for (best, (read, repeats)) in best.iter_mut().zip(turns) {
            *best = (*best).min(time(read, repeats)?);
        }
    }
    let allocations = allocation_counter::measure(|| {
        black_box(ours().ok());
    });
    println!("{} bytes, {SAMPLES} samples; OpenMetrics {} bytes", text.len(), open_metrics.len());
    let speed = |page: &str, took: Duration| page.len() as f64 / 1e6 / took.as_secs_f64();
    let [ours, ours_open_metrics, whole, theirs] = best;
    Ok(vec![
        ("exposition.mb_per_s", speed(&text, ours)),
        ("exposition.vs_prometheus_parse", theirs.as_secs_f64() / ours.as_secs_f64()),
        ("exposition.allocations_per_sample", allocations.count_total as f64 / SAMPLES as f64),
        ("exposition.openmetrics_mb_per_s", speed(&open_metrics, ours_open_metrics)),
        ("exposition.page_mb_per_s", speed(&text, whole)),
        ("exposition.page_vs_prometheus_parse", theirs.as_secs_f64() / whole.as_secs_f64()),
        ("exposition.prometheus_parse_mb_per_s", speed(&text, theirs)),
    ])
}

/// How many samples a page has, once all of them have been looked at.
fn stream(page: &str, format: Format, limits: &Limits) -> Result<usize> {
    let mut samples = 0;
    for entry in Entries::new(page, format, limits)? {
        if let Entry::Sample(sample) = entry? {
            black_box((sample.series.text(), sample.value, sample.timestamp_ms));
            samples += 1;
        }
    }
    Ok(samples)
}

/// The same by prometheus-parse, which gathers buckets and quantiles in one sample: they are counted one by one.
fn peer(page: &str) -> Result<usize> {
    let scrape = Scrape::parse(page.lines().map(|line| Ok(line.to_owned())))
        .map_err(|error| failed("prometheus-parse failed").with_source(error))?;
    let count = |sample: &prometheus_parse::Sample| match &sample.value {
        prometheus_parse::Value::Histogram(buckets) => buckets.len(),
        prometheus_parse::Value::Summary(quantiles) => quantiles.len(),
        _ => 1,
    };
    Ok(black_box(scrape).samples.iter().map(count).sum())
}

/// One page in both formats, as the agents of the platform and the usual exporters write them: mostly counters and
/// histograms of HTTP requests, some gauges. All its labels are of the kind that prometheus-parse reads rightly.
fn pages() -> (String, String) {
    let (mut text, mut open_metrics) = (String::new(), String::new());
    let mut written = 0;
    let mut seed = 1_u64;
    for family in 0.. {
        let (name, kind, series) = match family % 3 {
            0 => (format!("http_requests_{family}"), "counter", 60),
            1 => (format!("http_request_duration_seconds_{family}"), "histogram", 240),
            _ => (format!("process_open_file_descriptors_{family}"), "gauge", 40),
        };
        let total = if kind == "counter" { "_total" } else { "" };
        let _ = write!(
            text,
            "# HELP {name}{total} What family {family} of the service counts.\n# TYPE {name}{total} {kind}\n"
        );
        let _ = write!(
            open_metrics,
            "# HELP {name} What family {family} of the service counts.\n# TYPE {name} {kind}\n"
        );
        for number in 0..series {
            if written == SAMPLES {
                open_metrics.push_str("# EOF\n");
                return (text, open_metrics);
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let request = if kind == "histogram" { number / BOUNDS.len() } else { number };
            let suffix = if kind == "histogram" { "_bucket" } else { total };
            let bucket = if kind == "histogram" {
                format!(",le=\"{}\"", BOUNDS[number % BOUNDS.len()])
            } else {
                String::new()
            };
            let value = if kind == "gauge" {
                format!("{:.3}", (seed >> 40) as f64 / 1e3)
            } else {
                (seed >> 44).to_string()
            };
            let line = format!(
                "{name}{suffix}{{agent=\"bot\",method=\"{}\",path=\"/api/v1/tasks/{}\",status=\"200\"{bucket}}} {value}\n",
                ["GET", "POST"][request % 2],
                request / 2,
            );
            text.push_str(&line);
            open_metrics.push_str(&line);
            written += 1;
        }
    }
    (text, open_metrics)
}

const BOUNDS: [&str; 12] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];

fn failed(fault: &str) -> Error {
    Error::new(ErrorKind::Internal, "measure exposition", fault)
}
