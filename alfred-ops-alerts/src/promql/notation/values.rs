//! Values in expanding notation: `1 2 0+10x5 _ _x3 stale {{schema:0 count:1}}x2`.

use alfred_ops_core::histogram::ResetHint;

use super::literal::parse_histogram;
use crate::promql::{QueryError, SampleValue};

/// A series of more values is not what somebody wrote.
const VALUES_MAX: usize = 1_000_000;

/// What a series has at one interval.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// No sample.
    Missing,
    /// The mark that it ended.
    Stale,
    /// A sample.
    Value(SampleValue),
}

/// Reads values, in turn for each interval.
///
/// # Errors
/// What is wrong with them.
pub fn parse_values(text: &str) -> Result<Vec<Entry>, QueryError> {
    let mut entries = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (item, after) = next_item(rest);
        expand(item, &mut entries)?;
        if entries.len() > VALUES_MAX {
            return Err(QueryError::limit(format!("a series has more than {VALUES_MAX} values")));
        }
        rest = after.trim_start();
    }
    Ok(entries)
}

/// The text up to the next blank outside of a histogram.
fn next_item(text: &str) -> (&str, &str) {
    let mut depth = 0_usize;
    for (index, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            c if c.is_whitespace() && depth == 0 => return text.split_at(index),
            _ => {}
        }
    }
    (text, "")
}

fn fail(item: &str) -> QueryError {
    QueryError::syntax(format!("{item:?} is not a value of a series"))
        .with_hint("write 1, 0+10x5, 1x5, _, _x5, stale, or {{schema:0 sum:1 count:1 buckets:[1]}}")
}

fn expand(item: &str, entries: &mut Vec<Entry>) -> Result<(), QueryError> {
    let refused = || fail(item);
    if item.starts_with("{{") {
        return expand_histogram(item, entries);
    }
    let (value, times) = match item.rsplit_once('x') {
        // `0x1F` is a number.
        Some((value, times)) if !value.is_empty() && value != "0" && value != "-0" => {
            (value, Some(times.parse::<usize>().map_err(|_| refused())?))
        }
        Some(("0", times)) if times.len() < 3 && times.bytes().all(|byte| byte.is_ascii_digit()) => {
            ("0", Some(times.parse::<usize>().map_err(|_| refused())?))
        }
        _ => (item, None),
    };
    if times.is_some_and(|times| times > VALUES_MAX) {
        return Err(refused());
    }
    match value {
        "_" => entries.extend(std::iter::repeat_n(Entry::Missing, times.unwrap_or(1))),
        "stale" => entries.extend(std::iter::repeat_n(Entry::Stale, times.unwrap_or(1))),
        value => {
            // Behind the first sign and behind an exponent a sign does not part two numbers.
            let bytes = value.as_bytes();
            let parted = (1..bytes.len()).find(|index| {
                matches!(bytes[*index], b'+' | b'-') && !matches!(bytes[index - 1], b'e' | b'E')
            });
            let (start, step) = match parted.map(|index| value.split_at(index)) {
                Some((start, step)) => {
                    (number(start).ok_or_else(refused)?, number(step).ok_or_else(refused)?)
                }
                None => (number(value).ok_or_else(refused)?, 0.0),
            };
            if parted.is_some() && times.is_none() {
                return Err(refused());
            }
            let mut value = start;
            for repeat in 0..=times.unwrap_or(0) {
                if repeat > 0 {
                    value += step;
                }
                entries.push(Entry::Value(value.into()));
            }
        }
    }
    Ok(())
}

fn number(text: &str) -> Option<f64> {
    if let Some(digits) = text.strip_prefix("0x") {
        #[expect(clippy::cast_precision_loss, reason = "a literal is a float whatever it looks like")]
        return u64::from_str_radix(digits, 16).ok().map(|number| number as f64);
    }
    text.parse().ok()
}

fn expand_histogram(item: &str, entries: &mut Vec<Entry>) -> Result<(), QueryError> {
    let refused = || fail(item);
    let end = item.find("}}").ok_or_else(refused)? + 2;
    let (literal, rest) = item.split_at(end);
    let start = parse_histogram(literal)?;
    let (step, times) = if rest.is_empty() {
        (None, 0)
    } else if let Some(times) = rest.strip_prefix('x') {
        (None, times.parse::<usize>().map_err(|_| refused())?)
    } else {
        let sign = rest.get(..1).filter(|sign| matches!(*sign, "+" | "-")).ok_or_else(refused)?;
        let (literal, times) = rest.get(1..).and_then(|rest| rest.rsplit_once('x')).ok_or_else(refused)?;
        (Some((sign == "-", parse_histogram(literal)?)), times.parse::<usize>().map_err(|_| refused())?)
    };
    if times > VALUES_MAX {
        return Err(refused());
    }
    let mut histogram = start;
    for repeat in 0..=times {
        if repeat > 0
            && let Some((down, step)) = &step
        {
            let hint = histogram.reset_hint;
            let done = if *down { histogram.subtract(step) } else { histogram.add(step) };
            done.ok_or_else(|| {
                QueryError::syntax(format!("the two histograms of {item:?} have different kinds of buckets"))
            })?;
            if hint == ResetHint::Gauge || step.reset_hint == ResetHint::Gauge {
                histogram.reset_hint = ResetHint::Gauge;
            }
        }
        entries.push(Entry::Value(histogram.clone().into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[f64]) {
        let values: Vec<f64> = parse_values(text)
            .unwrap()
            .into_iter()
            .map(|entry| match entry {
                Entry::Value(value) => value.float().unwrap_or(f64::INFINITY),
                Entry::Missing => -1000.0,
                Entry::Stale => -2000.0,
            })
            .collect();
        assert_eq!(values, expected, "{text}");
    }

    #[test]
    fn values_are_expanded() {
        check("1 2.5 -3", &[1.0, 2.5, -3.0]);
        check("0+10x3", &[0.0, 10.0, 20.0, 30.0]);
        check("-1-2x2", &[-1.0, -3.0, -5.0]);
        check("1e-1+1e0x1", &[0.1, 1.1]);
        check("5x2 _ _x2 stale", &[5.0, 5.0, 5.0, -1000.0, -1000.0, -1000.0, -2000.0]);
        check("0x2", &[0.0, 0.0, 0.0]);
        check("{{count:1}}x1", &[f64::INFINITY, f64::INFINITY]);
        for text in ["1+2", "a", "1x", "{{count:1", "{{count:1}}+1x2", "1xx2"] {
            assert!(parse_values(text).is_err(), "{text}");
        }
    }
}
