//! How the samples of a series are written and read.

use alfred_ops_core::{Labels, Result};
use chrono::DateTime;

use super::histogram_form;
use super::reader::{Reader, corrupt};
use super::writer::Writer;
use crate::store::Series;
use crate::store::series::Rare;
use crate::store::times::Times;
use crate::store::values::{BASE_MAX, DIGITS_MAX, Deltas, Values};

const REGULAR: u8 = 0;
const IRREGULAR: u8 = 1;

const CONSTANT: u8 = 0;
const ONE_BYTE: u8 = 1;
const TWO_BYTES: u8 = 2;
const FOUR_BYTES: u8 = 4;
const RAW: u8 = 8;

/// Labels of one series beyond this are not written: shared texts could otherwise stand for more than fits into memory.
pub(super) const LABELS_BYTES_MAX: usize = 1 << 20;

/// Whether a series can be written so that it is read again.
pub(super) fn is_sound(series: &Series) -> bool {
    let times = [series.first_time(), series.last_time()];
    times.into_iter().flatten().all(is_date) && series.labels().heap_bytes() <= LABELS_BYTES_MAX
}

/// Writes all of a series but its labels.
pub(super) fn write(series: &Series, writer: &mut Writer) {
    write_times(&series.times, writer);
    write_values(&series.values, writer);
    let rare = series.rare.as_deref();
    let ends = rare.map(|rare| rare.ends.as_slice()).unwrap_or_default();
    writer.count(ends.len());
    let mut before = 0;
    for end in ends {
        writer.signed(end - before);
        before = *end;
    }
    // What does not keep the rules of its schema would make the whole unreadable.
    let histograms = rare.map(|rare| rare.histograms.as_slice()).unwrap_or_default().iter();
    let sound: Vec<_> = histograms.filter(|(_, histogram)| histogram_form::is_sound(histogram)).collect();
    writer.count(sound.len());
    let mut before = 0;
    for (millis, histogram) in sound {
        writer.signed(millis - before);
        before = *millis;
        histogram_form::write(histogram, writer);
    }
}

/// Reads the series with these labels, of which so many milliseconds are looked at.
pub(super) fn read(labels: Labels, keep_millis: i64, reader: &mut Reader<'_>) -> Result<Series> {
    let times = read_times(reader)?;
    let values = read_values(times.len(), reader)?;
    let mut rare = Rare::default();
    let mut before = 0;
    for place in 0..reader.count(1)? {
        before = later(before, place == 0, reader)?;
        rare.ends.push(before);
    }
    for place in 0..reader.count(histogram_form::BYTES_MIN)? {
        before = later(if place == 0 { 0 } else { before }, place == 0, reader)?;
        rare.histograms.push((before, histogram_form::read(reader)?.into()));
    }
    Ok(Series::held_before(labels, keep_millis, times, values, rare))
}

/// A time that is later than the one before it.
fn later(before: i64, is_first: bool, reader: &mut Reader<'_>) -> Result<i64> {
    let distance = reader.signed()?;
    if !is_first && distance <= 0 {
        return Err(corrupt("times do not ascend"));
    }
    before.checked_add(distance).filter(|millis| is_date(*millis)).ok_or_else(|| corrupt("a time is no date"))
}

/// Whether a time can be told as a date: with such times nothing overflows.
fn is_date(millis: i64) -> bool {
    DateTime::from_timestamp_millis(millis).is_some()
}

fn write_times(times: &Times, writer: &mut Writer) {
    writer.count(times.len());
    if times.len() == 0 {
        return;
    }
    match &times.offsets {
        None => {
            writer.byte(REGULAR);
            writer.signed(times.start);
            writer.signed(times.step);
        }
        Some(offsets) => {
            writer.byte(IRREGULAR);
            writer.signed(times.start);
            let mut before = 0;
            for offset in offsets.iter().skip(1) {
                writer.number(u64::from(offset - before));
                before = *offset;
            }
        }
    }
}

