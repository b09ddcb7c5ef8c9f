//! Which samples of two sides meet.

/// How many samples of one side may meet one of the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Cardinality {
    /// One and one.
    #[default]
    OneToOne,
    /// `group_left`: many of the left side; the labels are taken from the right side.
    ManyToOne(Vec<String>),
    /// `group_right`: many of the right side; the labels are taken from the left side.
    OneToMany(Vec<String>),
    /// Any and any: set operators.
    ManyToMany,
}

/// Which samples of two sides meet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matching {
    /// How many may meet.
    pub cardinality: Cardinality,
    /// Whether `labels` are those that must be equal, rather than those that may differ.
    pub on: bool,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// What stands in for a missing left side.
    pub fill_left: Option<f64>,
    /// What stands in for a missing right side.
    pub fill_right: Option<f64>,
}
