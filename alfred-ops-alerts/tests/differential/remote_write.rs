//! Samples in Prometheus' remote write protocol, version 1: protocol buffers within snappy, both by hand.

use alfred_ops_alerts::promql::SampleValue;
use alfred_ops_core::Labels;
use alfred_ops_core::histogram::{Histogram, ResetHint};

use crate::dataset::Samples;

/// The number that marks the end of a series.
const STALE: u64 = 0x7ff0_0000_0000_0002;

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

fn zigzag(value: i32) -> u64 {
    let value = i64::from(value);
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

fn double(out: &mut Vec<u8>, field: u64, bits: u64) {
    varint(out, field << 3 | 1);
    out.extend(bits.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, content: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, content.len() as u64);
    out.extend(content);
}

fn doubles(out: &mut Vec<u8>, field: u64, values: impl Iterator<Item = f64>) {
    let packed: Vec<u8> = values.flat_map(f64::to_le_bytes).collect();
    if !packed.is_empty() {
        bytes(out, field, &packed);
    }
}

/// Buckets as spans of consecutive indexes and their counts. Indexes of listed bounds count from zero, those of
/// exponential ones as the protocol has them.
fn buckets(out: &mut Vec<u8>, (spans, counts): (u64, u64), buckets: &[(i32, f64)]) {
    let mut next = 0;
    let mut place = 0;
    while place < buckets.len() {
        let first = buckets[place].0;
        let run = buckets[place..].iter().zip(first..).take_while(|((index, _), at)| index == at).count();
        let mut span = Vec::new();
        number(&mut span, 1, zigzag(first - next));
        number(&mut span, 2, run as u64);
        bytes(out, spans, &span);
        place += run;
        next = buckets[place - 1].0 + 1;
    }
    doubles(out, counts, buckets.iter().map(|(_, count)| *count));
}

fn histogram(at: i64, histogram: &Histogram) -> Vec<u8> {
    let mut out = Vec::new();
    double(&mut out, 2, histogram.count.to_bits());
    double(&mut out, 3, histogram.sum.to_bits());
    number(&mut out, 4, zigzag(histogram.schema));
    double(&mut out, 5, histogram.zero_threshold.to_bits());
    double(&mut out, 7, histogram.zero_count.to_bits());
    buckets(&mut out, (8, 10), &histogram.negative);
    buckets(&mut out, (11, 13), &histogram.positive);
    let hint = match histogram.reset_hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    };
    number(&mut out, 14, hint);
    number(&mut out, 15, at.cast_unsigned());
    doubles(&mut out, 16, histogram.custom_bounds.iter().copied());
    out
}

fn series(labels: &Labels, samples: &[(i64, Option<SampleValue>)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut pairs: Vec<(&str, &str)> = labels.iter().collect();
    pairs.sort_unstable();
    for (name, value) in pairs {
        let mut label = Vec::new();
        bytes(&mut label, 1, name.as_bytes());
        bytes(&mut label, 2, value.as_bytes());
        bytes(&mut out, 1, &label);
    }
    for (at, value) in samples {
        let bits = match value {
            Some(SampleValue::Histogram(value)) => {
                bytes(&mut out, 4, &histogram(*at, value));
                continue;
            }
            Some(SampleValue::Float(value)) => value.to_bits(),
            None => STALE,
        };
        let mut sample = Vec::new();
        double(&mut sample, 1, bits);
        number(&mut sample, 2, at.cast_unsigned());
        bytes(&mut out, 2, &sample);
    }
    out
}

/// The body of a request with the samples of `from..until`; empty if there are none.
pub(crate) fn body(all: &[(Labels, Samples)], from: i64, until: i64) -> Vec<u8> {
    let mut message = Vec::new();
    for (labels, samples) in all {
        let start = samples.partition_point(|(at, _)| *at < from);
        let end = samples.partition_point(|(at, _)| *at < until);
        if start < end {
            bytes(&mut message, 1, &series(labels, &samples[start..end]));
        }
    }
    if message.is_empty() { message } else { snappy(&message) }
}

/// Snappy without compression: the length, then everything as literals.
fn snappy(content: &[u8]) -> Vec<u8> {
    /// The tag of a literal whose length takes two bytes.
    const LITERAL: u8 = 61 << 2;
    let mut out = Vec::with_capacity(content.len() + 64);
    varint(&mut out, content.len() as u64);
    for chunk in content.chunks(1 << 16) {
        out.push(LITERAL);
        out.extend(u16::try_from(chunk.len() - 1).unwrap().to_le_bytes());
        out.extend(chunk);
    }
    out
}
