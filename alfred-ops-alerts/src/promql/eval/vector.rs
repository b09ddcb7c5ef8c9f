//! What an expression comes to at one time.

use std::collections::HashSet;
use std::sync::Arc;

use super::table::{LabelTable, Row, Table, index};
use crate::promql::{QueryError, SampleValue};

/// A sample and the place of its labels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    pub(super) row: u32,
    pub(super) value: SampleValue,
}

/// Samples of many series at one time.
#[derive(Debug, Clone)]
pub(super) struct Vector {
    pub(super) table: Table,
    pub(super) cells: Vec<Cell>,
}

/// What an expression comes to at one time.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Scalar(f64),
    Text(Arc<[u8]>),
    Vector(Vector),
}

impl Vector {
    pub(super) fn empty() -> Self {
        Self { table: Table::default(), cells: Vec::new() }
    }

    pub(super) fn single(value: f64) -> Self {
        Self { table: LabelTable::single(), cells: vec![Cell { row: 0, value: value.into() }] }
    }

    pub(super) fn row(&self, cell: &Cell) -> &Row {
        &self.table.rows[index(cell.row)]
    }

    /// The same samples under labels without the metric's name.
    pub(super) fn nameless(self, delayed: bool) -> Result<Self, QueryError> {
        let table = self.table.nameless(delayed);
        Self { table, cells: self.cells }.unique()
    }

    /// Refuses two samples with the same labels, where equal labels have equal places.
    pub(super) fn unique_rows(self) -> Result<Self, QueryError> {
        let mut seen = HashSet::with_capacity(self.cells.len());
        if self.cells.iter().any(|cell| !seen.insert(cell.row)) {
            return Err(twins());
        }
        self.unique()
    }

    /// Refuses two samples with the same labels.
    pub(super) fn unique(self) -> Result<Self, QueryError> {
        if self.table.twins {
            let mut seen = HashSet::new();
            if self.cells.iter().any(|cell| !seen.insert(&self.row(cell).labels)) {
                return Err(twins());
            }
        }
        Ok(self)
    }
}

pub(super) fn twins() -> QueryError {
    QueryError::evaluation("vector cannot contain metrics with the same labelset")
        .with_hint("keep the labels that tell the series apart, or aggregate")
}

impl Outcome {
    pub(super) fn vector(self) -> Vector {
        match self {
            Self::Vector(vector) => vector,
            // The types were checked before.
            Self::Scalar(_) | Self::Text(_) => Vector::empty(),
        }
    }

    pub(super) const fn scalar(&self) -> f64 {
        match self {
            Self::Scalar(value) => *value,
            Self::Text(_) | Self::Vector(_) => f64::NAN,
        }
    }

    pub(super) fn text(&self) -> Arc<[u8]> {
        match self {
            Self::Text(text) => Arc::clone(text),
            Self::Scalar(_) | Self::Vector(_) => Arc::from([]),
        }
    }
}
