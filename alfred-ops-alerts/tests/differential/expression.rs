//! Expressions by chance, of right types by construction.

use std::cell::Cell;

use crate::chance::Chance;
use crate::era::Era;

/// So deep are functions and operators within one another.
const DEPTH: u32 = 4;
pub(crate) const LABELS: [&str; 5] = ["job", "instance", "status", "le", "version"];
const PHIS: [&str; 9] = ["0.5", "0.9", "0", "1", "-1", "2", "0.99", "NaN", "0.25"];

/// How an answer is to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As a set of series.
    Plain,
    /// The values of an instant query are in order.
    SortedByValue,
    /// The labels of an instant query are in order.
    SortedByLabel,
    /// Some of the series: of equal ones any; their number counts, and their values where they say which.
    Chosen { by_value: bool },
}

/// An expression.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    pub(crate) text: String,
    pub(crate) shape: Shape,
}

/// Makes expressions.
#[derive(Debug)]
pub(crate) struct Generator<'a> {
    pub(crate) chance: &'a Chance,
    pub(crate) era: Era,
    pub(crate) within_subquery: Cell<bool>,
}

impl<'a> Generator<'a> {
    pub(crate) const fn new(chance: &'a Chance, era: Era) -> Self {
        Self { chance, era, within_subquery: Cell::new(false) }
    }

