//! How fast. Pure.

use std::fmt;
use std::time::Duration;

use crate::doctor::share;

/// The share of the time that is spent deleting never falls below this: a run that does nothing helps nobody.
const SHARE_MIN: f64 = 0.005;
/// What a calm beat adds to the share, and what a troubled one leaves of it.
const SHARE_STEP: f64 = 0.01;
const DECREASE: f64 = 0.5;
/// A calm beat adds this part of the first batch to the size of batches.
const BATCH_STEPS: u64 = 4;
/// One slow commit says little; the median of so many does.
const COMMITS: usize = 5;
/// No rest is longer: a run looks around at least so often.
const REST_MAX: Duration = Duration::from_secs(1);

/// When to be slower.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ThrottlePolicy {
    /// The application is disturbed when commits take so many times as long as before the run.
    pub commit_ratio_max: f64,
    /// Commits faster than this disturb nobody, whatever they took before.
    pub commit_floor: Duration,
    /// Replicas may be so many bytes behind.
    pub lag_bytes_max: u64,
    /// Replication slots may keep so many bytes of WAL; above that they may not keep more and more.
    pub slot_bytes_max: u64,
    /// While a VACUUM works on the table, so large a share of its rows may be dead; above that they may not become more.
    pub dead_share_max: f64,
    /// A batch aims at this length; a part of what the budget allows as the longest lock.
    pub batch_time: Duration,
    /// The largest share of the time that is spent deleting.
    pub share_max: f64,
    /// So many rows a second at most, however little of the time they take: commits of the application wait while the server
    /// flushes the log of what was deleted.
    pub rows_per_second_max: u32,
}

impl Default for ThrottlePolicy {
    /// Twice as slow as before and more than 5 ms; 64 MiB behind; 256 MiB of WAL for a slot; 40 % dead rows; batches of 1 ms, for at
    /// most a tenth of the time, and 75,000 rows a second: a commit of the application that comes right after a batch has little
    /// of its WAL to flush.
    fn default() -> Self {
        Self {
            commit_ratio_max: 2.0,
            commit_floor: Duration::from_millis(5),
            lag_bytes_max: 64 << 20,
            slot_bytes_max: 256 << 20,
            dead_share_max: 0.4,
            batch_time: Duration::from_millis(1),
            share_max: 0.1,
            rows_per_second_max: 75_000,
        }
    }
}

/// What is seen between two batches. What nobody could see is none, and disturbs nobody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pulse {
    /// How long the batch took.
    pub batch: Duration,
    /// How many rows it deleted.
    pub rows: u64,
    /// It was given up because it took too long.
    pub gave_up: bool,
    /// How long a commit of the application took.
    pub commit: Option<Duration>,
    /// How far the slowest replica is behind.
    pub lag_bytes: Option<u64>,
    /// Sessions that waited for a lock of this run.
    pub waiters: u64,
    /// How much WAL is kept for the slot that is furthest behind.
    pub slot_bytes: Option<u64>,
    /// How VACUUM fares with the table.
    pub vacuum: Option<VacuumPulse>,
}

/// How VACUUM fares with the table that rows are deleted from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VacuumPulse {
    /// Rows that are not dead.
    pub live: u64,
    /// Rows that are dead and not removed.
    pub dead: u64,
    /// Whether a VACUUM works on it.
    pub is_running: bool,
    /// Whether one that keeps the server from running out of transactions works on it or waits to.
    pub freezes: bool,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Pace {
    /// So much in the next batch.
    pub batch: u64,
    /// After such a rest.
    pub rest: Duration,
    /// Why it became slower, if it did.
    pub trouble: Option<Trouble>,
}

/// Why it became slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// Commits of the application are slow.
    Commits {
        /// Their median.
        median: Duration,
        /// What would do.
        limit: Duration,
    },
    /// A replica is behind.
    Lag {
        /// So many bytes.
        bytes: u64,
    },
    /// A replication slot keeps more and more WAL, which fills the server's disk if nobody reads it.
    Slot {
        /// So many bytes.
        bytes: u64,
    },
    /// Rows die faster than the VACUUM that works on the table removes them.
    DeadRows {
        /// So many are dead.
        dead: u64,
    },
    /// A VACUUM has to freeze the table before the server runs out of transactions.
    Freeze,
    /// Somebody waited for a lock of this run.
    Waiters {
        /// So many.
        count: u64,
    },
    /// A batch was given up.
    GaveUp,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Commits { median, limit } => write!(
                f,
                "commits take {:.1} ms, over {:.1} ms",
                median.as_secs_f64() * 1e3,
                limit.as_secs_f64() * 1e3
            ),
            Self::Lag { bytes } => write!(f, "a replica is {bytes} bytes behind"),
            Self::Slot { bytes } => {
                write!(f, "a replication slot keeps {bytes} bytes of WAL, and ever more")
            }
            Self::DeadRows { dead } => write!(f, "{dead} rows are dead, and VACUUM does not keep up"),
            Self::Freeze => f.write_str("a VACUUM has to freeze the table"),
            Self::Waiters { count } => write!(f, "{count} sessions waited for a lock of this run"),
            Self::GaveUp => f.write_str("a batch took too long and was given up"),
        }
    }
}

