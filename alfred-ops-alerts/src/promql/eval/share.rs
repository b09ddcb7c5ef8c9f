//! Which series make a share of all.

use alfred_ops_core::Labels;
use xxhash_rust::xxh64::Xxh64;

/// From this length on it takes a mark and three bytes instead of one.
const LONG: usize = 255;

/// Whether a series belongs to the share of all series that `ratio` names; a negative one names the rest.
///
/// The share is the one that Prometheus takes: series by the xxHash of their labels, each name and value behind its length
/// (as 3.5 lays labels out in memory).
#[expect(clippy::cast_precision_loss, reason = "a hash needs no more than 53 bits here")]
pub(super) fn has_share(labels: &Labels, ratio: f64) -> bool {
    let offset = hash(labels) as f64 / u64::MAX as f64;
    if ratio >= 0.0 { offset < ratio } else { offset >= 1.0 + ratio }
}

fn hash(labels: &Labels) -> u64 {
    let mut hasher = Xxh64::new(0);
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes();
        match text.len() {
            0..LONG => hasher.update(&length[..1]),
            LONG.. => {
                hasher.update(&[u8::MAX]);
                hasher.update(&length[..3]);
            }
        }
        hasher.update(text.as_bytes());
    }
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `limit_ratio(0.5, m)` leaves of series in promtool 3.5.3.
    #[test]
    fn shares_are_those_of_prometheus() {
        let series = |number: usize| {
            let (i, job) = (number.to_string(), format!("j{}", number % 3));
            Labels::metric("m").with("i", &i).with("job", &job)
        };
        let half: Vec<usize> = (0..40).filter(|number| has_share(&series(*number), 0.5)).collect();
        let theirs = [0, 1, 2, 3, 7, 8, 11, 13, 14, 15, 17, 18, 20, 21, 23, 25, 26, 29, 30, 31, 33, 34, 39];
        assert_eq!(half, theirs);
        let rest: Vec<usize> = (0..40).filter(|number| has_share(&series(*number), -0.5)).collect();
        assert!((0..40).all(|number| half.contains(&number) != rest.contains(&number)));
    }

    /// The same of series with long labels.
    #[test]
    fn long_labels_have_long_lengths() {
        let series = |number: usize| Labels::metric("m").with("long", &"x".repeat(245 + number));
        let half: Vec<usize> = (0..20).filter(|number| has_share(&series(*number), 0.5)).collect();
        assert_eq!(half, THEIRS_OF_LONG);
    }

    const THEIRS_OF_LONG: [usize; 9] = [0, 1, 2, 4, 7, 8, 10, 12, 15];
}
