//! Expressions by chance, of right types by construction.

use std::cell::Cell;

use crate::chance::Chance;
use crate::era::Era;

/// So deep are functions and operators within one another.
const DEPTH: u32 = 4;
pub(crate) const LABELS: [&str; 5] = ["job", "instance", "status", "le", "version"];
pub(crate) const PHIS: [&str; 9] = ["0.5", "0.9", "0", "1", "-1", "2", "0.99", "NaN", "0.25"];

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
                Expression {
                    text: format!("{function}({})", self.vector(depth - 1)),
                    shape: Shape::SortedByValue,
                }
            }
            14..16 if self.era == Era::Three => self.sorted_by_labels(),
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

    /// Series that all have the labels by which they are sorted: how a missing one compares 3.5 does not know.
    fn sorted_by_labels(&self) -> Expression {
        let function = self.chance.any(&["sort_by_label", "sort_by_label_desc"]);
        let (metric, labels): (_, &[&str]) = self.chance.any(&[
            ("requests_total", ["job", "instance", "status"].as_slice()),
            ("temperature", &["instance", "job"]),
            ("latency_bucket", &["le", "job", "instance"]),
        ]);
        let labels: String =
            self.chance.some(labels, 40).iter().map(|label| format!(", \"{label}\"")).collect();
        Expression { text: format!("{function}({metric}{labels})"), shape: Shape::SortedByLabel }
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
            // Not of what loses its name at some steps only: there the server looks for equal series over all steps at once.
            96 => format!("-({})", self.selector()),
            97 => format!("({})", self.vector(depth - 1)),
            98 => format!("vector({})", self.scalar(depth - 1)),
            _ => self.chosen(),
        }
    }

    /// A selection within an expression: of series of which no two are equal.
    fn chosen(&self) -> String {
        match self.chance.below(3) {
            0 if self.era == Era::Three => {
                let ratio = self.chance.any(&["1", "0", "-1", "2", "0.5", "-0.3", "0.8"]);
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
                _ => self
                    .chance
                    .any(&[
                        "0", "1", "2", "-1", "0.5", "10", "Inf", "-Inf", "NaN", "1e3", "0x1f", "3.25", "100",
                    ])
                    .to_owned(),
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
                let depth = if op == "%" { 0 } else { depth - 1 };
                format!("({} {op} {})", self.scalar(depth), self.scalar(depth))
            }
        }
    }

    fn over_range(&self, depth: u32) -> String {
        const PLAIN: [&str; 22] = [
            "rate",
            "increase",
            "rate",
            "increase",
            "delta",
            "idelta",
            "irate",
            "deriv",
            "changes",
            "resets",
            "avg_over_time",
            "sum_over_time",
            "min_over_time",
            "max_over_time",
            "count_over_time",
            "last_over_time",
            "present_over_time",
            "stddev_over_time",
            "stdvar_over_time",
            "rate",
            "increase",
            "max_over_time",
        ];
        const NEW: [&str; 3] = ["ts_of_max_over_time", "ts_of_min_over_time", "ts_of_last_over_time"];
        let matrix = self.matrix(depth - 1);
        match self.chance.below(20) {
            0 | 1 => format!("quantile_over_time({}, {matrix})", self.parameter(&PHIS)),
            // The older era takes what a step-invariant range says of one step for all.
            2 if self.era == Era::Three || !matrix.contains('@') => {
                format!("predict_linear({matrix}, {})", self.parameter(&["60", "-60", "3600", "0", "0.5"]))
            }
            3 => {
                let factors = ["0.1", "0.5", "0.9", "0.01"];
                let (smooth, trend) = (self.chance.any(&factors), self.chance.any(&factors));
                format!("double_exponential_smoothing({matrix}, {smooth}, {trend})")
            }
            // Later versions than 3.5 and we take NaN within the range for the answer.
            4 if self.era == Era::Three && !matrix.contains("odd") && !matrix.starts_with('(') => {
                format!("mad_over_time({matrix})")
            }
            5 if self.era == Era::Three => format!("({}({matrix}) - 1.7e9)", self.chance.any(&NEW)),
            // Rates of what may have started within the range: see the eras.
            _ if !self.rates(&matrix) => {
                format!("{}({matrix})", self.chance.any(&PLAIN[4..19]))
            }
            // A last digit that may differ counts as a change.
            _ if matrix.starts_with('(') && matrix.contains("std") => {
                format!("{}({matrix})", self.chance.any(&PLAIN[10..19]))
            }
            // Rates of histograms that start at nothing: see the dataset.
            _ if matrix.starts_with('(') && ["native", "mixed"].iter().any(|name| matrix.contains(name)) => {
                format!("{}({matrix})", self.chance.any(&PLAIN[4..19]))
            }
            _ => format!("{}({matrix})", self.chance.any(&PLAIN)),
        }
    }

    /// A number as written, rarely a scalar that is computed.
    pub(crate) fn parameter(&self, of: &[&'static str]) -> String {
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
            1 => {
                // The older era takes labels apart wrongly unless the new one is the last in the alphabet.
                let label =
                    if self.era == Era::Two { "zz" } else { self.chance.any(&["value", "job", "v_2"]) };
                format!("count_values{grouping}(\"{label}\", round(clamp({of}, -1e6, 1e6), 0.25))")
            }
            2 => format!("{}({of}){grouping}", self.chance.any(plain)),
            _ => format!("{}{grouping}({of})", self.chance.any(plain)),
        }
    }

    fn binary(&self, depth: u32) -> String {
        let arithmetic: &[&str] = match self.era {
            // There `atan2` keeps the metric's name.
            Era::Two => &["+", "-", "*", "/", "^"],
            Era::Three => &["+", "-", "*", "/", "^", "atan2"],
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
                // Not of what was computed: a last digit of a great number, which may differ, decides.
                let operator = if self.chance.percent(20) { "%".to_owned() } else { operator() };
                format!("{left} {operator} {right}")
            }
            4 => {
                let group = self.chance.any(&["group_left", "group_right"]);
                let extra = self.chance.any(&["", "()", "(version)", "(version, job)", "(missing)"]);
                let fact = self.chance.any(&["build_info", "target_info", "up", "temperature"]);
                let many = self.vector(depth - 1);
                let (left, right) =
                    if group == "group_left" { (many.as_str(), fact) } else { (fact, many.as_str()) };
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
                let (left, right) = if self.chance.percent(40) {
                    self.twin()
                } else {
                    (self.vector(depth - 1), self.vector(depth - 1))
                };
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
}
