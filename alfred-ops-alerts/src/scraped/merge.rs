//! A page's labels together with its target's.

use alfred_ops_core::Labels;

const EXPORTED: &str = "exported_";

/// The labels of a page's sample together with its target's. Where both have one, the page's wins if `honor`
/// is set; otherwise the target's does and the page's is kept under a longer name.
pub(super) fn merge(sample: &Labels, target: &Labels, honor: bool) -> Labels {
    if honor {
        // Of equal names the last counts.
        return Labels::from_pairs(target.iter().chain(sample.iter()));
    }
    let mut conflicts: Vec<(&str, &str)> =
        target.iter().filter_map(|(name, _)| Some((name, sample.get(name)?))).collect();
    if conflicts.is_empty() {
        return Labels::from_pairs(sample.iter().chain(target.iter()));
    }
    // The shortest first, so that `exported_x` of the page makes way for the `x` that becomes it.
    conflicts.sort_by_key(|(name, _)| name.len());
    let mut renamed: Vec<(String, &str)> = Vec::new();
    for (name, value) in conflicts {
        let mut longer = format!("{EXPORTED}{name}");
        while sample.get(&longer).is_some()
            || target.get(&longer).is_some()
            || renamed.iter().any(|(taken, _)| *taken == longer)
        {
            longer.insert_str(0, EXPORTED);
        }
        renamed.push((longer, value));
    }
    let renamed = renamed.iter().map(|(name, value)| (&**name, *value));
    Labels::from_pairs(sample.iter().chain(target.iter()).chain(renamed))
}
