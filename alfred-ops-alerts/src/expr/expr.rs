//! PromQL put together in Rust.

use std::fmt;
use std::time::Duration;

use super::selector::label_name;
use super::{Aggregation, Arithmetic, Comparison, Selector};
use crate::promql::format_duration;

/// A PromQL expression put together in Rust, for rules whose limits are values of the host.
///
/// It is no more than text with its parentheses in the right places; what it means, and whether it means anything, is
/// PromQL's to say: see [`Query`](crate::promql::Query).
///
/// ```
/// use std::time::Duration;
/// use alfred_ops_alerts::{Expr, Selector};
///
/// let errors = Expr::rate(Selector::metric("errors_total"), Duration::from_secs(300)).sum_by(["job"]);
/// let all = Expr::rate(Selector::metric("requests_total"), Duration::from_secs(300)).sum_by(["job"]);
/// assert_eq!(
///     errors.divided_by(all).above(0.1).to_string(),
///     "sum by (job) (rate(errors_total[5m])) / sum by (job) (rate(requests_total[5m])) > 0.1"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    text: String,
    binds: Binding,
}

/// How tightly the outermost operator of an expression binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Set,
    Comparison,
    Sum,
    Product,
    /// There is no operator outside of parentheses.
    Whole,
}

impl Expr {
    /// PromQL as it is written, taken for what it is between parentheses.
    #[must_use]
    pub fn promql(text: impl Into<String>) -> Self {
        Self { text: text.into(), binds: Binding::Set }
    }

    fn whole(text: String) -> Self {
        Self { text, binds: Binding::Whole }
    }

    /// How fast each counter grows, per second, over the last `window`.
    #[must_use]
    pub fn rate(selector: Selector, window: Duration) -> Self {
        Self::over("rate", &selector, window)
    }

    /// How much each counter grew in the last `window`.
    #[must_use]
    pub fn increase(selector: Selector, window: Duration) -> Self {
        Self::over("increase", &selector, window)
    }

    /// A function over the samples of the last `window`: `max_over_time` and its like.
    #[must_use]
    pub fn over(function: &str, selector: &Selector, window: Duration) -> Self {
        let millis = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        Self::whole(format!("{function}({selector}[{}])", format_duration(millis)))
    }

    /// 1 with the labels that the selector's equalities say, while no such series is present.
    #[must_use]
    pub fn absent(selector: &Selector) -> Self {
        Self::whole(format!("absent({selector})"))
    }

    /// The sum for each combination of these labels.
    #[must_use]
    pub fn sum_by<L: AsRef<str>>(self, by: impl IntoIterator<Item = L>) -> Self {
        self.aggregated(Aggregation::Sum, by)
    }

    /// One reading for each combination of these labels.
    #[must_use]
    pub fn aggregated<L: AsRef<str>>(
        self,
        aggregation: Aggregation,
        by: impl IntoIterator<Item = L>,
    ) -> Self {
        let labels: Vec<String> = by.into_iter().map(|label| label_name(label.as_ref())).collect();
        let grouping = if labels.is_empty() { String::new() } else { format!(" by ({})", labels.join(", ")) };
        Self::whole(format!("{}{grouping} ({})", aggregation.name(), self.text))
    }

    /// The quantile of the histograms whose bucket rates these are.
    #[must_use]
    pub fn histogram_quantile(self, quantile: f64) -> Self {
        Self::whole(format!("histogram_quantile({}, {})", Self::from(quantile).text, self.text))
    }

    /// This side and that side computed into one, where all labels are equal.
    #[must_use]
    pub fn combined(self, operator: Arithmetic, right: impl Into<Self>) -> Self {
        let binds = match operator {
            Arithmetic::Add | Arithmetic::Subtract => Binding::Sum,
            Arithmetic::Multiply | Arithmetic::Divide => Binding::Product,
        };
        self.joined(operator.sign(), right.into(), binds)
    }

