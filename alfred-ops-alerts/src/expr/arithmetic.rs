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
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }
}
