//! Operators between two sides.

/// An operator between two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the operators' usual names")]
#[non_exhaustive]
pub enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Atan2,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Unless,
    /// `</`: a histogram without its observations above a number.
    TrimUpper,
    /// `>/`: a histogram without its observations below a number.
    TrimLower,
}

impl BinaryOp {
    const ALL: [(Self, &'static str); 18] = [
        (Self::Add, "+"),
        (Self::Subtract, "-"),
        (Self::Multiply, "*"),
        (Self::Divide, "/"),
        (Self::Modulo, "%"),
        (Self::Power, "^"),
        (Self::Atan2, "atan2"),
        (Self::Equal, "=="),
        (Self::NotEqual, "!="),
        (Self::Less, "<"),
        (Self::LessOrEqual, "<="),
        (Self::Greater, ">"),
        (Self::GreaterOrEqual, ">="),
        (Self::And, "and"),
        (Self::Or, "or"),
        (Self::Unless, "unless"),
        (Self::TrimUpper, "</"),
        (Self::TrimLower, ">/"),
    ];

    /// The sign in a query.
    #[must_use]
    pub fn sign(self) -> &'static str {
        Self::ALL.iter().find(|(op, _)| *op == self).map_or("", |(_, sign)| sign)
    }

    pub(crate) fn from_sign(sign: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, own)| own.eq_ignore_ascii_case(sign)).map(|(op, _)| *op)
    }

    /// Whether it compares.
    #[must_use]
    pub const fn compares(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Less
                | Self::LessOrEqual
                | Self::Greater
                | Self::GreaterOrEqual
        )
    }

    /// Whether it is a set operator.
    #[must_use]
    pub const fn is_set_operator(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// Whether its results are something else than the metric was.
    #[must_use]
    pub const fn drops_name(self) -> bool {
        matches!(
            self,
            Self::Add
                | Self::Subtract
                | Self::Multiply
                | Self::Divide
                | Self::Modulo
                | Self::Power
                | Self::Atan2
        )
    }
}
