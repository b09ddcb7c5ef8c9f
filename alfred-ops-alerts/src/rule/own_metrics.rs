//! The metrics that an engine's own rules write, and where queries are answered by them.

use std::collections::BTreeSet;

use super::{GroupRule, RuleGroup};
use crate::promql::Query;
use crate::promql::ast::{Function, MatchOp, NodeKind, Selector};

/// What rules write beside what they record.
const OF_ALERTS: [&str; 2] = ["ALERTS", "ALERTS_FOR_STATE"];
/// What `info` looks up without naming it.
const LOOKED_UP: &str = "target_info";

/// The metrics that an engine's own rules write: no server of a group has them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OwnMetrics(BTreeSet<String>);

/// Where a query of a group with a source is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// Where the engine's own rules write.
    Here,
    /// By the group's source.
    There,
}

/// A query that looks at both sides, as its selectors are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BothSides {
    here: Vec<String>,
    there: Vec<String>,
}

impl OwnMetrics {
    /// What the rules of these groups write.
    pub(crate) fn of<'g>(groups: impl IntoIterator<Item = &'g RuleGroup>) -> Self {
        let rules = groups.into_iter().flat_map(|group| &group.rules);
        let recorded = rules.filter_map(|rule| match rule {
            GroupRule::Record(rule) => Some(rule.name.clone()),
            GroupRule::Alert(_) => None,
        });
        Self(recorded.chain(OF_ALERTS.map(str::to_owned)).collect())
    }

    /// Where `query` is answered: here if it looks at nothing but own metrics, there otherwise. A selector without a fixed
    /// name looks there.
    pub(crate) fn home(&self, query: &Query) -> Result<Home, BothSides> {
        let mut sides = BothSides { here: Vec::new(), there: Vec::new() };
        query.root().walk(&mut |node| {
            let written = || node.span.of(query.text()).to_owned();
            match &node.kind {
                NodeKind::Selector(selector) | NodeKind::Range { selector, .. } => {
                    let (own, foreign) = self.sides(selector);
                    sides.here.extend(own.then(written));
                    sides.there.extend(foreign.then(written));
                }
                NodeKind::Call { function: Function::Info, .. } if !self.0.contains(LOOKED_UP) => {
                    sides.there.push(LOOKED_UP.to_owned());
                }
                _ => {}
            }
        });
        match (sides.here.is_empty(), sides.there.is_empty()) {
            (false, true) => Ok(Home::Here),
            (true, _) => Ok(Home::There),
            (false, false) => Err(sides),
        }
    }

    /// Whether a selector can mean own metrics, and whether it can mean others.
    fn sides(&self, selector: &Selector) -> (bool, bool) {
        let on_name = selector.matchers.iter().filter(|matcher| {
            matcher.name() == alfred_ops_core::Labels::NAME
                && matches!(matcher.op(), MatchOp::Equal | MatchOp::Regex)
        });
        let names = on_name.filter_map(crate::promql::ast::Matcher::possible_values).min_by_key(Vec::len);
        match names {
            Some(names) => {
                let own = names.iter().filter(|name| self.0.contains(**name)).count();
                (own > 0, own < names.len())
            }
            None => (false, true),
        }
    }
}

impl BothSides {
    /// What is wrong with it and what to do, of a group with the source `source`.
    pub(crate) fn problem(&self, source: &str) -> String {
        let list = |selectors: &[String]| selectors.join(", ");
        format!(
            "the expression looks at {} of the source {source:?} and at {} of this engine's own rules, and neither side \
             has the other's series; record what is wanted of {source:?} by a rule of its own and look at what that records",
            list(&self.there),
            list(&self.here)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecordingRule;

    #[track_caller]
    fn check(query: &str, expected: Result<Home, &str>) {
        let group =
            RuleGroup::new("g").with_rules([RecordingRule::new("a:b", "x"), RecordingRule::new("c:d", "x")]);
        let home = OwnMetrics::of([&group]).home(&query.parse().unwrap());
        let found = home.map_err(|sides| format!("{} | {}", sides.here.join(" "), sides.there.join(" ")));
        assert_eq!(found, expected.map_err(str::to_owned), "{query}");
    }

    #[test]
    fn queries_are_answered_where_their_series_are() {
        check("up == 0", Ok(Home::There));
        check("sum(rate(a:b{x=\"y\"}[5m])) > 1 and on () c:d offset 1h", Ok(Home::Here));
        check("ALERTS{alertstate=\"firing\"} unless ALERTS_FOR_STATE > 1", Ok(Home::Here));
        check("{__name__=~\"a:b|c:d\"}", Ok(Home::Here));
        check("max_over_time(a:b[5m:1m]) > a:b", Ok(Home::Here));
        // A heartbeat shows that the source answers.
        check("vector(1)", Ok(Home::There));
        check("{job=\"x\"}", Ok(Home::There));
        check("{__name__=~\"a:.*\"}", Ok(Home::There));
        check("a:b > up{x=\"y\"} + rate(down[5m])", Err("a:b | up{x=\"y\"} down[5m]"));
        check("{__name__=~\"a:b|up\"}", Err("{__name__=~\"a:b|up\"} | {__name__=~\"a:b|up\"}"));
        check("info(a:b)", Err("a:b | target_info"));
    }
}
