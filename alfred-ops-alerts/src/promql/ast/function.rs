//! Functions.

use super::ValueType;

/// A parameter of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// It must be given.
    Required(ValueType),
    /// It may be left out.
    Optional(ValueType),
    /// It may be given any number of times.
    Repeated(ValueType),
}

/// A function of PromQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "PromQL's own names")]
#[non_exhaustive]
pub enum Function {
    Abs,
    Absent,
    AbsentOverTime,
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    AvgOverTime,
    Ceil,
    Changes,
    Clamp,
    ClampMax,
    ClampMin,
    Cos,
    Cosh,
    CountOverTime,
    DaysInMonth,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Deg,
    Delta,
    Deriv,
    DoubleExponentialSmoothing,
    End,
    Exp,
    FirstOverTime,
    Floor,
    HistogramAvg,
    HistogramCount,
    HistogramFraction,
    HistogramQuantile,
    HistogramQuantiles,
    HistogramStddev,
    HistogramStdvar,
    HistogramSum,
    Hour,
    Idelta,
    Increase,
    Info,
    Irate,
    LabelJoin,
    LabelReplace,
    LastOverTime,
    Ln,
    Log10,
    Log2,
    MadOverTime,
    MaxOf,
    MaxOverTime,
    MinOf,
    MinOverTime,
    Minute,
    Month,
    Pi,
    PredictLinear,
    PresentOverTime,
    QuantileOverTime,
    Rad,
    Range,
    Rate,
    Resets,
    Round,
    Scalar,
    Sgn,
    Sin,
    Sinh,
    Sort,
    SortByLabel,
    SortByLabelDesc,
    SortDesc,
    Sqrt,
    Start,
    StddevOverTime,
    StdvarOverTime,
    Step,
    SumOverTime,
    Tan,
    Tanh,
    Time,
    Timestamp,
    TsOfFirstOverTime,
    TsOfLastOverTime,
    TsOfMaxOverTime,
    TsOfMinOverTime,
    Vector,
    Year,
}

use Parameter::{Optional, Repeated, Required};
use ValueType::{Matrix, Scalar, Text, Vector};

type Row = (Function, &'static str, &'static [Parameter], ValueType);

