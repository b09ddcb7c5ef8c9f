//! The buckets of a distribution.

use google_cloud_api::model::Distribution;
use google_cloud_api::model::distribution::bucket_options::Options;

/// More buckets than any distribution has that was made to be looked at; Google's own have up to 200.
const BOUNDS_MAX: usize = 1000;

/// The upper bounds of a distribution's buckets, ascending, without infinity; `Err` with what is wrong with them.
pub(super) fn of(distribution: &Distribution) -> Result<Vec<f64>, &'static str> {
    let options = distribution.bucket_options.as_ref().and_then(|options| options.options.as_ref());
    // The first bucket lies below all finite ones.
    let numbers = |finite: i32| match usize::try_from(finite) {
        Ok(finite) if finite < BOUNDS_MAX => Ok((0..=finite).map(number)),
        _ => Err("its buckets are too many"),
    };
    let bounds: Vec<f64> = match options {
        None => Vec::new(),
        Some(Options::LinearBuckets(linear)) => {
            numbers(linear.num_finite_buckets)?.map(|index| linear.offset + linear.width * index).collect()
        }
        Some(Options::ExponentialBuckets(exponential)) => numbers(exponential.num_finite_buckets)?
            .map(|index| exponential.scale * exponential.growth_factor.powf(index))
            .collect(),
        Some(Options::ExplicitBuckets(explicit)) => explicit.bounds.clone(),
        Some(_) => return Err("its buckets have an unknown form"),
    };
    if bounds.len() > BOUNDS_MAX {
        return Err("its buckets are too many");
    }
    if bounds.iter().any(|bound| !bound.is_finite()) || !bounds.is_sorted_by(|left, right| left < right) {
        return Err("the bounds of its buckets do not ascend");
    }
    Ok(bounds)
}

#[expect(clippy::cast_precision_loss, reason = "at most a thousand")]
fn number(index: usize) -> f64 {
    index as f64
}

#[cfg(test)]
mod tests {
    use google_cloud_api::model::distribution::BucketOptions;
    use google_cloud_api::model::distribution::bucket_options::{Explicit, Exponential, Linear};

    use super::*;

    #[test]
    fn bounds_are_those_of_googles_documentation() {
        let bounds = |options: BucketOptions| of(&Distribution::new().set_bucket_options(options));
        let linear = |finite, width| {
            let linear = Linear::new().set_num_finite_buckets(finite).set_width(width).set_offset(5.0);
            BucketOptions::new().set_linear_buckets(linear)
        };
        let exponential = Exponential::new().set_num_finite_buckets(3).set_scale(0.5).set_growth_factor(2.0);
        let explicit = |bounds: &[f64]| {
            BucketOptions::new().set_explicit_buckets(Explicit::new().set_bounds(bounds.to_vec()))
        };
        assert_eq!(of(&Distribution::new()), Ok(Vec::new()));
        assert_eq!(bounds(linear(2, 10.0)), Ok(vec![5.0, 15.0, 25.0]));
        assert_eq!(
            bounds(BucketOptions::new().set_exponential_buckets(exponential)),
            Ok(vec![0.5, 1.0, 2.0, 4.0])
        );
        assert_eq!(bounds(explicit(&[0.0, 0.5])), Ok(vec![0.0, 0.5]));
        for wrong in [
            linear(i32::MAX, 1.0),
            linear(-1, 1.0),
            linear(3, 0.0),
            explicit(&[1.0, 1.0]),
            explicit(&[f64::NAN]),
        ] {
            assert!(bounds(wrong.clone()).is_err(), "{wrong:?}");
        }
    }
}
