//! What rollouts tell in metrics.

use alfred_ops_core::{CounterFamily, GaugeFamily, Metrics, Result};

use super::{RolloutEnd, RolloutState, Verdict};

/// What rollouts tell in metrics.
#[derive(Debug, Clone)]
pub(super) struct Gauges {
    percent: GaugeFamily,
    paused: GaugeFamily,
    verdicts: CounterFamily,
    ends: CounterFamily,
}

impl Gauges {
    pub(super) fn register(metrics: &Metrics) -> Result<Self> {
        Ok(Self {
            percent: metrics.gauge(
                "alfred_ops_rollout_candidate_percent",
                "The candidate's share of the traffic",
                &["rollout"],
            )?,
            paused: metrics.gauge("alfred_ops_rollout_paused", "1 while it rests", &["rollout"])?,
            verdicts: metrics.counter("alfred_ops_rollout_verdicts", "Analyses", &["rollout", "verdict"])?,
            ends: metrics.counter(
                "alfred_ops_rollout_ends",
                "Rollouts that are over",
                &["rollout", "end"],
            )?,
        })
    }

    pub(super) fn stands(&self, rollout: &str, state: &RolloutState) {
        let percent = if state.is_over() { 0 } else { state.split.percent(&state.release.revision) };
        self.percent.with(&[rollout]).set(f64::from(percent));
        self.paused.with(&[rollout]).set(f64::from(u8::from(state.paused.is_some() && !state.is_over())));
    }

    pub(super) fn said(&self, rollout: &str, verdict: &Verdict) {
        let name = match verdict {
            Verdict::Pass => "pass",
            Verdict::Inconclusive(_) => "inconclusive",
            Verdict::NoData(_) => "no_data",
            Verdict::Fail(_) => "fail",
        };
        self.verdicts.with(&[rollout, name]).inc();
    }

    pub(super) fn ended(&self, rollout: &str, end: &RolloutEnd) {
        self.ends.with(&[rollout, end.name()]).inc();
    }
}
