//! Times as people say them.

use chrono::{DateTime, TimeDelta, Utc};

/// A time span in its two largest units.
pub(super) fn span(span: TimeDelta) -> String {
    let (days, hours, minutes) = (span.num_days(), span.num_hours() % 24, span.num_minutes() % 60);
    let seconds = span.num_seconds() % 60;
    let (large, small) = match (days, hours, minutes) {
        (0, 0, 0) => return format!("{seconds} s"),
        (0, 0, _) => ((minutes, "m"), (seconds, "s")),
        (0, ..) => ((hours, "h"), (minutes, "m")),
        _ => ((days, "d"), (hours, "h")),
    };
    let part = |(count, unit): (i64, &str)| format!("{count} {unit}");
    if small.0 == 0 { part(large) } else { format!("{} {}", part(large), part(small)) }
}

/// How long ago that was.
pub(super) fn ago(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    format!("{} ago", span(now - time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_are_enough() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 m"),
            (61, "1 m 1 s"),
            (3_600, "1 h"),
            (3_661, "1 h 1 m"),
            (86_400, "1 d"),
            (365 * 86_400 + 7_200, "365 d 2 h"),
        ] {
            assert_eq!(span(TimeDelta::seconds(seconds)), text);
        }
    }
}
