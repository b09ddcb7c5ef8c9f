//! Goes back, step by step.

use std::path::PathBuf;

use alfred_ops_core::{Error, ErrorKind, JobContext, Result};

use super::change::{Change, ChangeKind};
use super::down::Down;
use super::fingerprint::raise_sequences;
use super::going_aside::Aside;
use super::guard::Guard;
use super::hold::Hold;
use super::plan::{AsideState, CopyState, DownState, ReturnFacts, ReturnStep, listed, plan_return};
use super::report::CopiedRows;
use super::state::{GuardState, Stage, StateBook};
use super::writers::settle;
use super::{GuardOutcome, WayBack};

/// Every step is taken once, and there are six.
const STEPS_MAX: usize = 8;
/// A way back under way.
pub(super) struct GoingBack<'a> {
    pub(super) guard: &'a Guard,
    pub(super) change: &'a Change,
    pub(super) hold: &'a mut Hold,
    pub(super) state: &'a mut GuardState,
    pub(super) book: &'a mut StateBook,
}

/// How the way back went.
#[derive(Debug)]
pub(super) struct Back {
    pub(super) outcome: GuardOutcome,
    pub(super) steps: Vec<String>,
    pub(super) copied: Vec<CopiedRows>,
    pub(super) notes: Vec<String>,
}

/// What a look found.
struct Look {
    facts: ReturnFacts,
    /// Sequences that are behind, with their values.
    behind: Vec<(String, i64)>,
    /// What is told beside.
    notes: Vec<String>,
}

/// What was not tried in vain yet.
struct Chances {
    raises: bool,
    removes: bool,
}

impl GoingBack<'_> {
    pub(super) async fn go(mut self, context: &JobContext) -> Result<Back> {
        let (mut steps, mut copied, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        let mut aside = self.aside();
        let mut chances = Chances { raises: true, removes: true };
        self.settle(context).await?;
        for _ in 0..STEPS_MAX {
            let Look { facts, behind, notes: told } = self.look(&aside, &chances, context).await?;
            let step = plan_return(&facts);
            tracing::info!(%step, "going back");
            steps.push(step.to_string());
            let outcome = match step {
                ReturnStep::RaiseSequences => {
                    if let Err(error) = raise_sequences(&mut self.hold.session, &behind).await {
                        chances.raises = false;
                        notes.push(format!("sequences stay behind: {}", error.full()));
                    }
                    continue;
                }
                ReturnStep::RunDown => {
                    let is_equal = facts.objects.is_empty() && facts.tables.is_empty();
                    let down = self.run_down(is_equal, context).await?;
                    let failed = matches!(down, DownState::Failed(_));
                    self.note(Some(down), None).await?;
                    if failed {
                        self.settle(context).await?;
                    }
                    continue;
                }
                ReturnStep::RemoveHalfBuilt { indexes } => {
                    if let Err(error) = self.remove_half_built(&indexes, context).await {
                        chances.removes = false;
                        notes.push(format!("what is built by half stays: {}", error.full()));
                    }
                    continue;
                }
                ReturnStep::RestoreAside { .. } => {
                    aside.state = self.bring_up(&mut aside, context).await;
                    continue;
                }
                ReturnStep::CopyBack => {
                    aside.copy = match self.copy(&aside).await {
                        Ok(rows) => {
                            copied = rows;
                            CopyState::Done
                        }
                        Err(error) => CopyState::Failed(error.full()),
                    };
                    continue;
                }
                ReturnStep::Rest => {
                    let was_copied = aside.copy == CopyState::Done;
                    GuardOutcome::BroughtBack(WayBack::by(facts.committed, &facts.down, was_copied))
                }
                ReturnStep::HandOver { why } => match aside.server.take() {
                    Some(server) => {
                        let folder = aside.folder.clone();
                        GuardOutcome::HandedOver { server: Box::new(server), folder, why }
                    }
                    None => GuardOutcome::Stranded { why },
                },
                ReturnStep::GiveUp { why } => GuardOutcome::Stranded { why },
            };
            notes.extend(told);
            if matches!(outcome, GuardOutcome::BroughtBack(_)) && aside.state == AsideState::Up {
                notes.extend(self.put_away(&aside, context).await);
            }
            return Ok(Back { outcome, steps, copied, notes });
        }
        let why = format!("the way back does not end: {}", steps.join("; "));
        Ok(Back { outcome: GuardOutcome::Stranded { why }, steps, copied, notes })
    }

    async fn remove_half_built(&self, indexes: &[String], context: &JobContext) -> Result<()> {
        let ChangeKind::Migrations(runner) = &self.change.kind else { return Ok(()) };
        runner.remove_half_built(&self.state.pending, indexes, context).await
    }

    /// Waits for those who write to protected tables, where the change or its way down may be among them: the server goes on
    /// with a statement whose client is gone.
    async fn settle(&mut self, context: &JobContext) -> Result<()> {
        let is_committed = matches!(self.state.stage, Stage::GoingBack { committed: true, .. });
        let is_ours =
            matches!(self.change.kind, ChangeKind::Work(_)) || matches!(self.guard.down, Down::Work(_));
        if !is_committed || !is_ours {
            return Ok(());
        }
        settle(&mut self.hold.session, &self.state.rows, self.guard.settling_within, context).await
    }

    /// Looks at everything again.
    async fn look(&mut self, aside: &Aside, chances: &Chances, context: &JobContext) -> Result<Look> {
        let Stage::GoingBack { committed, spares_rows, down, .. } = &self.state.stage else {
            return Err(Error::new(ErrorKind::Internal, "go back", "it has not begun"));
        };
        let (committed, spares_rows, down) = (*committed, *spares_rows, down.clone());
        let (difference, tables) = self.state.differs(&mut self.hold.session, committed).await?;
        let (mut objects, mut notes, mut half_built) = (difference.objects, Vec::new(), Vec::new());
        if committed && let ChangeKind::Migrations(runner) = &self.change.kind {
            let left = runner.leftovers(&self.state.pending, context).await?;
            objects.extend(left.recorded.iter().map(|version| format!("migration {version} is applied")));
            half_built = left.half_built;
            half_built.retain(|index| self.state.schema.lacks(&format!("index {index}")));
        }
        if !difference.orders.is_empty() {
            notes.push(format!("the columns of {} stand in another order", difference.orders.join(", ")));
        }
        if !committed && !objects.is_empty() {
            let all: Vec<&str> = objects.iter().map(String::as_str).collect();
            notes.push(format!("somebody else changed the schema meanwhile: {}", listed(&all)));
        }
        let rows_compared = spares_rows || !self.state.rows.is_empty();
        if committed && !rows_compared {
            notes.push("no table is protected, so rows were not compared".to_owned());
        }
        let behind = if chances.raises { difference.behind } else { Vec::new() };
        let facts = ReturnFacts {
            committed,
            objects,
            tables,
            rows_compared,
            half_built: if chances.removes { half_built } else { Vec::new() },
            sequences: behind.iter().map(|(name, _)| name.clone()).collect(),
            down,
            aside: aside.state.clone(),
            copy: aside.copy.clone(),
        };
        Ok(Look { facts, behind, notes })
    }

    /// Writes how far it has come.
    pub(super) async fn note(
        &mut self,
        new_down: Option<DownState>,
        new_aside: Option<PathBuf>,
    ) -> Result<()> {
        if let Stage::GoingBack { down, aside, .. } = &mut self.state.stage {
            if let Some(new) = new_down {
                *down = new;
            }
            if new_aside.is_some() {
                *aside = new_aside;
            }
        }
        self.book.write(self.state).await
    }
}
