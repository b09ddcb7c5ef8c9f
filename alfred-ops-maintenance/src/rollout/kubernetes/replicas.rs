//! Shares of traffic as numbers of replicas.

use std::collections::BTreeMap;

use super::super::TrafficSplit;

/// How many of `total` replicas each revision has. Whoever has a share has at least one, so that there may be more together.
pub(super) fn replicas_of(split: &TrafficSplit, total: u32) -> BTreeMap<String, u32> {
    let exact = |percent: u8| u64::from(total) * u64::from(percent);
    let mut parts: Vec<(&str, u64, u32)> = split
        .shares()
        .map(|(revision, percent)| (revision, exact(percent) % 100, whole(exact(percent) / 100)))
        .collect();
    let given: u32 = parts.iter().map(|(.., count)| *count).sum();
    // What is left goes to the largest remainders, and of equal ones to the larger share.
    parts.sort_by_key(|(_, rest, count)| std::cmp::Reverse((*rest, *count)));
    for (.., count) in parts.iter_mut().take(usize::try_from(total - given).unwrap_or(usize::MAX)) {
        *count += 1;
    }
    while let Some(empty) = parts.iter().position(|(.., count)| *count == 0) {
        parts[empty].2 = 1;
        if let Some((.., most)) = parts.iter_mut().max_by_key(|(.., count)| *count).filter(|most| most.2 > 1)
        {
            *most -= 1;
        }
    }
    parts.into_iter().map(|(revision, _, count)| (revision.to_owned(), count)).collect()
}

fn whole(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The numbers for people, with the shares that they really are.
pub(super) fn shown(replicas: &BTreeMap<String, u32>) -> String {
    let sum: u32 = replicas.values().sum();
    let one = |(revision, count): (&String, &u32)| {
        let percent = f64::from(*count) * 100.0 / f64::from(sum.max(1));
        format!("{count} of {revision} ({percent:.1} %)")
    };
    replicas.iter().map(one).collect::<Vec<_>>().join(", ")
}
