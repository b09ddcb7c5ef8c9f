//! Functions of instant vectors by chance.

use crate::era::Era;
use crate::expression::{Generator, PHIS};

impl Generator<'_> {
    pub(crate) fn function(&self, depth: u32) -> String {
        const PLAIN: [&str; 20] = [
            "abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "asin", "acos", "atan",
            "tanh", "asinh", "acosh", "atanh", "deg", "rad", "round", "abs",
        ];
        const DATES: [&str; 8] = [
            "day_of_month",
            "day_of_week",
            "day_of_year",
            "days_in_month",
            "hour",
            "minute",
            "month",
            "year",
        ];
        const BOUNDS: [&str; 7] = ["0", "1", "50", "-5", "Inf", "-Inf", "NaN"];
        match self.chance.below(20) {
            0 => format!("{}()", self.chance.any(&DATES)),
            1 => format!("{}(clock)", self.chance.any(&DATES)),
            // Where they overflow depends on how they are computed.
            8 => format!("{}(clamp({}, -5, 5))", self.chance.any(&["sinh", "cosh"]), self.vector(depth - 1)),
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

    pub(crate) fn histogram(&self, depth: u32) -> String {
        const PROPERTIES: [&str; 5] =
            ["histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar"];
        let of = match self.chance.below(8) {
            0 => self.vector(depth - 1),
            1 => "odd_bucket".to_owned(),
            2 => "sum by (le) (rate(latency_bucket[5m]))".to_owned(),
            3 => format!("sum by (le, {}) (latency_bucket)", self.chance.any(&["job", "instance"])),
            4 if self.era == Era::Three => "rate(native[5m])".to_owned(),
            5 if self.era == Era::Three => {
                self.chance.any(&["native", "native_gauge", "native_custom"]).to_owned()
            }
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
                let low = if of.contains("native[") {
                    self.parameter(&["0", "-1", "0.5", "-Inf"])
                } else {
                    "0.6".to_owned()
                };
                let high = self.parameter(&["1", "0.3", "Inf", "5"]);
                format!("histogram_fraction({low}, {high}, {of})")
            }
            // 3.5 leaves out the buckets there, and so does not see that they cannot be added up.
            1 | 2 if !of.contains("__name__") => format!("{}({of})", self.chance.any(&PROPERTIES)),
            _ => format!("histogram_quantile({}, {of})", self.parameter(&PHIS)),
        }
    }

    pub(crate) fn relabelled(&self, depth: u32) -> String {
        let of = self.vector(depth - 1);
        let target = self.chance.any(&["job", "fresh", "instance", "status"]);
        if self.chance.percent(35) {
            let sources =
                self.chance.any(&["", r#", "job""#, r#", "job", "instance""#, r#", "missing", "status""#]);
            return format!(
                "label_join({of}, \"{target}\", \"{}\"{sources})",
                self.chance.any(&["-", "", "::"])
            );
        }
        let source = self.chance.any(&["job", "instance", "__name__", "missing", "le"]);
        let regex = self.chance.any(&["(.*)", "a(.)i|(d)b", "h(\\\\d):.*", "", "(?P<n>.+)_total", ".+", "x"]);
        let replacement = self.chance.any(&["$1", "${1}-x", "$n", "", "fixed", "$2$1", "$1x", "$$"]);
        format!("label_replace({of}, \"{target}\", \"{replacement}\", \"{source}\", \"{regex}\")")
    }
}
