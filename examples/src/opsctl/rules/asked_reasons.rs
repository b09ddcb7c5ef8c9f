//! Why a query comes to nothing at a server.

use alfred_ops_alerts::{AlertEngine, Explanation, Insight};
use alfred_ops_core::Labels;

use super::server::time;

/// Why the rule `name` comes to nothing, a reason a line, by asking what its parts come to; empty if that cannot be told.
pub(super) async fn why_empty(engine: &AlertEngine, name: &str, at: i64) -> Vec<String> {
    let explained = engine.explain_by_asking(name, &Labels::empty(), time(at)).await;
    explained.iter().filter(|whole| whole.samples == 0).flat_map(Explanation::culprits).map(reason).collect()
}

fn reason(part: &Explanation) -> String {
    let text = part.text.split_whitespace().collect::<Vec<_>>().join(" ");
    match (&part.error, &part.insight) {
        (Some(error), _) => format!("{text}: no answer: {error}"),
        (None, Some(Insight::Selector { matchers, series: 0 })) => of_selector(&text, matchers),
        (None, Some(Insight::Selector { series, .. })) => {
            format!("{text} names {series} series, but none has a sample then")
        }
        (None, Some(insight)) => format!("{text}: {insight}"),
        (None, None) => format!("{text} comes to nothing, although there is something of all its parts"),
    }
}

/// Of a selector that no series meets. Conditions are counted together with the metric's name.
fn of_selector(text: &str, matchers: &[(String, usize)]) -> String {
    let is_name = |matcher: &str| matcher.starts_with("__name__=");
    if matchers.iter().any(|(matcher, count)| is_name(matcher) && *count == 0) || matchers.len() < 2 {
        return format!("{text}: there is no such series");
    }
    let unmet: Vec<&str> =
        matchers.iter().filter(|(_, count)| *count == 0).map(|(matcher, _)| matcher.as_str()).collect();
    let series = "there are series of this name, but none with";
    if unmet.is_empty() {
        format!("{text}: {series} all these labels")
    } else {
        format!("{text}: {series} {}", unmet.join(", nor with "))
    }
}
