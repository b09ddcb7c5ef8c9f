//! What a chore tells about itself in metrics.

use alfred_ops_core::{CounterFamily, GaugeFamily, Metrics, Result};

use super::{ChoreRecord, ChoreStanding};

/// What a chore tells about itself in metrics.
#[derive(Debug, Clone)]
pub(super) struct Gauges {
    overdue: GaugeFamily,
    ineffective: GaugeFamily,
    paused: GaugeFamily,
    completed: GaugeFamily,
    longest_lock: GaugeFamily,
    runs: CounterFamily,
    work: CounterFamily,
}

impl Gauges {
    pub(super) fn register(metrics: &Metrics) -> Result<Self> {
        let gauge = |name, help| metrics.gauge(name, help, &["chore"]);
        Ok(Self {
            overdue: gauge("alfred_ops_chore_overdue", "1 while the last complete run is too long ago")?,
            ineffective: gauge("alfred_ops_chore_ineffective", "1 while the last complete run did not help")?,
            paused: gauge("alfred_ops_chore_paused", "1 while somebody paused it")?,
            completed: gauge(
                "alfred_ops_chore_completed_timestamp_seconds",
                "The end of the last complete run, 0 if there was none",
            )?,
            longest_lock: gauge("alfred_ops_chore_longest_lock_seconds", "The longest lock of the last run")?,
            runs: metrics.counter("alfred_ops_chore_runs", "Runs", &["chore", "outcome"])?,
            work: metrics.counter("alfred_ops_chore_work", "Rows, bytes or tables done", &["chore"])?,
        })
    }

    pub(super) fn stands(&self, chore: &str, standing: &ChoreStanding) {
        let set = |family: &GaugeFamily, is: bool| family.with(&[chore]).set(f64::from(u8::from(is)));
        set(&self.overdue, standing.overdue);
        set(&self.ineffective, standing.ineffective.is_some());
        set(&self.paused, standing.paused.is_some());
        let completed = standing.completed_at.map_or(0, |time| time.timestamp_millis());
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
        self.completed.with(&[chore]).set(completed as f64 / 1e3);
    }

    pub(super) fn ran(&self, chore: &str, record: &ChoreRecord) {
        self.longest_lock.with(&[chore]).set(record.figures.longest_lock.as_secs_f64());
        self.runs.with(&[chore, record.outcome.name()]).inc();
        self.work.with(&[chore]).inc_by(record.figures.work);
    }
}
