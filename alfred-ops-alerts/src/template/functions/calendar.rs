//! Functions of time.

use chrono::DateTime;

use super::arguments::float;
use super::{Arguments as _, Dialect, Failure, Function, Outcome, Scope};
use crate::promql;
use crate::template::{Span, Value, ZonedTime};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::exact("toTime", 1, |_, arguments| Ok(Value::Time(time_of(arguments.number(0)?)?)))
        .only_in(Dialect::Rule),
    Function::exact("toDuration", 1, |_, arguments| {
        Ok(Value::Span(Span::from_nanos(nanoseconds(arguments.number(0)?)?)))
    })
    .only_in(Dialect::Rule),
    Function::exact("now", 0, now_in_seconds).only_in(Dialect::Rule),
    Function::exact("now", 0, |scope, _| Ok(Value::from(scope.environment.now())))
        .only_in(Dialect::Notification),
    Function::exact("parseDuration", 1, parse_duration).only_in(Dialect::Rule),
    Function::exact("date", 2, |_, arguments| Ok(Value::from(arguments.time(1)?.format(arguments.text(0)?))))
        .only_in(Dialect::Notification),
    Function::exact("tz", 2, in_zone).only_in(Dialect::Notification),
    Function::exact("since", 1, |scope, arguments| {
        Ok(Value::Span(ZonedTime::from(scope.environment.now()).since(arguments.time(0)?)))
    })
    .only_in(Dialect::Notification),
];

/// Seconds as nanoseconds.
#[expect(clippy::cast_possible_truncation, reason = "what does not fit is refused before")]
fn nanoseconds(seconds: f64) -> Result<i64, Failure> {
    if !seconds.is_finite() {
        return Err("the value is NaN or Inf".into());
    }
    let nanos = seconds * 1e9;
    // 2^63 is the first float that does not fit.
    if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&nanos) {
        return Err(format!("{seconds} seconds are more than 292 years, which is out of range").into());
    }
    Ok(nanos as i64)
}

/// The moment so many seconds after 1970, to the millisecond as Prometheus counts.
pub(super) fn time_of(seconds: f64) -> Result<ZonedTime, Failure> {
    let millis = nanoseconds(seconds)? / 1_000_000;
    let time = DateTime::from_timestamp_millis(millis).ok_or("the time lies outside of the calendar")?;
    Ok(ZonedTime::from(time))
}

fn now_in_seconds(scope: &Scope<'_>, _: &[Value]) -> Outcome {
    Ok(Value::Float(float(scope.environment.now().timestamp_millis()) / 1000.0))
}

/// A duration such as `1h30m` in seconds.
fn parse_duration(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let text = arguments.text(0)?;
    let millis = promql::parse_duration(text)
        .ok_or_else(|| format!("{text:?} is no duration; write it as 1d, 90m or 1h30m"))?;
    Ok(Value::Float(float(millis) / 1000.0))
}

fn in_zone(_: &Scope<'_>, arguments: &[Value]) -> Outcome {
    let name = arguments.text(0)?;
    let time = arguments.time(1)?.in_zone(name).ok_or_else(|| {
        format!("there is no time zone {name:?}; take a name of the IANA list, such as \"Europe/Berlin\"")
    })?;
    Ok(Value::Time(time))
}
