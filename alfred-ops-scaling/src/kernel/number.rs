//! From a real number to one of instances.

/// Without this small cut 20 × 0.3 / 0.6 would come out as 10.000000000000002 and round up.
const ROUNDING: f64 = 1e-9;

/// The smallest whole number that is not less; zero for what is no number, the largest for what is beyond all.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate, and not-a-number becomes zero"
)]
pub(crate) fn ceil(number: f64) -> u32 {
    (number - ROUNDING).ceil() as u32
}

/// The largest whole number that is not more; zero for what is no number, the largest for what is beyond all.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float casts saturate, and not-a-number becomes zero"
)]
pub(super) fn floor(number: f64) -> u32 {
    number.floor() as u32
}
