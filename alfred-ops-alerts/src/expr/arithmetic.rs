//! Two numbers into one.

/// What is done with two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arithmetic {
    /// Left and right.
    Add,
    /// Left without right.
    Subtract,
    /// Left times right.
    Multiply,
    /// Left by right; by zero it is an infinity, and zero by zero NaN, which meets no comparison.
    Divide,
}

impl Arithmetic {
    pub(super) fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
        }
    }
}
