//! How a native histogram is written and read.

use std::ops::RangeInclusive;

use alfred_ops_core::Result;
use alfred_ops_core::histogram::{Histogram, ResetHint, SCHEMA_CUSTOM, SCHEMA_MAX, SCHEMA_MIN};

use super::reader::{Reader, corrupt};
use super::writer::Writer;

/// A histogram takes at least so many bytes: a time, schema, hint, four floats and three counts.
pub(super) const BYTES_MIN: usize = 38;
/// Beyond these no bucket of any schema holds a float: 2^8 buckets for each of the 2^11 exponents.
const INDEXES: RangeInclusive<i32> = -(1 << 19)..=1 << 19;

/// Whether a histogram keeps the rules of its schema.
pub(super) fn is_sound(histogram: &Histogram) -> bool {
    let Histogram { schema, positive, negative, custom_bounds: bounds, .. } = histogram;
    let ascending = |buckets: &[(i32, f64)]| buckets.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let within =
        |range: RangeInclusive<i32>| positive.iter().chain(negative).all(|(index, _)| range.contains(index));
    let kind = if *schema == SCHEMA_CUSTOM {
        let last = i32::try_from(bounds.len()).unwrap_or(i32::MAX);
        negative.is_empty() && within(0..=last) && bounds.is_sorted()
    } else {
        (SCHEMA_MIN..=SCHEMA_MAX).contains(schema) && bounds.is_empty() && within(INDEXES)
    };
    kind && ascending(positive) && ascending(negative)
}

pub(super) fn write(histogram: &Histogram, writer: &mut Writer) {
    writer.signed(i64::from(histogram.schema));
    writer.byte(match histogram.reset_hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    });
    for value in [histogram.count, histogram.sum, histogram.zero_threshold, histogram.zero_count] {
        writer.float(value);
    }
    for buckets in [&histogram.positive, &histogram.negative] {
        writer.count(buckets.len());
        for (index, count) in buckets {
            writer.signed(i64::from(*index));
            writer.float(*count);
        }
    }
    writer.count(histogram.custom_bounds.len());
    histogram.custom_bounds.iter().for_each(|bound| writer.float(*bound));
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Histogram> {
    let schema = reader.narrow()?;
    let reset_hint = match reader.byte()? {
        0 => ResetHint::Unknown,
        1 => ResetHint::Reset,
        2 => ResetHint::NotReset,
        3 => ResetHint::Gauge,
        _ => return Err(corrupt("a histogram has an unknown hint")),
    };
    let [count, sum, zero_threshold, zero_count] =
        [reader.float()?, reader.float()?, reader.float()?, reader.float()?];
    let positive = read_buckets(reader)?;
    let negative = read_buckets(reader)?;
    let bounds =
        (0..reader.count(size_of::<f64>())?).map(|_| reader.float()).collect::<Result<Vec<f64>>>()?;
    let histogram = Histogram {
        schema,
        reset_hint,
        count,
        sum,
        zero_threshold,
        zero_count,
        positive,
        negative,
        custom_bounds: bounds.into(),
    };
    if is_sound(&histogram) { Ok(histogram) } else { Err(corrupt("a histogram does not keep to its schema")) }
}

fn read_buckets(reader: &mut Reader<'_>) -> Result<Vec<(i32, f64)>> {
    (0..reader.count(1 + size_of::<f64>())?).map(|_| Ok((reader.narrow()?, reader.float()?))).collect()
}
