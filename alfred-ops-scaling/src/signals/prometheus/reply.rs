//! What a server says.

use alfred_ops_core::Labels;
use serde::Deserialize;

/// What a server says to an instant query.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reply {
    pub(super) status: String,
    #[serde(default)]
    pub(super) data: Option<Data>,
    #[serde(default)]
    pub(super) error_type: String,
    #[serde(default)]
    pub(super) error: String,
    #[serde(default)]
    pub(super) warnings: Option<Vec<String>>,
}

/// An answer by its type.
#[derive(Debug, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
pub(super) enum Data {
    /// Some servers write none as null.
    Vector(Option<Vec<Element>>),
    Scalar(Point),
    String(serde::de::IgnoredAny),
    Matrix(serde::de::IgnoredAny),
}

/// One element of a vector. Native histograms have no value.
#[derive(Debug, Deserialize)]
pub(super) struct Element {
    #[serde(default)]
    pub(super) metric: Labels,
    #[serde(default)]
    pub(super) value: Option<Point>,
}

/// A time in seconds and a number as text: `1`, `1e+06`, `NaN`, `-Inf`.
#[derive(Debug, Deserialize)]
pub(super) struct Point(f64, String);

impl Point {
    /// A time alone.
    pub(super) fn of(seconds: f64) -> Self {
        Self(seconds, "0".to_owned())
    }

    /// The time in milliseconds since 1970, and the number.
    pub(super) fn read(&self) -> Result<(i64, f64), String> {
        let Self(seconds, text) = self;
        // Beyond it no time has room for milliseconds.
        if !seconds.is_finite() || seconds.abs() > 9e12 {
            return Err(format!("{seconds} is no time"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "it was just compared with what fits")]
        let millis = (seconds * 1000.0).round() as i64;
        text.parse().map(|value| (millis, value)).map_err(|_| format!("{text:?} is no number"))
    }
}