    pub(crate) fn expression(&self) -> Expression {
        let depth = 1 + self.chance.below(DEPTH);
        let plain = |text| Expression { text, shape: Shape::Plain };
        match self.chance.below(100) {
            0..3 => plain(self.mistake(depth)),
            3..6 => plain(self.matrix(depth)),
            6 => plain(self.chance.any(&["'text'", r#""a\tb\u00e9\"""#, "`raw\\n`"]).to_owned()),
            7..11 => plain(self.scalar(depth)),
            11..14 => {
                let function = self.chance.any(&["sort", "sort_desc"]);
                Expression { text: format!("{function}({})", self.vector(depth - 1)), shape: Shape::SortedByValue }
            }
            14..16 if self.era == Era::Three => {
                let function = self.chance.any(&["sort_by_label", "sort_by_label_desc"]);
                let labels: String = self.chance.some(&LABELS, 40).iter().map(|label| format!(", \"{label}\"")).collect();
                let text = format!("{function}({}{labels})", self.vector(depth - 1));
                Expression { text, shape: Shape::SortedByLabel }
            }
            16..20 => {
                let op = self.chance.any(&["topk", "bottomk"]);
                let count = self.chance.any(&["1", "2", "3", "0", "-1", "5", "1.5"]);
                let text = format!("{op}{}({count}, {})", self.grouping(), self.vector(depth - 1));
                Expression { text, shape: Shape::Chosen { by_value: true } }
            }
            20 if self.era == Era::Three => {
                let count = self.chance.any(&["1", "2", "3", "0", "-1"]);
                let text = format!("limitk{}({count}, {})", self.grouping(), self.vector(depth - 1));
                Expression { text, shape: Shape::Chosen { by_value: false } }
            }
            _ => plain(self.vector(depth)),
        }
    }

    /// An instant vector.
    pub(crate) fn vector(&self, depth: u32) -> String {
        if depth == 0 {
            return match self.chance.below(20) {
                0 => format!("vector({})", self.scalar(0)),
                _ => self.selector(),
            };
        }
        match self.chance.below(100) {
            0..8 => self.selector(),
            8..32 => self.over_range(depth),
            32..50 => self.aggregation(depth),
            50..70 => self.binary(depth),
            70..83 => self.function(depth),
            83..88 => self.histogram(depth),
            88..92 => self.relabelled(depth),
            92..95 => {
                let of = self.vector(depth - 1);
                // Within a range query 3.5 passes over an offset behind `@` there.
                if of.contains(" @ ") || self.chance.percent(40) {
                    return format!("absent({of})");
                }
                // Less than the whole of it, because of differences of great numbers only few digits are the same.
                format!("(timestamp({of}) - 1.7e9)")
            }
            95 => format!("absent_over_time({})", self.matrix(depth - 1)),
            96 => format!("-({})", self.vector(depth - 1)),
            97 => format!("({})", self.vector(depth - 1)),
            98 => format!("vector({})", self.scalar(depth - 1)),
            _ => self.chosen(),
        }
    }

    /// A selection within an expression: of series of which no two are equal.
    fn chosen(&self) -> String {
        match self.chance.below(3) {
            0 if self.era == Era::Three => {
                // Which series a true part is made of depends on how the server was built to hash labels.
                let ratio = self.chance.any(&["1", "0", "-1", "2"]);
                format!("limit_ratio({ratio}, temperature)")
            }
            1 => format!("topk{}(2, temperature)", self.grouping()),
            _ => format!("bottomk(3, temperature{{job!=\"{}\"}})", self.chance.any(&crate::dataset::JOBS)),
        }
    }

    pub(crate) fn scalar(&self, depth: u32) -> String {
        if depth == 0 || self.chance.percent(40) {
            return match self.chance.below(8) {
                0 => "time()".to_owned(),
                1 => "pi()".to_owned(),
                _ => self.chance.any(&["0", "1", "2", "-1", "0.5", "10", "Inf", "-Inf", "NaN", "1e3", "0x1f", "3.25", "100"]).to_owned(),
            };
        }
        match self.chance.below(5) {
            0 => format!("scalar({})", self.vector(depth - 1)),
            1 => format!("-{}", self.scalar(0)),
            2 => {
                let op = self.chance.any(&["==", "!=", "<", ">", "<=", ">="]);
                format!("({} {op} bool {})", self.scalar(depth - 1), self.scalar(depth - 1))
            }
            _ => {
                let op = self.chance.any(&["+", "-", "*", "/", "%", "^", "atan2"]);
                format!("({} {op} {})", self.scalar(depth - 1), self.scalar(depth - 1))
            }
        }
    }

    fn over_range(&self, depth: u32) -> String {
        const PLAIN: [&str; 22] = [
            "rate", "increase", "rate", "increase", "delta", "idelta", "irate", "deriv", "changes", "resets",
            "avg_over_time", "sum_over_time", "min_over_time", "max_over_time", "count_over_time", "last_over_time",
            "present_over_time", "stddev_over_time", "stdvar_over_time", "rate", "increase", "max_over_time",
        ];
        const NEW: [&str; 4] = ["mad_over_time", "ts_of_max_over_time", "ts_of_min_over_time", "ts_of_last_over_time"];
        let matrix = self.matrix(depth - 1);
        match self.chance.below(20) {
            0 | 1 => format!("quantile_over_time({}, {matrix})", self.parameter(&PHIS)),
            2 => format!("predict_linear({matrix}, {})", self.parameter(&["60", "-60", "3600", "0", "0.5"])),
            3 => {
                let factors = ["0.1", "0.5", "0.9", "0.01"];
                let (smooth, trend) = (self.chance.any(&factors), self.chance.any(&factors));
                format!("double_exponential_smoothing({matrix}, {smooth}, {trend})")
            }
            // Later versions than 3.5 and we take NaN within the range for the answer.
            4 if self.era == Era::Three && !matrix.contains("odd") => format!("({}({matrix}) % 1e5)", self.chance.any(&NEW)),
            // Rates of what may have started within the range: see the eras.
            _ if self.era == Era::Two && !["requests", "latency", "temp"].iter().any(|name| matrix.starts_with(name)) => {
                format!("{}({matrix})", self.chance.any(&PLAIN[4..19]))
            }
            // Rates of histograms that start at nothing: see the dataset.
            _ if matrix.starts_with('(') && ["native", "mixed"].iter().any(|name| matrix.contains(name)) => {
                format!("{}({matrix})", self.chance.any(&PLAIN[4..19]))
            }
            _ => format!("{}({matrix})", self.chance.any(&PLAIN)),
        }
    }

    /// A number as written, rarely a scalar that is computed.
    fn parameter(&self, of: &[&'static str]) -> String {
        if self.chance.percent(10) { self.scalar(1) } else { self.chance.any(of).to_owned() }
    }

    fn labels(&self) -> String {
        self.chance.some(&LABELS, 35).join(", ")
    }

    pub(crate) fn grouping(&self) -> String {
        match self.chance.below(3) {
            0 => String::new(),
            1 => format!(" by ({})", self.labels()),
            _ => format!(" without ({})", self.labels()),
        }
    }

    fn aggregation(&self, depth: u32) -> String {
        const PLAIN: [&str; 12] =
            ["sum", "avg", "min", "max", "count", "group", "sum", "sum", "avg", "count", "stddev", "stdvar"];
        // Of one NaN the older era takes the deviation for zero.
        let plain = if self.era == Era::Two { &PLAIN[..10] } else { &PLAIN };
        let of = self.vector(depth - 1);
        let grouping = self.grouping();
        match self.chance.below(12) {
            0 => format!("quantile{grouping}({}, {of})", self.parameter(&PHIS)),
            // Rounded, because numbers may differ by a last digit, and so may the bounds of histograms.
            1 => format!("count_values{grouping}(\"{}\", round({of}, 0.25))", self.chance.any(&["value", "job", "v_2"])),
            2 => format!("{}({of}){grouping}", self.chance.any(plain)),
            _ => format!("{}{grouping}({of})", self.chance.any(plain)),
        }
    }

    fn binary(&self, depth: u32) -> String {
        let arithmetic: &[&str] = match self.era {
            // There `atan2` keeps the metric's name.
            Era::Two => &["+", "-", "*", "/", "%", "^"],
            Era::Three => &["+", "-", "*", "/", "%", "^", "atan2"],
        };
        let comparison = ["==", "!=", "<", ">", "<=", ">="];
        let operator = || {
            if self.chance.percent(55) {
                return self.chance.any(arithmetic).to_owned();
            }
            let bool = if self.chance.percent(35) { " bool" } else { "" };
            format!("{}{bool}", self.chance.any(&comparison))
        };
        match self.chance.below(10) {
            0 => format!("({}) {} {}", self.vector(depth - 1), operator(), self.scalar(depth - 1)),
            1 => format!("{} {} ({})", self.scalar(depth - 1), operator(), self.vector(depth - 1)),
            2 | 3 => {
                let (left, right) = self.twin();
                format!("{left} {} {right}", operator())
            }
            4 => {
                let group = self.chance.any(&["group_left", "group_right"]);
                let extra = self.chance.any(&["", "()", "(version)", "(version, job)", "(missing)"]);
                let fact = self.chance.any(&["build_info", "target_info", "up", "temperature"]);
                let many = self.vector(depth - 1);
                let (left, right) = if group == "group_left" { (many.as_str(), fact) } else { (fact, many.as_str()) };
                format!("({left}) {} on (job, instance) {group} {extra} ({right})", operator())
            }
            5 => {
                let by = self.chance.any(&["job", "job, instance", "instance"]);
                let (one, other) = (self.vector(depth - 1), self.vector(depth - 1));
                let matching = self.chance.any(&["", "on (job)", "on (instance, job)", "ignoring (status)"]);
                format!("sum by ({by}) ({one}) {} {matching} avg by ({by}) ({other})", operator())
            }
            6 => {
                let many = self.vector(depth - 1);
                let one = self.vector(depth - 1);
                format!("({many}) {} on (job) group_left max by (job) ({one})", operator())
            }
            7 | 8 => {
                let op = self.chance.any(&["and", "or", "unless"]);
                let matching = match self.chance.below(3) {
                    0 => String::new(),
                    1 => format!("on ({})", self.labels()),
                    _ => format!("ignoring ({})", self.labels()),
                };
                let (left, right) =
                    if self.chance.percent(40) { self.twin() } else { (self.vector(depth - 1), self.vector(depth - 1)) };
                format!("({left}) {op} {matching} ({right})")
            }
            _ => {
                let matching = self.chance.any(&["on", "ignoring"]);
                let group = self.chance.any(&["", "", "group_left ()", "group_right ()", "group_left (job)"]);
                let (left, right) = (self.vector(depth - 1), self.vector(depth - 1));
                format!("({left}) {} {matching} ({}) {group} ({right})", operator(), self.labels())
            }
        }
    }

    fn function(&self, depth: u32) -> String {
        const PLAIN: [&str; 20] = [
            "abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "asin", "acos", "atan",
            "tanh", "asinh", "acosh", "atanh", "deg", "rad", "round", "abs",
        ];
        const DATES: [&str; 8] =
            ["day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"];
        const BOUNDS: [&str; 7] = ["0", "1", "50", "-5", "Inf", "-Inf", "NaN"];
        match self.chance.below(20) {
            0 => format!("{}()", self.chance.any(&DATES)),
            1 => format!("{}(clock)", self.chance.any(&DATES)),
            // Where they overflow depends on how they are computed.
            8 => format!("{}(clamp({}, -700, 700))", self.chance.any(&["sinh", "cosh"]), self.vector(depth - 1)),
            // Of great numbers the last digit, which may differ, decides.
            7 => {
                let function = self.chance.any(&["sin", "cos", "tan"]);
                format!("{function}(({}) > -1e5 < 1e5)", self.vector(depth - 1))
            }
            // What becomes of NaN and of what is beyond 64 bits depends on the server's machine.
            6 => format!("{}(({}) > -1e11 < 1e11)", self.chance.any(&DATES), self.vector(depth - 1)),
            2 => {
                let (least, most) = (self.parameter(&BOUNDS), self.parameter(&BOUNDS));
                format!("clamp({}, {least}, {most})", self.vector(depth - 1))
            }
            3 => format!("clamp_min({}, {})", self.vector(depth - 1), self.parameter(&BOUNDS)),
            4 => format!("clamp_max({}, {})", self.vector(depth - 1), self.parameter(&BOUNDS)),
            5 => {
                let nearest = ["1", "0.5", "10", "0", "-2", "0.1", "NaN"];
                format!("round({}, {})", self.vector(depth - 1), self.parameter(&nearest))
            }
            _ => format!("{}({})", self.chance.any(&PLAIN), self.vector(depth - 1)),
        }
    }

    fn histogram(&self, depth: u32) -> String {
        const PROPERTIES: [&str; 5] =
            ["histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar"];
        let of = match self.chance.below(8) {
            0 => self.vector(depth - 1),
            1 => "odd_bucket".to_owned(),
            2 => "sum by (le) (rate(latency_bucket[5m]))".to_owned(),
            3 => format!("sum by (le, {}) (latency_bucket)", self.chance.any(&["job", "instance"])),
            4 if self.era == Era::Three => "rate(native[5m])".to_owned(),
            5 if self.era == Era::Three => self.chance.any(&["native", "native_gauge", "native_custom"]).to_owned(),
            6 if self.era == Era::Three => "sum by (job) ({__name__=~\"native.*\"})".to_owned(),
            _ => format!("rate(latency_bucket[{}])", self.chance.any(&["1m", "5m", "10m"])),
        };
        if self.era == Era::Two {
            return format!("histogram_quantile({}, {of})", self.parameter(&PHIS));
        }
        match self.chance.below(10) {
            0 => {
                // 3.5 answers NaN where the lower limit is within the first one of listed buckets.
                let of = if of.contains("odd_bucket") { "latency_bucket".to_owned() } else { of };
                let low = if of.contains("native[") { self.parameter(&["0", "-1", "0.5", "-Inf"]) } else { "0.6".to_owned() };
                let high = self.parameter(&["1", "0.3", "Inf", "5"]);
                format!("histogram_fraction({low}, {high}, {of})")
            }
            // 3.5 leaves out the buckets there, and so does not see that they cannot be added up.
            1 | 2 if !of.contains("__name__") => format!("{}({of})", self.chance.any(&PROPERTIES)),
            _ => format!("histogram_quantile({}, {of})", self.parameter(&PHIS)),
        }
    }

    fn relabelled(&self, depth: u32) -> String {
        let of = self.vector(depth - 1);
        let target = self.chance.any(&["job", "fresh", "instance", "status"]);
        if self.chance.percent(35) {
            let sources = self.chance.any(&["", r#", "job""#, r#", "job", "instance""#, r#", "missing", "status""#]);
            return format!("label_join({of}, \"{target}\", \"{}\"{sources})", self.chance.any(&["-", "", "::"]));
        }
        let source = self.chance.any(&["job", "instance", "__name__", "missing", "le"]);
        let regex = self.chance.any(&["(.*)", "a(.)i|(d)b", "h(\\\\d):.*", "", "(?P<n>.+)_total", ".+", "x"]);
        let replacement = self.chance.any(&["$1", "${1}-x", "$n", "", "fixed", "$2$1", "$1x", "$$"]);
        format!("label_replace({of}, \"{target}\", \"{replacement}\", \"{source}\", \"{regex}\")")
    }
}
