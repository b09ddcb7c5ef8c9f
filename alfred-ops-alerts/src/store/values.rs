//! The values of a series' samples.

use super::times::grow;

/// Values of a series, in as few bytes as give every one of them back to the bit.
///
/// Metrics are mostly constants, whole numbers and short decimals. These are held as differences from a base, of
/// one, two or four bytes each; what does not fit is held as it is. Every value can be read by its place.
#[derive(Debug, Clone)]
pub(super) enum Values {
    Constant { value: f64, len: usize },
    Scaled { base: i64, digits: u8, deltas: Deltas },
    Raw(Vec<f64>),
}

#[derive(Debug, Clone)]
pub(super) enum Deltas {
    One(Vec<u8>),
    Two(Vec<u16>),
    Four(Vec<u32>),
}

/// Decimals behind the point that are tried.
pub(super) const DIGITS_MAX: u8 = 9;
const POWERS: [f64; 10] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/// Up to here a float holds every whole number.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// The same as a whole number.
pub(super) const BASE_MAX: i64 = 1 << 53;

impl Default for Values {
    fn default() -> Self {
        Self::Constant { value: 0.0, len: 0 }
    }
}

/// The whole number of which `value` is the `10^digits`th part, if it is to the bit.
fn scaled(value: f64, digits: u8) -> Option<i64> {
    let power = POWERS.get(usize::from(digits)).copied()?;
    let whole = (value * power).round();
    // Zero is the one whole number that has a sign of its own as a float.
    let negative_zero = whole == 0.0 && value.is_sign_negative();
    if negative_zero
        || whole.is_nan()
        || whole.abs() >= WHOLE_MAX
        || (whole / power).to_bits() != value.to_bits()
    {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
    let whole = whole as i64;
    Some(whole)
}

#[expect(clippy::cast_precision_loss, reason = "below 2^53, as it was when it came in")]
fn unscaled(whole: i64, digits: u8) -> f64 {
    whole as f64 / POWERS[usize::from(digits)]
}

impl Deltas {
    const fn len(&self) -> usize {
        match self {
            Self::One(deltas) => deltas.len(),
            Self::Two(deltas) => deltas.len(),
            Self::Four(deltas) => deltas.len(),
        }
    }

    fn at(&self, index: usize) -> i64 {
        match self {
            Self::One(deltas) => deltas.get(index).copied().map_or(0, i64::from),
            Self::Two(deltas) => deltas.get(index).copied().map_or(0, i64::from),
            Self::Four(deltas) => deltas.get(index).copied().map_or(0, i64::from),
        }
    }

    /// Adds a difference if it fits.
    fn push(&mut self, delta: i64) -> bool {
        match self {
            Self::One(deltas) => u8::try_from(delta).is_ok_and(|delta| push(deltas, delta)),
            Self::Two(deltas) => u16::try_from(delta).is_ok_and(|delta| push(deltas, delta)),
            Self::Four(deltas) => u32::try_from(delta).is_ok_and(|delta| push(deltas, delta)),
        }
    }

    const fn capacity_bytes(&self) -> usize {
        match self {
            Self::One(deltas) => deltas.capacity(),
            Self::Two(deltas) => deltas.capacity() * 2,
            Self::Four(deltas) => deltas.capacity() * 4,
        }
    }
}

fn push<T>(deltas: &mut Vec<T>, delta: T) -> bool {
    grow(deltas);
    deltas.push(delta);
    true
}

impl Values {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Constant { len, .. } => *len,
            Self::Scaled { deltas, .. } => deltas.len(),
            Self::Raw(values) => values.len(),
        }
    }

    pub(super) fn at(&self, index: usize) -> f64 {
        match self {
            Self::Constant { value, .. } => *value,
            Self::Scaled { base, digits, deltas } => unscaled(base + deltas.at(index), *digits),
            Self::Raw(values) => values.get(index).copied().unwrap_or(f64::NAN),
        }
    }

    pub(super) fn push(&mut self, value: f64) {
        match self {
            Self::Constant { value: constant, len } if *len == 0 || constant.to_bits() == value.to_bits() => {
                (*constant, *len) = (value, *len + 1);
                return;
            }
            Self::Scaled { base, digits, deltas } => {
                if scaled(value, *digits).is_some_and(|whole| deltas.push(whole - *base)) {
                    return;
                }
            }
            Self::Raw(values) => {
                grow(values);
                values.push(value);
                return;
            }
            Self::Constant { .. } => {}
        }
        let mut all: Vec<f64> = (0..self.len()).map(|index| self.at(index)).collect();
        all.push(value);
        *self = Self::of(&all);
    }

    /// The narrowest form of these values.
    fn of(values: &[f64]) -> Self {
        let Some(first) = values.first().copied() else { return Self::default() };
        if values.iter().all(|value| value.to_bits() == first.to_bits()) {
            return Self::Constant { value: first, len: values.len() };
        }
        Self::narrow(values).unwrap_or_else(|| {
            let mut raw = Vec::with_capacity(values.len());
            raw.extend_from_slice(values);
            Self::Raw(raw)
        })
    }

    fn narrow(values: &[f64]) -> Option<Self> {
        let mut digits = 0;
        for value in values {
            while scaled(*value, digits).is_none() {
                digits += 1;
                if digits > DIGITS_MAX {
                    return None;
                }
            }
        }
        // Digits that a later value needed may be more than an earlier one can have.
        let wholes: Vec<i64> = values.iter().map(|value| scaled(*value, digits)).collect::<Option<_>>()?;
        let base = wholes.iter().copied().min()?;
        let widest = wholes.iter().copied().max()?.checked_sub(base)?;
        let mut deltas = match widest {
            0..=0xff => Deltas::One(Vec::with_capacity(wholes.len())),
            0x100..=0xffff => Deltas::Two(Vec::with_capacity(wholes.len())),
            _ => Deltas::Four(Vec::with_capacity(wholes.len())),
        };
        wholes.into_iter().all(|whole| deltas.push(whole - base)).then_some(Self::Scaled {
            base,
            digits,
            deltas,
        })
    }

    /// Forgets the first `count` values.
    pub(super) fn forget(&mut self, count: usize) {
        if let Self::Constant { len, .. } = self
            && *len > count
        {
            *len -= count;
            return;
        }
        let kept: Vec<f64> = (count..self.len()).map(|index| self.at(index)).collect();
        *self = Self::of(&kept);
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Constant { .. } => 0,
            Self::Scaled { deltas, .. } => deltas.capacity_bytes(),
            Self::Raw(values) => values.capacity() * size_of::<f64>(),
        }
    }

    /// Calls `visit` for each value of a range of places.
    pub(super) fn each(&self, places: std::ops::Range<usize>, mut visit: impl FnMut(usize, f64)) {
        match self {
            Self::Constant { value, .. } => places.for_each(|place| visit(place, *value)),
            Self::Scaled { base, digits, deltas } => {
                let (base, digits) = (*base, *digits);
                match deltas {
                    Deltas::One(deltas) => {
                        each(deltas, places, |place, delta| visit(place, unscaled(base + delta, digits)));
                    }
                    Deltas::Two(deltas) => {
                        each(deltas, places, |place, delta| visit(place, unscaled(base + delta, digits)));
                    }
                    Deltas::Four(deltas) => {
                        each(deltas, places, |place, delta| visit(place, unscaled(base + delta, digits)));
                    }
                }
            }
            Self::Raw(values) => {
                let start = places.start;
                for (index, value) in values.get(places).unwrap_or_default().iter().enumerate() {
                    visit(start + index, *value);
                }
            }
        }
    }
}

