//! Alerts that are to last longer than their series live.

use super::patient::Patient;
use super::{FindingKind, Severity};
use crate::promql::ast::NodeKind;
use crate::promql::{Window, format_duration};

/// Of fewer series that came and went nothing can be said.
const SERIES_MIN: usize = 3;
/// How many series are looked at.
const SERIES_MAX: usize = 500;

/// Looks whether any series of the expression has lived for as long as the rule's `for`.
pub(super) fn examine(patient: &mut Patient<'_>) {
    let wanted = i64::try_from(patient.for_duration.as_millis()).unwrap_or(i64::MAX);
    let lookback = patient.options.lookback_millis;
    // Ranges and aggregations keep an expression alive beyond its series.
    let mut selector = None;
    patient.query.root().walk(&mut |node| match &node.kind {
        NodeKind::Selector(own) if selector.is_none() => selector = Some((own, node.span)),
        NodeKind::Range { .. }
        | NodeKind::Aggregate { .. }
        | NodeKind::Subquery { .. }
        | NodeKind::Selector(_) => {
            selector = None;
        }
        _ => {}
    });
    let plain = !has_aggregation(patient);
    let Some((selector, span)) = selector.filter(|_| plain && wanted > lookback) else { return };
    let start = patient.now.saturating_sub(patient.history);
    let (mut ended, mut longest) = (0_usize, 0);
    for series in patient.source.select(&selector.matchers).into_iter().take(SERIES_MAX) {
        let mut window = Window::default();
        patient.source.window(series, start, patient.now, &mut window);
        let (Some((first, _)), Some((last, _))) = (window.floats.first(), window.floats.last()) else {
            continue;
        };
        if patient.now - last <= lookback {
            // One that still lives may live as long as it takes.
            return;
        }
        ended += 1;
        longest = longest.max(last - first + lookback);
    }
    if ended >= SERIES_MIN && longest < wanted {
        let text = format!(
            "the alert must hold for {}, but of {ended} series that came and went none was there for longer than {}",
            format_duration(wanted),
            format_duration(longest),
        );
        patient.find(FindingKind::ForTooLong, Severity::Fatal, span, text);
    }
}

fn has_aggregation(patient: &Patient<'_>) -> bool {
    let mut found = false;
    patient.query.root().walk(&mut |node| {
        found |= matches!(
            &node.kind,
            NodeKind::Aggregate { .. } | NodeKind::Range { .. } | NodeKind::Subquery { .. }
        );
    });
    found
}
