//! Labels of many samples, worked out once.
//!
//! Every step of an evaluation yields samples that point into a table of labels. As long as the series behind
//! an expression stay the same, so do its tables: what one evaluation worked out about labels, groups and
//! matches holds for the next one. Tables are told apart by identity.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use alfred_ops_core::Labels;

use crate::promql::ast::Grouping;

/// The labels of a sample.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Row {
    pub(super) labels: Labels,
    /// Whether the metric's name is no longer true and is to be removed at the end.
    pub(super) drop_name: bool,
}

/// The labels of many samples.
#[derive(Debug, Default)]
pub(super) struct LabelTable {
    pub(super) rows: Vec<Row>,
    /// Whether two rows have the same labels.
    pub(super) twins: bool,
    /// The same rows without the metric's name, at once or at the end, once somebody has asked for them.
    nameless: [OnceLock<Table>; 2],
}

pub(super) type Table = Arc<LabelTable>;

impl Row {
    pub(super) const fn new(labels: Labels) -> Self {
        Self { labels, drop_name: false }
    }

    /// The labels that a result has which is no longer what the metric's name says.
    pub(super) fn nameless(&self, delayed: bool) -> Self {
        if delayed {
            Self { labels: self.labels.clone(), drop_name: true }
        } else {
            Self::new(without_name(&self.labels))
        }
    }
}

/// The labels without the metric's name, and without its type and unit.
pub(super) fn without_name(labels: &Labels) -> Labels {
    labels.without(is_metadata)
}

pub(super) fn is_metadata(name: &str) -> bool {
    matches!(name, Labels::NAME | "__type__" | "__unit__")
}

impl LabelTable {
    pub(super) fn new(rows: Vec<Row>) -> Table {
        let mut seen = HashSet::with_capacity(rows.len());
        let twins = rows.iter().any(|row| !seen.insert(&row.labels));
        Arc::new(Self { rows, twins, nameless: Default::default() })
    }

    /// The same rows without the metric's name, which is [`delayed`](Row::nameless) until the end or not: worked out once for all who ask.
    pub(super) fn nameless(&self, delayed: bool) -> Table {
        let known = &self.nameless[usize::from(delayed)];
        let make = || Self::new(self.rows.iter().map(|row| row.nameless(delayed)).collect());
        Table::clone(known.get_or_init(make))
    }

    /// A single row without labels.
    pub(super) fn single() -> Table {
        Self::new(vec![Row::new(Labels::empty())])
    }
}

/// A table derived from another, row by row.
#[derive(Debug, Default)]
pub(super) struct RowMemo(Option<(Table, Table)>);

impl RowMemo {
    pub(super) fn derive(&mut self, input: &Table, of: impl Fn(&Row) -> Row) -> Table {
        if let Some((known, derived)) = &self.0
            && Arc::ptr_eq(known, input)
        {
            return Arc::clone(derived);
        }
        let derived = LabelTable::new(input.rows.iter().map(of).collect());
        self.0 = Some((Arc::clone(input), Arc::clone(&derived)));
        derived
    }
}

/// The groups of a table's rows.
#[derive(Debug, Default)]
pub(super) struct GroupMemo {
    input: Option<Table>,
    groups: Option<Table>,
    /// The group of each row.
    of_row: Arc<[u32]>,
}

impl GroupMemo {
    /// The groups, and the group of each row.
    pub(super) fn groups(&mut self, input: &Table, grouping: &Grouping) -> (Table, Arc<[u32]>) {
        self.derive(input, |labels| grouped(labels, grouping))
    }

    pub(super) fn derive(&mut self, input: &Table, of: impl Fn(&Labels) -> Labels) -> (Table, Arc<[u32]>) {
        if let (Some(known), Some(groups)) = (&self.input, &self.groups)
            && Arc::ptr_eq(known, input)
        {
            return (Arc::clone(groups), Arc::clone(&self.of_row));
        }
        let mut index: HashMap<Labels, u32> = HashMap::new();
        let mut rows = Vec::new();
        let of_row = input.rows.iter().map(|row| {
            let labels = of(&row.labels);
            *index.entry(labels.clone()).or_insert_with(|| {
                rows.push(Row { labels, drop_name: row.drop_name });
                position(rows.len() - 1)
            })
        });
        self.of_row = of_row.collect();
        let groups = LabelTable::new(rows);
        self.input = Some(Arc::clone(input));
        self.groups = Some(Arc::clone(&groups));
        (groups, Arc::clone(&self.of_row))
    }
}

/// The labels of the group to which a sample belongs.
pub(super) fn grouped(labels: &Labels, grouping: &Grouping) -> Labels {
    match grouping {
        Grouping::By(kept) if kept.is_empty() => Labels::empty(),
        Grouping::By(kept) => labels.without(|name| !kept.iter().any(|label| label == name)),
        Grouping::Without(dropped) => {
            labels.without(|name| is_metadata(name) || dropped.iter().any(|label| label == name))
        }
    }
}

/// Which rows of two tables meet: equal numbers do.
#[derive(Debug, Default)]
pub(super) struct MatchMemo {
    inputs: Option<(Table, Table)>,
    pub(super) left: Arc<[u32]>,
    pub(super) right: Arc<[u32]>,
    /// One more than the greatest number.
    pub(super) signatures: usize,
}

impl MatchMemo {
    pub(super) fn prepare(&mut self, left: &Table, right: &Table, signature: impl Fn(&Labels) -> Labels) {
        if let Some((known_left, known_right)) = &self.inputs
            && Arc::ptr_eq(known_left, left)
            && Arc::ptr_eq(known_right, right)
        {
            return;
        }
        let mut index: HashMap<Labels, u32> = HashMap::new();
        let mut number = |row: &Row| {
            let next = position(index.len());
            *index.entry(signature(&row.labels)).or_insert(next)
        };
        self.left = left.rows.iter().map(&mut number).collect();
        self.right = right.rows.iter().map(&mut number).collect();
        self.signatures = index.len();
        self.inputs = Some((Arc::clone(left), Arc::clone(right)));
    }
}

/// A table whose rows are met one after the other.
#[derive(Debug, Default)]
pub(super) struct Interner {
    index: HashMap<Row, u32>,
    rows: Vec<Row>,
    table: Option<Table>,
}

impl Interner {
    /// Beyond this many rows an interner forgets those that it has not met again.
    const ROWS_KEPT: usize = 100_000;

    /// Begins an evaluation: rows of former ones are forgotten when they have become too many.
    pub(super) fn begin(&mut self) {
        if self.rows.len() > Self::ROWS_KEPT {
            *self = Self::default();
        }
    }

    pub(super) fn row(&mut self, row: Row) -> u32 {
        if let Some(known) = self.index.get(&row) {
            return *known;
        }
        let number = position(self.rows.len());
        self.rows.push(row.clone());
        self.index.insert(row, number);
        self.table = None;
        number
    }

    pub(super) fn table(&mut self) -> Table {
        Arc::clone(self.table.get_or_insert_with(|| LabelTable::new(self.rows.clone())))
    }
}

/// A place in a table. Evaluation stops long before there are four thousand million samples.
pub(super) fn position(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

pub(super) const fn index(position: u32) -> usize {
    position as usize
}
