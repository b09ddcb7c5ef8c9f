//! The contract of a chore.

use std::fmt;

use alfred_ops_core::{JobContext, Result};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Turn;

/// Routine work on one target, in three parts; a [`Caretaker`](super::Caretaker) runs them.
///
/// There is no fourth part: whether it helped is seen by looking and planning again. A plan that still has something
/// to do after all of it was done did not help.
#[async_trait]
pub trait Chore: fmt::Debug + Send + Sync + 'static {
    /// What a look finds.
    type Facts: fmt::Debug + Send + Sync;
    /// What would be done.
    type Plan: ChorePlan;

    /// A short stable name, unique in its state store: visible ASCII without `/`. The history is kept under it.
    fn name(&self) -> &str;

    /// What is worked on: visible ASCII. Of all chores with the same target one runs at a time.
    fn target(&self) -> &str;

    /// Looks, and changes nothing. What the role may not see, or what is not there, is a fact and no error.
    ///
    /// # Errors
    /// What kept it from looking.
    async fn inspect(&self, context: &JobContext) -> Result<Self::Facts>;

    /// Decides. Pure: the same facts and time give the same plan, on every machine.
    fn plan(&self, facts: &Self::Facts, now: DateTime<Utc>) -> Self::Plan;

    /// Does what the plan says and chooses nothing, in small steps, each of which stands for itself: after an error,
    /// a dropped future or a kill the next run plans anew and goes on. Between two steps it asks
    /// [`Turn::may_go_on`], and after each it says what was done by [`Turn::did`]. Steps must do no harm if two hosts
    /// ever do them at once: a lease may be lost in the middle of one. What it is about may have vanished: that is a
    /// [`Turn::note`].
    ///
    /// # Errors
    /// What stopped it.
    async fn apply(&self, plan: &Self::Plan, turn: &mut Turn<'_>) -> Result<()>;
}

/// What would be done, and why, and why not more. `Display` is the dry run: exactly what would be done, line by line.
pub trait ChorePlan: fmt::Display + fmt::Debug + Send + Sync {
    /// Whether there is nothing to do.
    fn is_empty(&self) -> bool;

    /// What keeps the chore from its purpose, each with its remedy: a missing grant, a missing index. A run that meets
    /// any counts as ineffective.
    fn obstacles(&self) -> Vec<String>;
}
