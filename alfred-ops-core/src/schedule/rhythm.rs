//! The bare sequence of slots.

use std::str::FromStr as _;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;

use crate::{Error, ErrorKind, Result};

/// The shortest period that makes sense for a job; it also keeps arithmetic away from zero.
const PERIOD_MIN: Duration = Duration::from_millis(10);

/// The bare sequence of slots.
#[derive(Debug, Clone)]
pub(super) enum Rhythm {
    /// Fixed steps from an anchor, without regard to any wall clock.
    Every { period: TimeDelta, anchor: DateTime<Utc> },
    /// A cron pattern on the wall clock of a time zone.
    Cron { pattern: Box<Cron>, zone: Tz },
}

impl Rhythm {
    pub(super) fn every(period: Duration, anchor: DateTime<Utc>) -> Result<Self> {
        let usable = TimeDelta::from_std(period).ok().filter(|_| period >= PERIOD_MIN);
        let period = usable.ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                "make schedule",
                format!("the period {period:?} is out of range"),
            )
            .with_remedy("use 10 ms or more")
        })?;
        Ok(Self::Every { period, anchor })
    }

    pub(super) fn cron(pattern: &str, zone: Tz) -> Result<Self> {
        let pattern = Cron::from_str(pattern).map_err(|source| {
            Error::new(ErrorKind::InvalidInput, "make schedule", format!("{pattern:?} is no cron pattern"))
                .with_remedy("write minute hour day month weekday, such as \"0 3 * * 0\"")
                .with_source(source)
        })?;
        Ok(Self::Cron { pattern: Box::new(pattern), zone })
    }

    /// The first slot after `time`; none once time runs out.
    ///
    /// On days when the wall clock jumps, fixed times run once: inside the gap at the first moment after it,
    /// in a repeated hour at its first occurrence. Patterns with wildcards or steps in minute or hour keep
    /// their rhythm in elapsed time (the rules of Vixie cron).
    pub(super) fn next_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every { period, anchor } => {
                let elapsed = (time - *anchor).num_nanoseconds();
                let step = period.num_nanoseconds();
                match elapsed.zip(step) {
                    Some((elapsed, step)) => {
                        let steps = elapsed.div_euclid(step).checked_add(1)?;
                        anchor.checked_add_signed(TimeDelta::nanoseconds(steps.checked_mul(step)?))
                    }
                    // Further than 292 years from the anchor: no host runs that long.
                    None => None,
                }
            }
            Self::Cron { pattern, zone } => {
                let next = pattern.find_next_occurrence(&time.with_timezone(zone), false).ok()?;
                Some(next.with_timezone(&Utc)).filter(|next| *next > time)
            }
        }
    }
}
