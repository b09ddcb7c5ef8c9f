//! Selectors, ranges and subqueries by chance.

use crate::dataset::{JOBS, START};
use crate::era::Era;
use crate::expression::Generator;

const RANGES: [&str; 7] = ["30s", "1m", "90s", "2m", "5m", "10m", "1h"];
const STEPS: [&str; 6] = ["", "30s", "1m", "20s", "2m", "1m30s"];
/// The last one is for the newer era.
const OFFSETS: [&str; 7] = ["30s", "1m", "5m", "-1m", "-5m", "20m", "0s"];
const MATCHERS: [&str; 22] = [
    r#"job="api""#,
    r#"job!="api""#,
    r#"job=~"api|db""#,
    r#"job!~"a.*""#,
    r#"job=~".+""#,
    r#"job=~".*""#,
    r#"job=~"d?b""#,
    r#"job="""#,
    r#"job!="""#,
    r#"instance="h0:80""#,
    r#"instance!~"h0:.+""#,
    r#"instance=~"h[01]:80""#,
    r#"status=~"4..|5..""#,
    r#"status="200""#,
    r#"status!="200""#,
    r#"version=~"1\\.[01]""#,
    r#"case!="all""#,
    r#"le="+Inf""#,
    r#"missing="""#,
    r#"missing="x""#,
    r#"missing!~"x""#,
    r#"job=~"(?i:DB)""#,
];
/// Metrics; the first ones are chosen more often.
const METRICS: [&str; 16] = [
    "requests_total",
    "temperature",
    "requests_total",
    "temperature",
    "up",
    "steady",
    "odd",
    "quota",
    "lonely",
    "build_info",
    "latency_bucket",
    "latency_count",
    "latency_sum",
    "odd_bucket",
    "target_info",
    "absent_metric",
];
const NATIVE: [&str; 4] = ["native", "native_gauge", "native_custom", "mixed"];

impl Generator<'_> {
    pub(crate) fn metric(&self) -> &'static str {
        if self.era == Era::Three && self.chance.percent(15) {
            return self.chance.any(&NATIVE);
        }
        self.chance.any(&METRICS)
    }

    /// A selector without offset.
    fn series(&self) -> String {
        let matchers = if self.chance.percent(40) { self.chance.some(&MATCHERS, 6) } else { Vec::new() };
        if self.chance.percent(4) {
            let names = self.chance.any(&[
                r#"__name__=~"up|steady""#,
                r#"__name__="temperature""#,
                r#"__name__=~"late.*",le!="""#,
                r#"__name__!~"n.*|mixed|o.*",job="db""#,
            ]);
            let all: Vec<&str> = std::iter::once(names).chain(matchers).collect();
            return format!("{{{}}}", all.join(","));
        }
        let metric = self.metric();
        if matchers.is_empty() { metric.to_owned() } else { format!("{metric}{{{}}}", matchers.join(",")) }
    }

    fn offset(&self) -> &'static str {
        self.chance.any(if self.era == Era::Two { &OFFSETS[..6] } else { &OFFSETS })
    }

    /// `offset` and `@`, in either order; mostly nothing.
    fn shift(&self) -> String {
        let offset = self.chance.percent(15).then(|| format!(" offset {}", self.offset()));
        let at = self.chance.percent(10).then(|| match self.chance.below(4) {
            0 => " @ start()".to_owned(),
            1 => " @ end()".to_owned(),
            _ => format!(" @ {}", self.second()),
        });
        let (offset, at) = (offset.unwrap_or_default(), at.unwrap_or_default());
        if self.chance.percent(50) { offset + &at } else { at + &offset }
    }

    /// A time within the series; off the grid of subqueries in the older era.
    fn second(&self) -> String {
        let second = START / 1000 + i64::from(self.chance.below(960)) * 5;
        match self.era {
            Era::Two => format!("{second}.5"),
            Era::Three => format!("{second}"),
        }
    }

    pub(crate) fn selector(&self) -> String {
        format!("{}{}", self.series(), self.shift())
    }

    fn duration(&self) -> String {
        // Arithmetic is on trial in the newer era only.
        if self.era == Era::Three && self.chance.percent(4) {
            return self
                .chance
                .any(&["1m+30s", "2*1m", "5m-1m", "90", "2^3*10s", "(1h/6)", "1m*1.5", "7m%3m"])
                .to_owned();
        }
        self.chance.any(&RANGES).to_owned()
    }

    /// Something with a range.
    pub(crate) fn matrix(&self, depth: u32) -> String {
        // The older era's subqueries are closed on both sides, which shows as soon as one lies on the grid of another.
        let nested = self.era == Era::Three || !self.within_subquery.get();
        if depth > 0 && nested && self.chance.percent(25) {
            let before = self.within_subquery.replace(true);
            let of = self.vector(depth - 1);
            self.within_subquery.set(before);
            let range = self.chance.any(&RANGES[1..]);
            return format!("({of})[{range}:{}]{}", self.chance.any(&STEPS), self.shift());
        }
        format!("{}[{}]{}", self.series(), self.duration(), self.shift())
    }

    /// Whether rates of it are the same in this era, which must not take it for something that started at nothing within
    /// the range: see what is said of the dataset's counters and histograms.
    pub(crate) fn rates(&self, range: &str) -> bool {
        match self.era {
            Era::Two => ["requests", "latency"].iter().any(|name| range.starts_with(name)),
            Era::Three => !range.starts_with("native_gauge"),
        }
    }

    /// The same series on both sides of an operator, or parts of them.
    pub(crate) fn twin(&self) -> (String, String) {
        let metric = self.chance.any(&[
            "requests_total",
            "temperature",
            "up",
            "latency_bucket",
            "odd",
            "native",
            "steady",
        ]);
        let one = || {
            let job = if self.chance.percent(30) {
                format!("{{job!=\"{}\"}}", self.chance.any(&JOBS))
            } else {
                String::new()
            };
            match self.chance.below(4) {
                0 => format!("{metric}{job} offset {}", self.offset()),
                1 => {
                    let function = if self.rates(metric) { "rate" } else { "delta" };
                    format!("{function}({metric}{job}[{}])", self.chance.any(&RANGES))
                }
                2 => format!("max_over_time({metric}{job}[{}])", self.chance.any(&RANGES)),
                _ => format!("{metric}{job}"),
            }
        };
        (one(), one())
    }
}