const TABLE: [Row; 89] = [
    (Function::Abs, "abs", &[Required(Vector)], Vector),
    (Function::Absent, "absent", &[Required(Vector)], Vector),
    (Function::AbsentOverTime, "absent_over_time", &[Required(Matrix)], Vector),
    (Function::Acos, "acos", &[Required(Vector)], Vector),
    (Function::Acosh, "acosh", &[Required(Vector)], Vector),
    (Function::Asin, "asin", &[Required(Vector)], Vector),
    (Function::Asinh, "asinh", &[Required(Vector)], Vector),
    (Function::Atan, "atan", &[Required(Vector)], Vector),
    (Function::Atanh, "atanh", &[Required(Vector)], Vector),
    (Function::AvgOverTime, "avg_over_time", &[Required(Matrix)], Vector),
    (Function::Ceil, "ceil", &[Required(Vector)], Vector),
    (Function::Changes, "changes", &[Required(Matrix)], Vector),
    (Function::Clamp, "clamp", &[Required(Vector), Required(Scalar), Required(Scalar)], Vector),
    (Function::ClampMax, "clamp_max", &[Required(Vector), Required(Scalar)], Vector),
    (Function::ClampMin, "clamp_min", &[Required(Vector), Required(Scalar)], Vector),
    (Function::Cos, "cos", &[Required(Vector)], Vector),
    (Function::Cosh, "cosh", &[Required(Vector)], Vector),
    (Function::CountOverTime, "count_over_time", &[Required(Matrix)], Vector),
    (Function::DaysInMonth, "days_in_month", &[Optional(Vector)], Vector),
    (Function::DayOfMonth, "day_of_month", &[Optional(Vector)], Vector),
    (Function::DayOfWeek, "day_of_week", &[Optional(Vector)], Vector),
    (Function::DayOfYear, "day_of_year", &[Optional(Vector)], Vector),
    (Function::Deg, "deg", &[Required(Vector)], Vector),
    (Function::Delta, "delta", &[Required(Matrix)], Vector),
    (Function::Deriv, "deriv", &[Required(Matrix)], Vector),
    (
        Function::DoubleExponentialSmoothing,
        "double_exponential_smoothing",
        &[Required(Matrix), Required(Scalar), Required(Scalar)],
        Vector,
    ),
    (Function::End, "end", &[], Scalar),
    (Function::Exp, "exp", &[Required(Vector)], Vector),
    (Function::FirstOverTime, "first_over_time", &[Required(Matrix)], Vector),
    (Function::Floor, "floor", &[Required(Vector)], Vector),
    (Function::HistogramAvg, "histogram_avg", &[Required(Vector)], Vector),
    (Function::HistogramCount, "histogram_count", &[Required(Vector)], Vector),
    (
        Function::HistogramFraction,
        "histogram_fraction",
        &[Required(Scalar), Required(Scalar), Required(Vector)],
        Vector,
    ),
    (Function::HistogramQuantile, "histogram_quantile", &[Required(Scalar), Required(Vector)], Vector),
    (
        Function::HistogramQuantiles,
        "histogram_quantiles",
        &[Required(Vector), Required(Text), Repeated(Scalar)],
        Vector,
    ),
    (Function::HistogramStddev, "histogram_stddev", &[Required(Vector)], Vector),
    (Function::HistogramStdvar, "histogram_stdvar", &[Required(Vector)], Vector),
    (Function::HistogramSum, "histogram_sum", &[Required(Vector)], Vector),
    (Function::Hour, "hour", &[Optional(Vector)], Vector),
    (Function::Idelta, "idelta", &[Required(Matrix)], Vector),
    (Function::Increase, "increase", &[Required(Matrix)], Vector),
    (Function::Info, "info", &[Required(Vector), Optional(Vector)], Vector),
    (Function::Irate, "irate", &[Required(Matrix)], Vector),
    (
        Function::LabelJoin,
        "label_join",
        &[Required(Vector), Required(Text), Required(Text), Repeated(Text)],
        Vector,
    ),
    (
        Function::LabelReplace,
        "label_replace",
        &[Required(Vector), Required(Text), Required(Text), Required(Text), Required(Text)],
        Vector,
    ),
    (Function::LastOverTime, "last_over_time", &[Required(Matrix)], Vector),
    (Function::Ln, "ln", &[Required(Vector)], Vector),
    (Function::Log10, "log10", &[Required(Vector)], Vector),
    (Function::Log2, "log2", &[Required(Vector)], Vector),
    (Function::MadOverTime, "mad_over_time", &[Required(Matrix)], Vector),
    (Function::MaxOf, "max_of", &[Required(Scalar), Required(Scalar)], Scalar),
    (Function::MaxOverTime, "max_over_time", &[Required(Matrix)], Vector),
    (Function::MinOf, "min_of", &[Required(Scalar), Required(Scalar)], Scalar),
    (Function::MinOverTime, "min_over_time", &[Required(Matrix)], Vector),
    (Function::Minute, "minute", &[Optional(Vector)], Vector),
    (Function::Month, "month", &[Optional(Vector)], Vector),
    (Function::Pi, "pi", &[], Scalar),
    (Function::PredictLinear, "predict_linear", &[Required(Matrix), Required(Scalar)], Vector),
    (Function::PresentOverTime, "present_over_time", &[Required(Matrix)], Vector),
    (Function::QuantileOverTime, "quantile_over_time", &[Required(Scalar), Required(Matrix)], Vector),
    (Function::Rad, "rad", &[Required(Vector)], Vector),
    (Function::Range, "range", &[], Scalar),
    (Function::Rate, "rate", &[Required(Matrix)], Vector),
    (Function::Resets, "resets", &[Required(Matrix)], Vector),
    (Function::Round, "round", &[Required(Vector), Optional(Scalar)], Vector),
    (Function::Scalar, "scalar", &[Required(Vector)], Scalar),
    (Function::Sgn, "sgn", &[Required(Vector)], Vector),
    (Function::Sin, "sin", &[Required(Vector)], Vector),
    (Function::Sinh, "sinh", &[Required(Vector)], Vector),
    (Function::Sort, "sort", &[Required(Vector)], Vector),
    (Function::SortByLabel, "sort_by_label", &[Required(Vector), Repeated(Text)], Vector),
    (Function::SortByLabelDesc, "sort_by_label_desc", &[Required(Vector), Repeated(Text)], Vector),
    (Function::SortDesc, "sort_desc", &[Required(Vector)], Vector),
    (Function::Sqrt, "sqrt", &[Required(Vector)], Vector),
    (Function::Start, "start", &[], Scalar),
    (Function::StddevOverTime, "stddev_over_time", &[Required(Matrix)], Vector),
    (Function::StdvarOverTime, "stdvar_over_time", &[Required(Matrix)], Vector),
    (Function::Step, "step", &[], Scalar),
    (Function::SumOverTime, "sum_over_time", &[Required(Matrix)], Vector),
    (Function::Tan, "tan", &[Required(Vector)], Vector),
    (Function::Tanh, "tanh", &[Required(Vector)], Vector),
    (Function::Time, "time", &[], Scalar),
    (Function::Timestamp, "timestamp", &[Required(Vector)], Vector),
    (Function::TsOfFirstOverTime, "ts_of_first_over_time", &[Required(Matrix)], Vector),
    (Function::TsOfLastOverTime, "ts_of_last_over_time", &[Required(Matrix)], Vector),
    (Function::TsOfMaxOverTime, "ts_of_max_over_time", &[Required(Matrix)], Vector),
    (Function::TsOfMinOverTime, "ts_of_min_over_time", &[Required(Matrix)], Vector),
    (Function::Vector, "vector", &[Required(Scalar)], Vector),
    (Function::Year, "year", &[Optional(Vector)], Vector),
];

impl Function {
    fn row(self) -> &'static Row {
        // The table is in the order of the variants; a test looks at every one.
        &TABLE[self as usize]
    }

    /// The word in a query.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// What it takes.
    #[must_use]
    pub fn parameters(self) -> &'static [Parameter] {
        self.row().2
    }

    /// What kind of value it has.
    #[must_use]
    pub fn returns(self) -> ValueType {
        self.row().3
    }

    /// All functions.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_variants() {
        for function in Function::all() {
            assert_eq!(Function::from_name(function.name()), Some(function));
            assert_eq!(function.row().0, function);
        }
    }
}
