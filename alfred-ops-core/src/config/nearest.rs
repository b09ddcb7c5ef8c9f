//! The name that was probably meant.

/// The known name within two edits of `name`, the nearest first.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|known| (distance(name, known), *known))
        .filter(|(distance, known)| *distance <= 2 && *distance < known.chars().count())
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein's edit distance.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, from) in from.chars().enumerate() {
        let mut diagonal = line;
        row[0] = line + 1;
        for (column, to) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_recognised_and_other_words_are_not() {
        let known = ["bucket", "prefix", "region"];
        assert_eq!(nearest("bukcet", &known), Some("bucket"));
        assert_eq!(nearest("regon", &known), Some("region"));
        assert_eq!(nearest("endpoint", &known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
