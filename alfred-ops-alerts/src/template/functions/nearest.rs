//! What somebody meant to write.

/// The known name that is nearest to `name`, if one is near: letters of the wrong case, or two of them wrong at most.
pub(in crate::template) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let wanted = name.to_lowercase();
    let allowed = if name.chars().count() < 5 { 1 } else { 2 };
    known
        .map(|candidate| (distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out or changed to get from one to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, from_char) in from.chars().take(64).enumerate() {
        let mut diagonal = line;
        row[0] = line + 1;
        for (column, to_char) in to.iter().enumerate() {
            let above = row[column + 1];
            let changed = diagonal + usize::from(from_char != *to_char);
            row[column + 1] = changed.min(above + 1).min(row[column] + 1);
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or(0)
}