    /// This side by that side, where all labels are equal.
    #[must_use]
    pub fn divided_by(self, right: impl Into<Self>) -> Self {
        self.combined(Arithmetic::Divide, right)
    }

    /// The readings above `threshold`.
    #[must_use]
    pub fn above(self, threshold: f64) -> Self {
        self.compared(Comparison::Above, threshold)
    }

    /// The readings below `threshold`.
    #[must_use]
    pub fn below(self, threshold: f64) -> Self {
        self.compared(Comparison::Below, threshold)
    }

    /// The readings that are exactly `threshold`.
    #[must_use]
    pub fn equal_to(self, threshold: f64) -> Self {
        self.compared(Comparison::Equal, threshold)
    }

    /// The readings that compare so with `threshold`.
    #[must_use]
    pub fn compared(self, comparison: Comparison, threshold: f64) -> Self {
        self.joined(comparison.sign(), threshold.into(), Binding::Comparison)
    }

    /// The readings of this side that meet any of that side with all labels.
    #[must_use]
    pub fn and(self, right: impl Into<Self>) -> Self {
        self.joined("and", right.into(), Binding::Set)
    }

    /// The readings of this side, and those of that side that meet none of this side.
    #[must_use]
    pub fn or(self, right: impl Into<Self>) -> Self {
        self.joined("or", right.into(), Binding::Set)
    }

    /// Operators of equal rank are read from the left, but `and` and `or` are not of equal rank.
    fn joined(self, sign: &str, right: Self, binds: Binding) -> Self {
        let left = if self.binds > binds || (self.binds == binds && binds > Binding::Comparison) {
            self.text
        } else {
            format!("({})", self.text)
        };
        let right = if right.binds > binds { right.text } else { format!("({})", right.text) };
        Self { text: format!("{left} {sign} {right}"), binds }
    }
}

impl From<Selector> for Expr {
    fn from(selector: Selector) -> Self {
        Self::whole(selector.to_string())
    }
}

impl From<f64> for Expr {
    fn from(number: f64) -> Self {
        let text = if number == f64::INFINITY {
            "+Inf".to_owned()
        } else if number == f64::NEG_INFINITY {
            "-Inf".to_owned()
        } else {
            number.to_string()
        };
        Self::whole(text)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::Query;

    fn check(expr: &Expr, expected: &str) {
        assert_eq!(expr.to_string(), expected);
        expected.parse::<Query>().unwrap();
    }

    #[test]
    fn parentheses_stand_where_they_must() {
        let metric = |name: &str| Expr::from(Selector::metric(name));
        check(
            &metric("a")
                .combined(Arithmetic::Subtract, metric("b").combined(Arithmetic::Subtract, metric("c"))),
            "a - (b - c)",
        );
        check(&metric("a").combined(Arithmetic::Add, metric("b")).divided_by(metric("c")), "(a + b) / c");
        check(&metric("a").divided_by(metric("b").divided_by(metric("c"))), "a / (b / c)");
        check(&metric("a").divided_by(metric("b")).divided_by(metric("c")).above(1.5), "a / b / c > 1.5");
        check(&metric("a").above(1.0).divided_by(metric("b")), "(a > 1) / b");
        check(&metric("a").above(1.0).and(metric("b").below(2.0)).or(metric("c")), "(a > 1 and b < 2) or c");
        check(&Expr::promql("a or b").sum_by(["x.y"]), "sum by (\"x.y\") (a or b)");
        check(&metric("a").aggregated(Aggregation::Max, [""; 0]).equal_to(f64::INFINITY), "max (a) == +Inf");
        check(
            &Selector::metric("my.metric").one_of("a", ["x.y", "z"]).into(),
            "{\"my.metric\",a=~\"x\\\\.y|z\"}",
        );
        check(&Expr::absent(&Selector::metric("up").with("job", "a")), "absent(up{job=\"a\"})");
    }
}
