//! Recurring stretches of time.

use std::time::Duration;

use chrono::{
    DateTime, Datelike as _, Days, MappedLocalTime, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _, Utc,
    Weekday,
};
use chrono_tz::Tz;

use crate::{Error, ErrorKind, Result};

/// Wall clocks jump by at most this much at once.
const GAP_MAX_MINUTES: i64 = 180;
const LENGTH_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// A stretch of time that recurs on certain weekdays: a maintenance window or a blackout.
///
/// It begins at a wall time (in a gap, at the first moment after it; in a repeated hour, at its first
/// occurrence) and lasts a span of elapsed time, over midnight if need be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    days: Vec<Weekday>,
    start: NaiveTime,
    length: Duration,
    zone: Tz,
}

impl Window {
    /// A window on `days` (every day if empty).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for an empty window or one longer than a week.
    pub fn new(days: impl Into<Vec<Weekday>>, start: NaiveTime, length: Duration, zone: Tz) -> Result<Self> {
        if length.is_zero() || length > LENGTH_MAX {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "make window",
                format!("its length is {length:?}"),
            )
            .with_remedy("use more than nothing and at most seven days"));
        }
        Ok(Self { days: days.into(), start, length, zone })
    }

    /// Whether `time` lies within it. The end is excluded.
    #[must_use]
    pub fn contains(&self, time: DateTime<Utc>) -> bool {
        let today = time.with_timezone(&self.zone).date_naive();
        let reach = self.length.as_secs() / 86_400 + 1;
        (0..=reach).any(|back| {
            let Some(day) = today.checked_sub_days(Days::new(back)) else { return false };
            if !self.days.is_empty() && !self.days.contains(&day.weekday()) {
                return false;
            }
            let Some(start) = self.instant(day.and_time(self.start)) else { return false };
            let length = TimeDelta::from_std(self.length).unwrap_or(TimeDelta::MAX);
            start <= time && time < start.checked_add_signed(length).unwrap_or(DateTime::<Utc>::MAX_UTC)
        })
    }

    fn instant(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        (0..=GAP_MAX_MINUTES).find_map(|minutes| {
            let wall = wall.checked_add_signed(TimeDelta::minutes(minutes))?;
            match self.zone.from_local_datetime(&wall) {
                MappedLocalTime::Single(time) | MappedLocalTime::Ambiguous(time, _) => {
                    Some(time.with_timezone(&Utc))
                }
                MappedLocalTime::None => None,
            }
        })
    }
}
