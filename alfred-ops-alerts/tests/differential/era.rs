//! The versions of Prometheus that are asked.

/// A version of Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// 2.42: ranges closed on both sides, no functions on trial, no native histograms.
    Two,
    /// 3.5: what we answer like.
    Three,
}

impl Era {
    /// The variable that names the folder of its programs.
    pub(crate) const fn variable(self) -> &'static str {
        match self {
            Self::Two => "ALFRED_OPS_PROMETHEUS_2_BIN",
            Self::Three => "ALFRED_OPS_PROMETHEUS_BIN",
        }
    }

    /// The least number that a counter shows. Where one may have started within a range, the older era extrapolates
    /// further than later versions and we do.
    pub(crate) const fn least(self) -> f64 {
        match self {
            Self::Two => 20_000.0,
            Self::Three => 0.0,
        }
    }

    /// Flags beyond those of every version.
    pub(crate) const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Two => &[],
            Self::Three => {
                &["--enable-feature=native-histograms,promql-experimental-functions,promql-duration-expr"]
            }
        }
    }
}