/// Chooses the size of batches and the rests between them: a little more while nobody is disturbed, half as much at once
/// when somebody is. Pure: the same beats give the same paces.
#[derive(Debug, Clone, PartialEq)]
pub struct Throttle {
    policy: ThrottlePolicy,
    batch: u64,
    batch_first: u64,
    batch_max: u64,
    share: f64,
    commit_limit: Option<Duration>,
    commits: Vec<Duration>,
    slot_bytes: Option<u64>,
    dead: Option<u64>,
    /// Whether the last look at replicas, slots and VACUUM was a troubled one.
    is_behind: bool,
}

impl Throttle {
    /// Begins with batches of `batch_first`, at most `batch_max`, at a quarter of the full speed. `commit` is how long
    /// commits took before the run; without it none is too slow.
    #[must_use]
    pub fn new(policy: ThrottlePolicy, batch_first: u64, batch_max: u64, commit: Option<Duration>) -> Self {
        let batch_max = batch_max.max(1);
        let batch = batch_first.clamp(1, batch_max);
        let ratio = policy.commit_ratio_max.max(1.0);
        let limit = |commit: Duration| {
            let seconds = commit.as_secs_f64() * ratio;
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX).max(policy.commit_floor)
        };
        Self {
            batch,
            batch_first: batch,
            batch_max,
            share: (share_max(&policy) / 4.0).max(SHARE_MIN),
            commit_limit: commit.map(limit),
            commits: Vec::new(),
            slot_bytes: None,
            dead: None,
            is_behind: false,
            policy,
        }
    }

    /// The size of the next batch.
    #[must_use]
    pub const fn batch(&self) -> u64 {
        self.batch
    }

    /// Takes in what was seen and says what to do next.
    pub fn beat(&mut self, pulse: &Pulse) -> Pace {
        if let Some(commit) = pulse.commit {
            if self.commits.len() == COMMITS {
                self.commits.remove(0);
            }
            self.commits.push(commit);
        }
        let trouble = self.trouble(pulse);
        if trouble.is_some() {
            self.share = (self.share * DECREASE).max(SHARE_MIN);
        } else if !self.is_behind && (pulse.commit.is_some() || self.commit_limit.is_none()) {
            // Faster only where it was seen that nobody minds, the slowest of those that are looked at most rarely too.
            self.share = (self.share + SHARE_STEP).min(share_max(&self.policy));
        }
        if pulse.gave_up || pulse.batch > self.policy.batch_time.saturating_mul(2) {
            self.batch = (self.batch / 2).max(1);
        } else if trouble.is_none() && pulse.batch < self.policy.batch_time {
            let step = (self.batch_first / BATCH_STEPS).max(1);
            self.batch = self.batch.saturating_add(step).min(self.batch_max);
        }
        Pace { batch: self.batch, rest: self.rest(pulse), trouble }
    }

    /// So long that neither the share of the time nor the rows in it become too many.
    #[expect(clippy::cast_precision_loss, reason = "a batch has fewer rows than that")]
    fn rest(&self, pulse: &Pulse) -> Duration {
        let batch = pulse.batch.as_secs_f64();
        let by_share = batch * (1.0 / self.share - 1.0);
        let by_rows = pulse.rows as f64 / f64::from(self.policy.rows_per_second_max.max(1)) - batch;
        Duration::try_from_secs_f64(by_share.max(by_rows)).unwrap_or(REST_MAX).min(REST_MAX)
    }

    fn trouble(&mut self, pulse: &Pulse) -> Option<Trouble> {
        let behind = self.behind(pulse);
        if pulse.lag_bytes.is_some() || pulse.slot_bytes.is_some() || pulse.vacuum.is_some() {
            self.is_behind = behind.is_some();
        }
        if pulse.gave_up {
            return Some(Trouble::GaveUp);
        }
        if pulse.waiters > 0 {
            return Some(Trouble::Waiters { count: pulse.waiters });
        }
        if behind.is_some() {
            return behind;
        }
        // A verdict on commits is given when there is a new one, so that each counts once.
        pulse.commit?;
        let (median, limit) = (self.commit_median()?, self.commit_limit?);
        (median > limit).then_some(Trouble::Commits { median, limit })
    }

    /// Who does not keep up with what this run writes.
    fn behind(&mut self, pulse: &Pulse) -> Option<Trouble> {
        // A slot that keeps much and not more has a reader that catches up, or this run is not what it waits for.
        let slot = pulse.slot_bytes.filter(|bytes| {
            let grew = self.slot_bytes.is_some_and(|before| *bytes > before);
            grew && *bytes > self.policy.slot_bytes_max
        });
        self.slot_bytes = pulse.slot_bytes.or(self.slot_bytes);
        let dead = pulse.vacuum.filter(|vacuum| {
            let grew = self.dead.is_some_and(|before| vacuum.dead > before);
            let rows = vacuum.live.saturating_add(vacuum.dead);
            vacuum.is_running && grew && share(vacuum.dead, rows) > self.policy.dead_share_max
        });
        self.dead = pulse.vacuum.map(|vacuum| vacuum.dead).or(self.dead);
        if let Some(bytes) = pulse.lag_bytes.filter(|bytes| *bytes > self.policy.lag_bytes_max) {
            return Some(Trouble::Lag { bytes });
        }
        if let Some(bytes) = slot {
            return Some(Trouble::Slot { bytes });
        }
        if pulse.vacuum.is_some_and(|vacuum| vacuum.freezes) {
            return Some(Trouble::Freeze);
        }
        dead.map(|vacuum| Trouble::DeadRows { dead: vacuum.dead })
    }

    fn commit_median(&self) -> Option<Duration> {
        let mut commits = self.commits.clone();
        commits.sort_unstable();
        commits.get(commits.len() / 2).copied().filter(|_| commits.len() == COMMITS)
    }
}

