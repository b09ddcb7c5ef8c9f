//! How carefully a release goes out.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};

/// How carefully a release goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RolloutPolicy {
    /// The candidate's percents, growing, the last one 100; at most 20.
    pub steps: Vec<u8>,
    /// Between two analyses.
    pub interval: Duration,
    /// So many passes lead from one step to the next.
    pub passes: u32,
    /// So many failures within one step end the rollout, whatever lies between them.
    pub failures: u32,
    /// So many failures without a pass between them do; 1 or 2. A failure that no pass has followed for two intervals always
    /// does, so that silence after a bad sample does not prolong a bad release.
    pub failures_in_a_row: u32,
    /// Gates may be closed for so long; then the release is refused. The staging checks together may take as long: what has not
    /// answered by then counts as closed. Gates answer within half an interval.
    pub gates_within: Duration,
    /// The candidate is ready within this time, or the rollout ends.
    pub start_within: Duration,
    /// A split may have work rest for so long, waiting for what is under way ([`UnderWay::Waits`](super::UnderWay::Waits)); then the
    /// rollout pauses and work goes on. The way back does not pause: work goes on for a quarter of the time, two minutes at
    /// least, and then rests again.
    pub rests_within: Duration,
    /// Without a pass or a failure for so long, the rollout does as `when_silent` says.
    pub silence: Duration,
    /// What then.
    pub when_silent: WhenSilent,
    /// Whether the former revision stays, without traffic, after the promotion.
    pub keeps_old: bool,
}

/// What happens if nobody can tell how the candidate fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenSilent {
    /// All traffic goes back.
    RollBack,
    /// The split stays until a person resumes or aborts.
    Pause,
}

impl Default for RolloutPolicy {
    /// 5, 25, 50 and 100 %, five passes a minute apart each; back after two failures in a row, three in a step, or ten minutes
    /// of silence. Gates are waited for for an hour, the candidate's start for ten minutes, the end of work for an hour.
    fn default() -> Self {
        Self {
            steps: vec![5, 25, 50, 100],
            interval: Duration::from_secs(60),
            passes: 5,
            failures: 3,
            failures_in_a_row: 2,
            gates_within: Duration::from_secs(3600),
            start_within: Duration::from_secs(600),
            rests_within: Duration::from_secs(3600),
            silence: Duration::from_secs(600),
            when_silent: WhenSilent::RollBack,
            keeps_old: false,
        }
    }
}

impl RolloutPolicy {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`], naming field and value.
    pub fn check(&self) -> Result<()> {
        let growing = self.steps.windows(2).all(|pair| pair[0] < pair[1]);
        let steps = growing
            && self.steps.len() <= 20
            && self.steps.first().is_some_and(|first| *first > 0)
            && self.steps.last() == Some(&100);
        if !steps {
            return refused(
                format!("steps: {:?} do not grow from at least 1 to 100", self.steps),
                "begin with 1 or more, let each be larger than the one before, and end with 100",
            );
        }
        for (field, count, max) in [
            ("passes", self.passes, 1_000),
            ("failures", self.failures, 1_000),
            ("failures_in_a_row", self.failures_in_a_row, 2),
        ] {
            if count == 0 || count > max {
                return refused(format!("{field}: {count} is not within 1 and {max}"), "take another number");
            }
        }
        for (field, time) in [
            ("interval", self.interval),
            ("gates_within", self.gates_within),
            ("start_within", self.start_within),
            ("rests_within", self.rests_within),
            ("silence", self.silence),
        ] {
            if time.is_zero() || time > Duration::from_secs(30 * 86_400) {
                return refused(format!("{field}: {time:?} is not within 30 days"), "take another time");
            }
        }
        if self.silence < self.interval * 2 {
            return refused(
                format!("silence: {:?} is less than two intervals", self.silence),
                "raise silence or lower interval",
            );
        }
        Ok(())
    }
}

fn refused(fault: String, remedy: &'static str) -> Result<()> {
    Err(Error::new(ErrorKind::InvalidInput, "read rollout policy", fault).with_remedy(remedy))
}
