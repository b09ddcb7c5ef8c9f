//! What the answers hold.

use super::alert::value;

#[test]
fn values_look_as_in_go() {
    for (number, expected) in [
        (1.0, "1e+00"),
        (0.0, "0e+00"),
        (-12.5, "-1.25e+01"),
        (1e-7, "1e-07"),
        (1.5e123, "1.5e+123"),
        (f64::INFINITY, "+Inf"),
        (f64::NEG_INFINITY, "-Inf"),
        (f64::NAN, "NaN"),
    ] {
        assert_eq!(value(number), expected);
    }
}
