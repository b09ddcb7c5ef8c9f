//! The end of a change.

use std::time::Duration;

use alfred_ops_core::{JobContext, Result};
use tokio_util::sync::CancellationToken;

use super::change::{Change, ChangeKind};
use super::going_back::{Back, GoingBack};
use super::guard::Guard;
use super::hold::Hold;
use super::performance::Ran;
use super::plan::DownState;
use super::state::{GuardState, Stage, StateBook};
use super::{GuardOutcome, GuardReport};

/// How far a change that failed can have come.
struct Reach {
    /// Whether anything of it can have become visible.
    committed: bool,
    /// Whether that has touched no rows.
    spares_rows: bool,
    down: DownState,
}

impl Guard {
    /// Goes back if need be, and writes the end.
    pub(super) async fn conclude(
        &self,
        change: &Change,
        ran: Ran,
        hold: &mut Hold,
        mut state: GuardState,
        book: &mut StateBook,
        context: &JobContext,
    ) -> Result<GuardReport> {
        let mut report = GuardReport {
            change: change.name.clone(),
            point: state.point.clone(),
            outcome: GuardOutcome::Kept,
            failure: None,
            steps: Vec::new(),
            copied: Vec::new(),
            notes: state.notes.clone(),
            prepared_in: Duration::ZERO,
            changed_in: Duration::ZERO,
        };
        if let Ran::Failed { failure, committed } = ran {
            tracing::warn!(failure, committed, "a change has failed, going back");
            // Half a way back is worse than a host that stops a little later.
            let context = context.clone().with_cancel(CancellationToken::new());
            if !matches!(state.stage, Stage::GoingBack { .. }) {
                let Reach { committed, spares_rows, down } =
                    self.reach(change, &state, committed, &context).await?;
                let failure = failure.clone();
                state.stage =
                    Stage::GoingBack { failure, committed, spares_rows, down, down_run: None, aside: None };
                book.write(&state).await?;
            }
            let going = GoingBack { guard: self, change, hold, state: &mut state, book };
            let Back { outcome, steps, copied, notes } = going.go(&context).await?;
            (report.outcome, report.steps, report.copied) = (outcome, steps, copied);
            report.notes.extend(notes);
            report.failure = Some(failure);
        }
        // Who is stranded may yet be helped: by whoever removes what was in the way, and resumes.
        if !matches!(report.outcome, GuardOutcome::Stranded { .. }) {
            book.clear().await?;
        }
        match &report.outcome {
            GuardOutcome::Kept => tracing::info!("a change was kept"),
            GuardOutcome::BroughtBack(way) => tracing::warn!(%way, "a change was brought back"),
            _ => tracing::error!(report = %report, "a change was not brought back"),
        }
        Ok(report)
    }

    /// Of migrations it is known which were recorded, as begun or as applied. The first that was not is the one that failed: in
    /// a transaction it was rolled back, and outside of one it may have left something.
    async fn reach(
        &self,
        change: &Change,
        state: &GuardState,
        committed: bool,
        context: &JobContext,
    ) -> Result<Reach> {
        let none = |committed, spares_rows| Reach { committed, spares_rows, down: DownState::None };
        if !committed {
            return Ok(none(false, true));
        }
        let host = if self.down.is_there() { DownState::Ready } else { DownState::None };
        let ChangeKind::Migrations(runner) = &change.kind else {
            return Ok(Reach { committed, spares_rows: false, down: host });
        };
        if !runner.leftovers(&state.pending, context).await?.recorded.is_empty() {
            return Ok(Reach { committed, spares_rows: false, down: DownState::Ready });
        }
        Ok(match state.pending.first() {
            Some(first) if !runner.is_outside_of_transactions(*first) => none(false, true),
            None => none(false, true),
            // Nothing that a way down could undo.
            Some(first) if runner.spares_rows(*first) => none(true, true),
            Some(_) => Reach { committed, spares_rows: false, down: host },
        })
    }
}