fn read_times(reader: &mut Reader<'_>) -> Result<Times> {
    let len = reader.size()?;
    if len == 0 {
        return Ok(Times::default());
    }
    let form = reader.byte()?;
    let start = Some(reader.signed()?).filter(|millis| is_date(*millis));
    let start = start.ok_or_else(|| corrupt("a time is no date"))?;
    match form {
        REGULAR => {
            let step = reader.signed()?;
            let reach = i64::try_from(len - 1).ok().and_then(|steps| step.checked_mul(steps));
            let fits = reach.is_some_and(|reach| u32::try_from(reach).is_ok() && is_date(start + reach));
            if !fits || (step > 0) != (len > 1) || step < 0 {
                return Err(corrupt("times do not ascend"));
            }
            Ok(Times { start, step, len, offsets: None })
        }
        IRREGULAR => {
            let mut offsets = Vec::new();
            offsets.reserve_exact(len.min(reader.left() + 1));
            offsets.push(0);
            let mut last = 0_u32;
            for _ in 1..len {
                let distance = u32::try_from(reader.number()?).ok().filter(|distance| *distance > 0);
                last = distance
                    .and_then(|distance| last.checked_add(distance))
                    .ok_or_else(|| corrupt("times do not ascend"))?;
                offsets.push(last);
            }
            if !is_date(start + i64::from(last)) {
                return Err(corrupt("a time is no date"));
            }
            Ok(Times { start, step: 0, len, offsets: Some(offsets) })
        }
        _ => Err(corrupt("times have an unknown form")),
    }
}

fn write_values(values: &Values, writer: &mut Writer) {
    match values {
        Values::Constant { len: 0, .. } => {}
        Values::Constant { value, .. } => {
            writer.byte(CONSTANT);
            writer.float(*value);
        }
        Values::Scaled { base, digits, deltas } => {
            writer.byte(match deltas {
                Deltas::One(_) => ONE_BYTE,
                Deltas::Two(_) => TWO_BYTES,
                Deltas::Four(_) => FOUR_BYTES,
            });
            writer.signed(*base);
            writer.byte(*digits);
            match deltas {
                Deltas::One(deltas) => writer.bytes(deltas),
                Deltas::Two(deltas) => deltas.iter().for_each(|delta| writer.bytes(&delta.to_le_bytes())),
                Deltas::Four(deltas) => deltas.iter().for_each(|delta| writer.bytes(&delta.to_le_bytes())),
            }
        }
        Values::Raw(values) => {
            writer.byte(RAW);
            values.iter().for_each(|value| writer.float(*value));
        }
    }
}

fn read_values(len: usize, reader: &mut Reader<'_>) -> Result<Values> {
    if len == 0 {
        return Ok(Values::default());
    }
    let form = reader.byte()?;
    match form {
        CONSTANT => Ok(Values::Constant { value: reader.float()?, len }),
        RAW => {
            let bytes = reader.bytes(len.saturating_mul(size_of::<f64>()))?;
            Ok(Values::Raw(chunks(bytes).map(u64::from_le_bytes).map(f64::from_bits).collect()))
        }
        ONE_BYTE | TWO_BYTES | FOUR_BYTES => {
            let base = reader.signed()?;
            let digits = reader.byte()?;
            if base.checked_abs().is_none_or(|base| base > BASE_MAX) || digits > DIGITS_MAX {
                return Err(corrupt("values have an unknown form"));
            }
            let bytes = reader.bytes(len.saturating_mul(usize::from(form)))?;
            let deltas = match form {
                ONE_BYTE => Deltas::One(bytes.to_vec()),
                TWO_BYTES => Deltas::Two(chunks(bytes).map(u16::from_le_bytes).collect()),
                _ => Deltas::Four(chunks(bytes).map(u32::from_le_bytes).collect()),
            };
            Ok(Values::Scaled { base, digits, deltas })
        }
        _ => Err(corrupt("values have an unknown form")),
    }
}

fn chunks<const N: usize>(bytes: &[u8]) -> impl ExactSizeIterator<Item = [u8; N]> {
    bytes.as_chunks().0.iter().copied()
}
