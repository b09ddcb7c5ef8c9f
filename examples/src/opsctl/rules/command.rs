//! What can be asked of rules.

use std::path::PathBuf;
use std::time::Duration;

use alfred_ops_alerts::promql::parse_duration;
use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(in crate::opsctl) enum RulesCommand {
    /// Read rule files and print all that is wrong with them.
    ///
    /// Every expression and template is read as well. Each mistake comes with its file, line, column and what to write
    /// instead. The status is 1 if there is one; warnings change nothing.
    Check {
        /// Rule files, as Prometheus reads them.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Run unit tests of rules.
    ///
    /// The files are those of `promtool test rules`, unchanged. The status is 1 if a test fails or a file cannot be
    /// read.
    Test {
        /// Test files; they name the rule files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Answer a query on series of a file.
    ///
    /// A query that comes to nothing is followed to the part that does.
    Query {
        /// The query, in PromQL.
        expr: String,
        #[command(flatten)]
        series: SeriesArguments,
    },
    /// Play series through a rule file and explain what each rule comes to.
    ///
    /// For each rule it says which samples and alerts there are and why, or why there are none, and which alerts came
    /// and went before. The status is 1 if a rule cannot be evaluated.
    Eval {
        /// A rule file.
        #[arg(value_name = "FILE")]
        rules: PathBuf,
        #[command(flatten)]
        series: SeriesArguments,
        /// How often groups are evaluated that name no interval.
        #[arg(long, default_value = "1m", value_name = "DURATION", value_parser = duration)]
        every: Duration,
    },
    /// Say for each rule whether it can ever fire, why not, and what to write instead.
    ///
    /// The status is 1 if a rule cannot fire with series like these.
    ///
    /// The series should be what the targets export when all is well: some hours of a dump, or a saved page. A page
    /// without timestamps stands for twenty quiet minutes in which every value stayed as it is.
    Doctor {
        /// Rule files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        series: SeriesArguments,
        /// How often groups are evaluated that name no interval.
        #[arg(long, default_value = "1m", value_name = "DURATION", value_parser = duration)]
        every: Duration,
    },
}

/// Where series come from, and as of when they are looked at.
#[derive(Debug, Args)]
pub(in crate::opsctl) struct SeriesArguments {
    /// The series: a saved /metrics page or a dump; with --interval, series as unit tests have them.
    ///
    /// A dump has timestamps: `promtool tsdb dump-openmetrics` writes one. Unit tests have lines such as
    /// `up{job="a"} 1 1 0x10`.
    #[arg(long = "series", value_name = "FILE")]
    pub(super) file: PathBuf,
    /// As of when: a time such as 2026-11-24T02:00:00Z, seconds since 1970, or with --interval a duration.
    ///
    /// The duration, such as 10m, counts from the first value. Without this option it is the time of the last sample;
    /// for a page without timestamps, now.
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

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is not NAME=VALUE, such as job=agents")?;
    if name.is_empty() || name == Labels::NAME {
        return Err(format!(
            "{name:?} cannot be the label of a scrape: write job=agents or instance=bot:8011"
        ));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn duration(text: &str) -> Result<Duration, String> {
    let millis =
        parse_duration(text).and_then(|millis| u64::try_from(millis).ok()).filter(|millis| *millis > 0);
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| "it is no duration above zero, such as 30s or 1m".to_owned())
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
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
