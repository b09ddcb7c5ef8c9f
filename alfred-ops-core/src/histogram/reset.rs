//! Whether a histogram starts anew.

use super::{Histogram, ResetHint};

impl Histogram {
    /// Whether this histogram starts anew compared with the one before.
    ///
    /// A hint decides; without one, any count that shrank, and any change of layout that growing observations
    /// cannot explain, is a reset. Source: Prometheus' specification of native histograms.
    #[must_use]
    pub fn is_reset_after(&self, previous: &Self) -> bool {
        match self.reset_hint {
            ResetHint::Reset => return true,
            ResetHint::NotReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < previous.count || self.is_custom() != previous.is_custom() {
            return true;
        }
        if self.is_custom() {
            if self.custom_bounds == previous.custom_bounds {
                return shrank(&self.positive, &previous.positive);
            }
            let (mut now, mut before) = (self.clone(), previous.clone());
            now.match_custom_bounds(&mut before);
            return shrank(&now.positive, &before.positive);
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let mut before = previous.clone();
        before.widen_zero_bucket(self.zero_threshold);
        if before.zero_threshold.total_cmp(&self.zero_threshold).is_ne()
            || self.zero_count < before.zero_count
        {
            return true;
        }
        before.reduce_to(self.schema);
        shrank(&self.positive, &before.positive) || shrank(&self.negative, &before.negative)
    }
}

/// Whether any bucket of `before` counts less in `now`, or is missing there.
fn shrank(now: &[(i32, f64)], before: &[(i32, f64)]) -> bool {
    let mut rest = now.iter().peekable();
    before.iter().any(|(index, count)| {
        while rest.next_if(|(candidate, _)| candidate < index).is_some() {}
        let present =
            rest.peek().filter(|(candidate, _)| candidate == index).map_or(0.0, |(_, count)| *count);
        present < *count
    })
}
