//! A schedule.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::Window;
use super::rhythm::Rhythm;
use crate::{Result, Timetable};

/// Slots that one look may consider. A pattern that never falls into its windows ends here.
const LOOKAHEAD_MAX: usize = 10_000;

/// When a job is to run: a rhythm and the windows that it keeps. A job hands it to its supervisor as
/// [`Activation::At`](crate::Activation::At).
///
/// ```
/// use alfred_ops_core::Schedule;
/// use chrono::{DateTime, Utc};
/// use chrono_tz::Europe::Berlin;
///
/// let nightly = Schedule::cron("30 2 * * *", Berlin)?;
/// let evening: DateTime<Utc> = "2026-03-28T20:00:00Z".parse().unwrap();
/// // On that night the clock jumps from 2:00 to 3:00; the run comes at the first moment after the gap.
/// assert_eq!(nightly.next_after(evening).unwrap().to_rfc3339(), "2026-03-29T01:00:00+00:00");
/// # Ok::<(), alfred_ops_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Schedule {
    rhythm: Rhythm,
    maintenance: Vec<Window>,
    blackouts: Vec<Window>,
    jitter: Duration,
}

impl Schedule {
    /// Every `period`, in step with the Unix epoch, so that all replicas agree on the slots.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for a period under 10 ms.
    pub fn every(period: Duration) -> Result<Self> {
        Rhythm::every(period, DateTime::UNIX_EPOCH).map(Self::of)
    }

    /// Every `period`, in step with `anchor`.
    ///
    /// # Errors
    /// As [`every`](Self::every).
    pub fn every_from(period: Duration, anchor: DateTime<Utc>) -> Result<Self> {
        Rhythm::every(period, anchor).map(Self::of)
    }

    /// By a cron pattern of five fields (six with seconds first) on the wall clock of `zone`.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for text that is no pattern.
    pub fn cron(pattern: &str, zone: Tz) -> Result<Self> {
        Rhythm::cron(pattern, zone).map(Self::of)
    }

    fn of(rhythm: Rhythm) -> Self {
        Self { rhythm, maintenance: Vec::new(), blackouts: Vec::new(), jitter: Duration::ZERO }
    }

    /// Only slots inside one of the maintenance windows count. May be called several times.
    #[must_use]
    pub fn with_maintenance(mut self, window: Window) -> Self {
        self.maintenance.push(window);
        self
    }

    /// Slots inside a blackout do not count. May be called several times.
    #[must_use]
    pub fn with_blackout(mut self, window: Window) -> Self {
        self.blackouts.push(window);
        self
    }

    /// Moves all slots by a span below `max` that depends on the job's name alone: the same on every replica
    /// and in every run, so that many jobs of one rhythm do not start at once.
    #[must_use]
    pub fn with_jitter(mut self, job: &str, max: Duration) -> Self {
        // FNV-1a (64 bits): spreads short names well and never changes between versions.
        let hash = job.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let max = u64::try_from(max.as_nanos()).unwrap_or(u64::MAX);
        self.jitter = Duration::from_nanos(if max == 0 { 0 } else { hash % max });
        self
    }

    /// The first slot after `time`; none if there is none within 10,000 slots of the rhythm. Windows are
    /// kept by the slot before its jitter.
    #[must_use]
    pub fn next_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let jitter = TimeDelta::from_std(self.jitter).ok()?;
        let first = self.rhythm.next_after(time.checked_sub_signed(jitter)?);
        let mut slots = std::iter::successors(first, |slot| self.rhythm.next_after(*slot));
        let slot = slots.by_ref().take(LOOKAHEAD_MAX).find(|slot| self.allows(*slot))?;
        slot.checked_add_signed(jitter)
    }

    fn allows(&self, slot: DateTime<Utc>) -> bool {
        let within = |windows: &[Window]| windows.iter().any(|window| window.contains(slot));
        (self.maintenance.is_empty() || within(&self.maintenance)) && !within(&self.blackouts)
    }
}

impl Timetable for Schedule {
    fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.next_after(after)
    }
}
