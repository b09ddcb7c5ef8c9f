//! What is to be kept, and what is known of the instances.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Keeps the wait of most messages below a limit, at the least cost. It sees messages as they come, and is to be asked every
/// second or two.
///
/// It needs the messages that have ever come ([`Inputs::arrivals`](crate::Inputs::arrivals)) and those that wait. From them, and
/// from how long an instance takes to start and how fast it works, it finds:
///
/// - **what comes**: the rate of arrivals over a third and over twice the start-up time, whichever is larger, and its trend when
///   it grows, ahead by a start-up: what is started now works only then. A jump that chance explains in less than one of ten
///   thousand cases counts at once, over a tenth of the start-up time.
/// - **room for chance**: as many standard deviations of that rate as make a late message, which costs `lateness` times its
///   work, no dearer than an idle instance: the newsvendor's quantile, `lateness / (1 + lateness)`.
/// - **what waits**: if the backlog of a start-up from now would make messages late, what works it off in the time that is
///   cheapest, `sqrt(backlog × start-up / (lateness × arrivals))`: fewer instances leave more messages late in the meantime.
/// - **how long idle instances stay**: an instance that goes and is needed again costs `lateness` start-ups. The lengths of
///   past dips in the demand are remembered as a histogram that forgets, and the wait that would have cost least over them is
///   taken: long where demand comes back soon, short where it does not.
///
/// All times follow from `start_up` and `lateness`; no constant was fitted to a trace.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Slo {
    /// No message should wait longer.
    pub wait: Duration,
    /// From the decision until a new instance works.
    pub start_up: Duration,
    /// Messages that one instance finishes a second when it always has one; learnt while messages wait if not given.
    pub service_rate: Option<f64>,
    /// What a late message costs, in terms of the work that it takes.
    pub lateness: f64,
}

impl Default for Slo {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(10),
            start_up: Duration::from_secs(30),
            service_rate: None,
            lateness: 10.0,
        }
    }
}

impl Slo {
    /// The same with another limit of the wait.
    #[must_use]
    pub const fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The same with another start-up time.
    #[must_use]
    pub const fn with_start_up(mut self, start_up: Duration) -> Self {
        self.start_up = start_up;
        self
    }

    /// The same with so many messages a second for each instance.
    #[must_use]
    pub const fn with_service_rate(mut self, rate: f64) -> Self {
        self.service_rate = Some(rate);
        self
    }

    pub(in crate::kernel) fn check(&self, mistakes: &mut Vec<String>) {
        let hour = Duration::from_secs(3600);
        for (name, time) in [("wait", self.wait), ("start_up", self.start_up)] {
            if time.is_zero() || time > hour {
                mistakes.push(format!("slo.{name}: {time:?} is not above 0 and within an hour"));
            }
        }
        if let Some(rate) = self.service_rate
            && !(rate.is_finite() && rate > 0.0)
        {
            mistakes.push(format!("slo.service_rate: {rate} is not above 0"));
        }
        if !(1.0..=1e6).contains(&self.lateness) {
            mistakes.push(format!("slo.lateness: {} is not within 1 and a million", self.lateness));
        }
    }

    /// Seconds that an instance takes to work; never so few that averages over parts of it are noise.
    pub(super) fn scale(&self) -> f64 {
        self.start_up.as_secs_f64().max(10.0)
    }

    /// Instance-seconds that are worth an instance that is there when it is needed again.
    pub(super) fn restart_cost(&self) -> f64 {
        self.lateness * self.scale()
    }
}