fn each<T: Copy + Into<i64>>(
    deltas: &[T],
    places: std::ops::Range<usize>,
    mut visit: impl FnMut(usize, i64),
) {
    let start = places.start;
    for (index, delta) in deltas.get(places).unwrap_or_default().iter().enumerate() {
        visit(start + index, (*delta).into());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes_for(values: &[f64]) -> usize {
        let mut held = Values::default();
        values.iter().for_each(|value| held.push(*value));
        let back: Vec<u64> = (0..held.len()).map(|index| held.at(index).to_bits()).collect();
        assert_eq!(back, values.iter().map(|value| value.to_bits()).collect::<Vec<_>>());
        held.heap_bytes()
    }

    #[test]
    fn usual_metrics_take_few_bytes() {
        assert_eq!(bytes_for(&[1.5; 100]), 0);
        let counter: Vec<f64> = (0..60).map(|index| 1e9 + f64::from(index) * 17.0).collect();
        assert!(bytes_for(&counter) <= 140);
        let seconds: Vec<f64> = (0..60).map(|index| f64::from(12_345_678 + index * 1490) / 100.0).collect();
        assert!(bytes_for(&seconds) <= 280);
        assert!(bytes_for(&[0.1, f64::NAN, -0.0, f64::INFINITY, 1e300]) >= 40);
    }

    proptest! {
        #[test]
        fn every_value_comes_back_to_the_bit(
            values in prop::collection::vec(
                prop_oneof![
                    any::<f64>(), (0_i32..100_000).prop_map(f64::from), (-500_i32..500).prop_map(|v| f64::from(v) / 100.0),
                    any::<u64>().prop_map(f64::from_bits), Just(-0.0),
                ],
                0..70,
            ),
            forgotten in 0_usize..80,
        ) {
            let mut held = Values::default();
            values.iter().for_each(|value| held.push(*value));
            let forgotten = forgotten.min(values.len());
            held.forget(forgotten);
            let expected: Vec<u64> = values[forgotten..].iter().map(|value| value.to_bits()).collect();
            prop_assert_eq!((0..held.len()).map(|index| held.at(index).to_bits()).collect::<Vec<_>>(), expected.clone());
            let mut visited = Vec::new();
            held.each(0..expected.len(), |_, value| visited.push(value.to_bits()));
            prop_assert_eq!(visited, expected);
        }
    }
}
