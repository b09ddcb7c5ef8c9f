//! What is told beside an answer, and whether it is the same.

use std::collections::BTreeSet;

/// The end of what the server tells where it tells not everything.
const OMITTED: &str = "annotations omitted";

/// Equal texts, and each place of theirs is one of ours: of equal texts 3.5 keeps one place only, and the place of what
/// concerns a subquery it has forgotten. With `more` they may tell more than we.
pub(crate) fn same_annotations(
    expression: &str,
    more: bool,
    ours: &BTreeSet<String>,
    theirs: &BTreeSet<String>,
) -> bool {
    let told = |texts: &BTreeSet<String>| -> BTreeSet<String> {
        texts.iter().filter(|text| comparable(text, expression)).map(|text| without_details(text)).collect()
    };
    let (ours, theirs) = (&told(ours), &told(theirs));
    if theirs.iter().any(|text| text.ends_with(OMITTED)) {
        return !ours.is_empty();
    }
    let without_place =
        |text: &String| text.rsplit_once(" (").map_or_else(|| text.clone(), |(text, _)| text.to_owned());
    let texts = |all: &BTreeSet<String>| -> BTreeSet<String> { all.iter().map(without_place).collect() };
    let known =
        |text: &String| text.ends_with(" (1:1)") || ours.iter().any(|own| same_but_parentheses(own, text));
    if more {
        return texts(ours).is_subset(&texts(theirs));
    }
    texts(ours) == texts(theirs) && theirs.iter().all(known)
}

/// Whether the same is told of the same place, or of the parentheses around it: to which of them it belongs depends on
/// what the server has worked out beforehand.
fn same_but_parentheses(ours: &str, theirs: &str) -> bool {
    let parts = |text: &str| -> Option<(String, u32)> {
        let (text, column) = text.strip_suffix(')')?.rsplit_once(':')?;
        Some((text.to_owned(), column.parse().ok()?))
    };
    match (parts(ours), parts(theirs)) {
        (Some((text, own)), Some((other, column))) => text == other && own.abs_diff(column) <= 2,
        _ => ours == theirs,
    }
}

/// An annotation without the number that it tells, whose last digit may differ, and without the kinds of samples that do
/// not go together, of which 3.5 may tell the last ones only, and the name of a histogram, which 3.5 may have forgotten.
fn without_details(text: &str) -> String {
    let details = [", got ", "\": float ", "\": hist", "_quantile) for metric"]
        .iter()
        .find_map(|cut| text.split_once(cut));
    match (details, text.rsplit_once(" (")) {
        (Some((text, _)), Some((_, place))) => format!("{text} ({place}"),
        _ => text.to_owned(),
    }
}

/// What later versions than 3.5 tell and we too: that `sort` is in vain within a range query, that `irate` is asked of
/// what seems to be no counter, that histograms are added up of which some start anew and some do not.
fn comparable(text: &str, expression: &str) -> bool {
    let irate =
        text.starts_with("PromQL info: metric might not be a counter") && expression.contains("irate(");
    let resets = text.starts_with("PromQL warning: conflicting counter resets");
    !irate && !resets && !text.starts_with("PromQL warning: sort is ineffective")
}
