//! What rollouts tell in metrics.

use alfred_ops_core::{CounterFamily, GaugeFamily, Metrics, Result};

use chrono::{DateTime, Utc};

use super::{RolloutEnd, RolloutState, TargetView, UnderWay, Verdict};

/// What rollouts tell in metrics.
#[derive(Debug, Clone)]
pub(super) struct Gauges {
    percent: GaugeFamily,
    paused: GaugeFamily,
    waits: GaugeFamily,
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
            waits: metrics.gauge(
                "alfred_ops_rollout_work_rests_seconds",
                "For how long a split has had work rest, and still waits for work that is under way",
                &["rollout"],
            )?,
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
        if state.is_over() {
            self.waits.with(&[rollout]).set(0.0);
        }
    }

    /// How long work rests, which it tells.
    pub(super) fn waits(
        &self,
        rollout: &str,
        state: &RolloutState,
        view: &TargetView,
        now: DateTime<Utc>,
    ) -> f64 {
        let begun = state.intent.as_ref().filter(|_| matches!(view.under_way, Some(UnderWay::Waits(_))));
        // While the rollout is paused nobody has work rest.
        let begun = begun.filter(|_| state.paused.is_none());
        let waited = begun.map_or(0.0, |intent| (now - intent.begun_at).as_seconds_f64());
        self.waits.with(&[rollout]).set(waited);
        waited
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
