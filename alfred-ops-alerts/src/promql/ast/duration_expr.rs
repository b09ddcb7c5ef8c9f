//! Durations that are computed.

use crate::promql::QueryError;

/// A duration, which may depend on the query's range and step.
#[derive(Debug, Clone, PartialEq)]
pub enum DurationExpr {
    /// So many seconds.
    Seconds(f64),
    /// The query's step; zero for an instant query.
    Step,
    /// The query's range; zero for an instant query.
    Range,
    /// The opposite.
    Negate(Box<DurationExpr>),
    /// Two durations computed into one; `operator` is one of `+ - * / % ^ < >`, the last two for the smaller
    /// and the greater one.
    Combine {
        /// How.
        operator: char,
        /// The left side.
        left: Box<DurationExpr>,
        /// The right side.
        right: Box<DurationExpr>,
    },
}

/// What durations can depend on.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DurationContext {
    /// The query's step in milliseconds.
    pub step_millis: i64,
    /// The query's range in milliseconds.
    pub range_millis: i64,
}

/// Beyond this no time can be told: about 292 years.
const SECONDS_MAX: f64 = 9_223_372_036.0;

impl DurationExpr {
    /// So many milliseconds.
    #[must_use]
    pub fn millis(millis: i64) -> Self {
        Self::Seconds(seconds(millis))
    }

    /// The duration in milliseconds.
    ///
    /// # Errors
    /// Division by zero, and what no time can hold.
    pub fn evaluate(&self, context: &DurationContext) -> Result<i64, QueryError> {
        let value = self.seconds(context)?;
        if !value.is_finite() || value.abs() > SECONDS_MAX {
            return Err(QueryError::evaluation("duration out of range"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked just above")]
        let millis = (value * 1000.0).round() as i64;
        Ok(millis)
    }

    /// The same, for a duration that must be positive.
    ///
    /// # Errors
    /// Those of [`evaluate`](Self::evaluate), and zero and less.
    pub fn evaluate_positive(&self, context: &DurationContext) -> Result<i64, QueryError> {
        match self.evaluate(context)? {
            millis if millis > 0 => Ok(millis),
            _ => Err(QueryError::evaluation("duration must be greater than 0")),
        }
    }

    fn seconds(&self, context: &DurationContext) -> Result<f64, QueryError> {
        Ok(match self {
            Self::Seconds(seconds) => *seconds,
            Self::Step => seconds(context.step_millis),
            Self::Range => seconds(context.range_millis),
            Self::Negate(of) => -of.seconds(context)?,
            Self::Combine { operator, left, right } => {
                let (left, right) = (left.seconds(context)?, right.seconds(context)?);
                match operator {
                    '+' => left + right,
                    '-' => left - right,
                    '*' => left * right,
                    '/' if right == 0.0 => return Err(QueryError::evaluation("division by zero")),
                    '/' => left / right,
                    '%' if right == 0.0 => return Err(QueryError::evaluation("modulo by zero")),
                    '%' => left % right,
                    '<' => left.min(right),
                    '>' => left.max(right),
                    _ => left.powf(right),
                }
            }
        })
    }

    /// Whether it is the same in every query.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        match self {
            Self::Seconds(_) => true,
            Self::Step | Self::Range => false,
            Self::Negate(of) => of.is_constant(),
            Self::Combine { left, right, .. } => left.is_constant() && right.is_constant(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "durations are far below 2^53 milliseconds")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
