//! Quantiles of the normal distribution.

/// How many standard deviations lie below the quantile `p`, from one half on. Off by less than 0.00045 (Abramowitz and Stegun,
/// 26.2.23).
pub(super) fn normal_quantile(p: f64) -> f64 {
    let tail = (1.0 - p).clamp(1e-12, 0.5);
    let t = (-2.0 * tail.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    (t - above / below).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_tables() {
        for (p, z) in [(0.5, 0.0), (0.9, 1.2816), (0.975, 1.96), (0.999, 3.0902)] {
            assert!((normal_quantile(p) - z).abs() < 0.001, "{p}");
        }
    }
}
