//! Where samples come from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use alfred_ops_alerts::promql::parse_duration;
use alfred_ops_core::{Error, ErrorKind, Labels, Result, Secret};
use chrono::{DateTime, Utc};
use clap::Args;

/// A file of series, and how it is looked at.
#[derive(Debug, Args)]
pub(in crate::opsctl) struct SeriesArguments {
    /// The series: a saved /metrics page or a dump; with --interval, series as unit tests have them.
    ///
    /// A dump has timestamps: `promtool tsdb dump-openmetrics` writes one. Unit tests have lines such as
    /// `up{job="a"} 1 1 0x10`.
    #[arg(long = "series", value_name = "FILE")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) reading: ReadingArguments,
}

/// A file of series or a server, and how it is looked at.
#[derive(Debug, Args)]
pub(in crate::opsctl) struct SourceArguments {
    #[command(flatten)]
    pub(super) place: SourcePlace,
    #[command(flatten)]
    pub(super) reading: ReadingArguments,
    #[command(flatten)]
    pub(super) server: ServerArguments,
}

/// One of the two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(in crate::opsctl) struct SourcePlace {
    /// The series: a saved /metrics page or a dump; with --interval, series as unit tests have them.
    ///
    /// A dump has timestamps: `promtool tsdb dump-openmetrics` writes one. Unit tests have lines such as
    /// `up{job="a"} 1 1 0x10`.
    #[arg(long = "series", value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// A server with Prometheus' HTTP API, such as http://prometheus:9090: Prometheus, Thanos, Mimir, VictoriaMetrics.
    ///
    /// It is what comes before /api/v1. A name and a password in it are used and shown nowhere.
    #[arg(long, value_name = "URL", conflicts_with_all = ["label", "interval"])]
    pub(super) url: Option<Secret>,
}

impl SourcePlace {
    /// The file of series.
    ///
    /// # Errors
    /// `InvalidInput` if a server was named instead.
    pub(super) fn file(&self) -> Result<&Path> {
        self.file.as_deref().ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "read series", "no file was named")
                .with_remedy("give --series FILE")
        })
    }
}

/// As of when samples are looked at, and what the lines of a file mean.
#[derive(Debug, Args)]
pub(in crate::opsctl) struct ReadingArguments {
    /// As of when: a time such as 2026-11-24T02:00:00Z, seconds since 1970, or with --interval a duration.
    ///
    /// The duration, such as 10m, counts from the first value. Without this option it is the time of the last sample;
    /// for a page without timestamps and a server, now.
    #[arg(long, value_parser = moment)]
    pub(super) time: Option<DateTime<Utc>>,
    /// A label that the scrape adds to every series of a saved page: job=agents, instance=bot:8011. May be repeated.
    ///
    /// With labels the page also gets the series `up`, which no exporter writes but every scrape makes.
    #[arg(long, value_name = "NAME=VALUE", value_parser = label, conflicts_with = "interval")]
    pub(super) label: Vec<(String, String)>,
    /// The file holds series as unit tests have them, with values this far apart, such as 1m.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) interval: Option<Duration>,
}

/// How a server is asked.
#[derive(Debug, Args)]
pub(in crate::opsctl) struct ServerArguments {
    /// A header of every question to --url, such as 'X-Scope-OrgID: team-a'. May be repeated.
    #[arg(long, value_name = "NAME: VALUE", conflicts_with = "file")]
    pub(super) header: Vec<Secret>,
    /// A file with the token that --url is asked with.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub(super) bearer_file: Option<PathBuf>,
    /// How long --url may take for one question; 30s if not given.
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "file")]
    pub(super) timeout: Option<Duration>,
}

fn label(text: &str) -> std::result::Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is not NAME=VALUE, such as job=agents")?;
    if name.is_empty() || name == Labels::NAME {
        return Err(format!(
            "{name:?} cannot be the label of a scrape: write job=agents or instance=bot:8011"
        ));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// A duration above zero.
pub(in crate::opsctl) fn duration(text: &str) -> std::result::Result<Duration, String> {
    let millis =
        parse_duration(text).and_then(|millis| u64::try_from(millis).ok()).filter(|millis| *millis > 0);
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| "it is no duration above zero, such as 30s or 1m".to_owned())
}

fn moment(text: &str) -> std::result::Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc());
    }
    let millis = parse_duration(text).or_else(|| seconds(text));
    millis.and_then(DateTime::from_timestamp_millis).ok_or_else(|| {
        "it is neither a time (2026-11-24T02:00:00Z), nor seconds since 1970, nor a duration (10m)".to_owned()
    })
}

/// Seconds since 1970, with up to three digits behind the point, in milliseconds.
fn seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<3}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, millis: Option<i64>) {
        assert_eq!(moment(text).ok().map(|time| time.timestamp_millis()), millis, "{text}");
    }

    #[test]
    fn moments_are_read_in_three_ways() {
        check("1970-01-01T00:01:00Z", Some(60_000));
        check("1970-01-01T01:01:00+01:00", Some(60_000));
        check("1h30m", Some(5_400_000));
        check("0", Some(0));
        check("90", Some(90_000));
        check("1700000000.25", Some(1_700_000_000_250));
        for wrong in ["", "yesterday", "-5", "1.2345", "1e3", "99999999999999999999", "9999999999999999"] {
            check(wrong, None);
        }
    }

    #[test]
    fn a_label_has_a_name() {
        assert_eq!(label("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        for wrong in ["a", "=b", "__name__=up"] {
            assert!(label(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_duration_is_above_zero() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        for wrong in ["0", "0s", "-1m", "5", "soon"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
