//! Parts of a date, in UTC.

use chrono::{DateTime, Datelike as _, NaiveDate, Timelike as _, Utc};

use super::call::{argument, map_vector};
use super::context::Context;
use super::plan::CallPlan;
use super::vector::Vector;
use crate::promql::QueryError;
use crate::promql::ast::Function;

pub(super) const fn is_part(function: Function) -> bool {
    matches!(
        function,
        Function::DaysInMonth
            | Function::DayOfMonth
            | Function::DayOfWeek
            | Function::DayOfYear
            | Function::Hour
            | Function::Minute
            | Function::Month
            | Function::Year
    )
}

/// A part of the dates that samples name in seconds since 1970, or of the present one.
pub(super) fn part(call: &mut CallPlan, context: &mut Context<'_>, now: i64) -> Result<Vector, QueryError> {
    let function = call.function;
    let vector = if call.arguments.is_empty() {
        #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 milliseconds")]
        Vector::single(now as f64 / 1000.0)
    } else {
        argument(call, 0, context, now)?.vector()
    };
    map_vector(context, vector, |value| {
        let seconds = value.float()?;
        #[expect(clippy::cast_possible_truncation, reason = "seconds are cut off as Prometheus does")]
        let date = DateTime::<Utc>::from_timestamp(seconds as i64, 0);
        Some(date.map_or(f64::NAN, |date| of(function, date)))
    })
}

fn of(function: Function, date: DateTime<Utc>) -> f64 {
    f64::from(match function {
        Function::DaysInMonth => {
            let (year, month) =
                if date.month() == 12 { (date.year() + 1, 1) } else { (date.year(), date.month() + 1) };
            let last = NaiveDate::from_ymd_opt(year, month, 1).and_then(|first| first.pred_opt());
            last.map_or(0, |last| last.day())
        }
        Function::DayOfMonth => date.day(),
        Function::DayOfWeek => date.weekday().num_days_from_sunday(),
        Function::DayOfYear => date.ordinal(),
        Function::Hour => date.hour(),
        Function::Minute => date.minute(),
        Function::Month => date.month(),
        _ => return f64::from(date.year()),
    })
}
