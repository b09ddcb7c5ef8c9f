//! What selectors mean, worked out once for all queries that ask alike.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::context::Context;
use super::table::{LabelTable, Row, Table};
use crate::promql::SeriesId;
use crate::promql::ast::Matcher;

/// The selectors of many queries: rules of a kind mostly look at the same series, which are then selected, and their
/// labels kept, once.
///
/// It holds what queries use and nothing longer.
#[derive(Debug, Default)]
pub(crate) struct Selections(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    selections: HashMap<Arc<[Matcher]>, Weak<Selection>>,
    /// At how many selectors those that nobody uses any more are looked for.
    sweep_at: usize,
}

/// A selector, and what it means for the source that it was last asked of.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) matchers: Arc<[Matcher]>,
    newest: Mutex<Option<Arc<Selected>>>,
}

/// The series that a selector means, as long as the source's generation stays.
#[derive(Debug)]
pub(super) struct Selected {
    generation: u64,
    pub(super) series: Vec<SeriesId>,
    pub(super) table: Table,
}

impl Selections {
    pub(super) fn share(&self, matchers: &[Matcher]) -> Arc<Selection> {
        const SWEEP_MIN: usize = 64;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(selection) = known.selections.get(matchers).and_then(Weak::upgrade) {
            return selection;
        }
        if known.selections.len() >= known.sweep_at {
            known.selections.retain(|_, selection| selection.strong_count() > 0);
            known.sweep_at = (known.selections.len() * 2).max(SWEEP_MIN);
        }
        let matchers: Arc<[Matcher]> = matchers.into();
        let selection = Arc::new(Selection { matchers: Arc::clone(&matchers), newest: Mutex::default() });
        known.selections.insert(matchers, Arc::downgrade(&selection));
        selection
    }
}

impl Selection {
    /// The series, selected anew when the source has others than before.
    pub(super) fn selected(&self, context: &Context<'_>) -> Arc<Selected> {
        let generation = context.source.generation(&self.matchers);
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = newest.as_ref().filter(|known| known.generation == generation) {
            return Arc::clone(known);
        }
        let series = context.source.select(&self.matchers);
        let rows: Vec<Row> = series.iter().map(|series| Row::new(context.source.labels(*series))).collect();
        // What hangs on the table stays when the series are the same after all.
        let same = newest.as_ref().filter(|known| known.series == series && known.table.rows == rows);
        let table = same.map_or_else(|| LabelTable::new(rows), |known| Arc::clone(&known.table));
        let selected = Arc::new(Selected { generation, series, table });
        *newest = Some(Arc::clone(&selected));
        selected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matchers(value: &str) -> [Matcher; 1] {
        [Matcher::equal("job", value)]
    }

    #[test]
    fn who_asks_alike_shares_and_nothing_is_kept_that_nobody_uses() {
        let selections = Selections::default();
        let kept = selections.share(&matchers("kept"));
        assert!(Arc::ptr_eq(&kept, &selections.share(&matchers("kept"))));
        for number in 0..1000 {
            selections.share(&matchers(&number.to_string()));
        }
        assert!(selections.0.lock().unwrap().selections.len() <= 64);
        assert!(Arc::ptr_eq(&kept, &selections.share(&matchers("kept"))));
    }
}