/// A share outside of what makes sense is brought back into it; what is no number is the smallest.
fn share_max(policy: &ThrottlePolicy) -> f64 {
    if policy.share_max.is_nan() { SHARE_MIN } else { policy.share_max.clamp(SHARE_MIN, 1.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn calm() -> Pulse {
        Pulse { batch: MS * 4 / 5, commit: Some(MS), lag_bytes: Some(0), ..Pulse::default() }
    }

    fn throttle() -> Throttle {
        Throttle::new(ThrottlePolicy::default(), 1_000, 20_000, Some(4 * MS))
    }

    #[test]
    fn calm_beats_add_a_little_and_trouble_halves() {
        let mut throttle = throttle();
        let first = throttle.beat(&calm());
        assert_eq!((first.batch, first.trouble), (1_250, None));
        for _ in 0..200 {
            throttle.beat(&calm());
        }
        let full = throttle.beat(&calm());
        assert_eq!((full.batch, full.rest.as_micros()), (20_000, 7_200), "a tenth of the time");
        for (pulse, text) in [
            (Pulse { waiters: 2, ..calm() }, "2 sessions waited"),
            (Pulse { lag_bytes: Some(65 << 20), ..calm() }, "68157440 bytes behind"),
            (Pulse { gave_up: true, ..calm() }, "was given up"),
        ] {
            let mut throttle = throttle.clone();
            let pace = throttle.beat(&pulse);
            assert!(pace.trouble.unwrap().to_string().contains(text), "{text}");
            assert_eq!(pace.rest.as_micros(), 15_200, "half as much");
            assert_eq!(pace.batch, if pulse.gave_up { 10_000 } else { 20_000 });
        }
    }

    #[test]
    fn rows_are_not_deleted_faster_than_they_may_be_however_quick_the_server_is() {
        let mut throttle = throttle();
        for _ in 0..200 {
            throttle.beat(&calm());
        }
        let rest = |rows: u64| throttle.clone().beat(&Pulse { rows, ..calm() }).rest.as_micros();
        assert_eq!((rest(0), rest(600)), (7_200, 7_200), "a tenth of the time");
        assert_eq!(rest(1_500), 19_200, "1,500 of 75,000 are a fiftieth of a second");
        assert_eq!(rest(u64::MAX), REST_MAX.as_micros());
    }

    #[test]
    fn one_slow_commit_is_chance_and_three_of_five_are_not() {
        let slow = Pulse { commit: Some(9 * MS), ..calm() };
        let mut throttle = throttle();
        for pulse in [calm(), calm(), calm(), slow, calm(), slow] {
            assert_eq!(throttle.beat(&pulse).trouble, None);
        }
        assert_eq!(throttle.beat(&calm()).trouble, None);
        let trouble = throttle.beat(&slow).trouble.unwrap();
        assert_eq!(trouble.to_string(), "commits take 9.0 ms, over 8.0 ms");
        // Quick commits may become slower up to the floor.
        let mut quick = Throttle::new(ThrottlePolicy::default(), 1, 1, Some(MS / 10));
        for _ in 0..9 {
            assert_eq!(quick.beat(&Pulse { commit: Some(5 * MS), ..calm() }).trouble, None);
        }
    }

    #[test]
    fn slots_that_keep_ever_more_and_outrun_vacuums_slow_it_down_until_they_do_not() {
        let slot = |mib: u64| Pulse { slot_bytes: Some(mib << 20), ..calm() };
        let vacuum = |dead: u64, is_running: bool| {
            let vacuum = VacuumPulse { live: 1_000, dead, is_running, freezes: false };
            Pulse { vacuum: Some(vacuum), ..calm() }
        };
        let frozen = VacuumPulse { freezes: true, ..VacuumPulse::default() };
        // What is seen, one look after the other, and which of these looks are troubled.
        let check = |seen: &[Pulse], troubled: &[bool]| {
            let mut throttle = throttle();
            let was: Vec<bool> = seen.iter().map(|pulse| throttle.beat(pulse).trouble.is_some()).collect();
            assert_eq!(was, troubled, "{seen:?}");
        };
        check(&[slot(300), slot(301), slot(301), slot(300), slot(310)], &[false, true, false, false, true]);
        check(&[slot(10), slot(256), slot(257)], &[false, false, true]);
        check(&[vacuum(600, true), vacuum(601, true), vacuum(666, true)], &[false, false, false]);
        check(&[vacuum(600, true), vacuum(700, true), vacuum(700, true)], &[false, true, false]);
        check(&[vacuum(600, false), vacuum(9_000, false)], &[false, false]);
        check(&[Pulse { vacuum: Some(frozen), ..calm() }, calm()], &[true, false]);

        // Between two looks nothing is known, so nothing becomes faster.
        let mut throttle = throttle();
        let unseen = Pulse { lag_bytes: None, ..calm() };
        throttle.beat(&slot(300));
        throttle.beat(&slot(301));
        let share = throttle.share;
        for _ in 0..9 {
            throttle.beat(&unseen);
        }
        assert!((throttle.share - share).abs() < 1e-9);
        throttle.beat(&slot(301));
        assert!(throttle.share > share);
        for (trouble, text) in [
            (Trouble::Slot { bytes: 7 }, "a replication slot keeps 7 bytes of WAL, and ever more"),
            (Trouble::DeadRows { dead: 7 }, "7 rows are dead, and VACUUM does not keep up"),
            (Trouble::Freeze, "a VACUUM has to freeze the table"),
        ] {
            assert_eq!(trouble.to_string(), text);
        }
    }

    fn pulses() -> impl Strategy<Value = Pulse> {
        let millis = |max: u64| (0..max).prop_map(Duration::from_millis);
        let vacuum = (any::<u64>(), any::<u64>(), any::<bool>(), any::<bool>())
            .prop_map(|(live, dead, is_running, freezes)| VacuumPulse { live, dead, is_running, freezes });
        let bytes = || prop::option::of(any::<u64>());
        let commit = prop::option::of(millis(100));
        let done = (millis(2_000), any::<u64>());
        (done, any::<bool>(), commit, bytes(), 0u64..3, bytes(), prop::option::of(vacuum)).prop_map(
            |((batch, rows), gave_up, commit, lag_bytes, waiters, slot_bytes, vacuum)| Pulse {
                batch,
                rows,
                gave_up,
                commit,
                lag_bytes,
                waiters,
                slot_bytes,
                vacuum,
            },
        )
    }

    proptest! {
        #[test]
        fn whatever_is_seen_paces_are_within_bounds_and_trouble_never_speeds_up(
            seen in prop::collection::vec(pulses(), 1..200), first in any::<u64>(), max in any::<u64>(),
            share in any::<f64>(), ratio in any::<f64>(),
        ) {
            let policy = ThrottlePolicy { share_max: share, commit_ratio_max: ratio, ..ThrottlePolicy::default() };
            let mut throttle = Throttle::new(policy, first, max, Some(MS));
            let (mut batch, mut share) = (throttle.batch, throttle.share);
            for pulse in seen {
                let pace = throttle.beat(&pulse);
                prop_assert!((1..=max.max(1)).contains(&pace.batch) && pace.rest <= REST_MAX);
                prop_assert!((SHARE_MIN..=1.0).contains(&throttle.share));
                if pace.trouble.is_some() {
                    prop_assert!(pace.batch <= batch && throttle.share <= share);
                    prop_assert!(throttle.share <= (share / 2.0).max(SHARE_MIN));
                } else {
                    prop_assert!(throttle.share >= share && throttle.share - share < SHARE_STEP + 1e-9);
                }
                (batch, share) = (pace.batch, throttle.share);
            }
        }

        #[test]
        fn after_any_trouble_full_speed_comes_back(seen in prop::collection::vec(pulses(), 0..50)) {
            let mut throttle = throttle();
            for pulse in seen {
                throttle.beat(&pulse);
            }
            for _ in 0..120 {
                throttle.beat(&calm());
            }
            prop_assert_eq!((throttle.batch, throttle.share), (20_000, 0.1));
        }
    }
}
