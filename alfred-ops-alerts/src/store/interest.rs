//! What rules can ever look at.

use std::collections::HashMap;

use alfred_ops_core::Labels;

use crate::promql::ast::{At, DurationContext, Matcher, Node, NodeKind, TimeShift};
use crate::promql::{Query, QueryOptions};

/// Which series rules can ever look at, and how far back: what a store need not keep, it does not.
#[derive(Debug, Clone, Default)]
pub struct Interest {
    /// By metric name, where the name is fixed.
    by_name: HashMap<String, Reaches>,
    /// Selectors of which the name is not.
    nameless: Reaches,
    /// Everything, so long.
    all_millis: Option<i64>,
}

/// Which of a selector's conditions count; `None` if it is left out.
type Conditions<'c> = dyn Fn(&[Matcher]) -> Option<Vec<Matcher>> + 'c;

/// Selectors, of which many rules have the same, and how many milliseconds they look back.
type Reaches = HashMap<Vec<Matcher>, i64>;

impl Interest {
    /// What these queries look at, evaluated with `options`.
    #[must_use]
    pub fn of<'q>(queries: impl IntoIterator<Item = &'q Query>, options: &QueryOptions) -> Self {
        Self::default().with(queries, &|matchers| Some(matchers.to_vec()), options)
    }

    /// The same, and what these queries look at whatever stands in the place of `open` in their selectors. A selector that
    /// has no other condition is left out.
    #[must_use]
    pub(crate) fn with_open(self, queries: &[Query], open: char, options: &QueryOptions) -> Self {
        let closed = |matchers: &[Matcher]| {
            let closed = matchers.iter().filter(|matcher| !matcher.value().contains(open));
            Some(closed.cloned().collect::<Vec<_>>()).filter(|closed| !closed.is_empty())
        };
        self.with(queries, &closed, options)
    }

    fn with<'q>(
        mut self,
        queries: impl IntoIterator<Item = &'q Query>,
        conditions: &Conditions<'_>,
        options: &QueryOptions,
    ) -> Self {
        for query in queries {
            self.add(query.root(), 0, conditions, options);
        }
        self
    }

    /// All series, so many milliseconds back.
    #[must_use]
    pub fn everything(keep_millis: i64) -> Self {
        Self { all_millis: Some(keep_millis), ..Self::default() }
    }

    /// The same, and all other series so many milliseconds back.
    #[must_use]
    pub const fn with_everything(mut self, keep_millis: i64) -> Self {
        self.all_millis = Some(keep_millis);
        self
    }

    /// How many milliseconds of a series are looked at; `None` if it never is.
    #[must_use]
    pub fn keep_millis(&self, labels: &Labels) -> Option<i64> {
        let named = labels.name().and_then(|name| self.by_name.get(name));
        let reaches = named.into_iter().flatten().chain(&self.nameless);
        let meeting = reaches.filter(|(matchers, _)| matchers.iter().all(|matcher| matcher.matches(labels)));
        meeting.map(|(_, millis)| *millis).chain(self.all_millis).max()
    }

    /// The longest reach of all.
    #[must_use]
    pub fn longest_millis(&self) -> i64 {
        let reaches = self.by_name.values().flatten().chain(&self.nameless);
        reaches.map(|(_, millis)| *millis).chain(self.all_millis).max().unwrap_or(0)
    }

    #[expect(clippy::mutable_key_type, reason = "a matcher is hashed and compared by its text alone")]
    fn add(&mut self, node: &Node, outer: i64, conditions: &Conditions<'_>, options: &QueryOptions) {
        let lookback = options.lookback_millis;
        let mut selector = |matchers: &[Matcher], shift: &TimeShift, reach: i64| {
            let Some(matchers) = conditions(matchers) else { return };
            let millis = outer.saturating_add(reach).saturating_add(back(shift));
            let name =
                matchers.iter().find_map(|matcher| matcher.equal_to(Labels::NAME)).map(ToOwned::to_owned);
            let reaches = match name {
                Some(name) => self.by_name.entry(name).or_default(),
                None => &mut self.nameless,
            };
            let known = reaches.entry(matchers).or_insert(millis);
            *known = (*known).max(millis);
        };
        match &node.kind {
            NodeKind::Selector(own) => selector(&own.matchers, &own.shift, lookback),
            NodeKind::Range { selector: own, range } => {
                let range = range.evaluate(&DurationContext::default()).unwrap_or(0);
                // Edges of ranges may be looked up beyond them.
                selector(&own.matchers, &own.shift, range.saturating_add(lookback));
            }
            NodeKind::Subquery { of, range, shift, .. } => {
                let range = range.evaluate(&DurationContext::default()).unwrap_or(0);
                self.add(of, outer.saturating_add(range).saturating_add(back(shift)), conditions, options);
            }
            _ => {
                for child in node.children() {
                    self.add(child, outer, conditions, options);
                }
            }
        }
    }
}

/// How far a selector is shifted into the past. Of a fixed moment nobody knows how far it will be.
fn back(shift: &TimeShift) -> i64 {
    /// Half the range of times: forever, with room to add to.
    const FOREVER: i64 = i64::MAX / 2;
    if matches!(shift.at, Some(At::Time(_))) {
        return FOREVER;
    }
    let offset = shift.offset.as_ref().and_then(|offset| offset.evaluate(&DurationContext::default()).ok());
    offset.unwrap_or(0).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_looked_at_is_kept() {
        let queries: Vec<Query> = [
            "rate(http_requests_total{code=~\"5..\"}[10m]) > 1",
            "max_over_time((queue - queue offset 1h)[30m:1m]) > 5",
            "{job=\"x\"} == 0",
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
        let interest = Interest::of(&queries, &QueryOptions::default());
        let keep = |text: &str| interest.keep_millis(&crate::promql::notation::parse_labels(text).unwrap());
        assert_eq!(keep("http_requests_total{code=\"500\"}"), Some(15 * 60_000));
        assert_eq!(keep("http_requests_total{code=\"200\"}"), None);
        assert_eq!(keep("queue"), Some(95 * 60_000));
        assert_eq!(keep("other{job=\"x\"}"), Some(5 * 60_000));
        assert_eq!(keep("other"), None);
        assert_eq!(interest.longest_millis(), 95 * 60_000);
        let asked = [
            Query::parse("asked{job=\"a\",instance=\"_\"}").unwrap(),
            Query::parse("{instance=\"_\"}").unwrap(),
        ];
        let open = interest.clone().with_open(&asked, '_', &QueryOptions::default());
        let keep = |text: &str| open.keep_millis(&crate::promql::notation::parse_labels(text).unwrap());
        assert_eq!(keep("asked{job=\"a\",instance=\"b\"}"), Some(5 * 60_000));
        assert_eq!(keep("asked{job=\"b\"}"), None);
        assert_eq!(keep("other{instance=\"b\"}"), None);
        assert_eq!(interest.with_everything(1000).keep_millis(&Labels::metric("other")), Some(1000));
    }
}
