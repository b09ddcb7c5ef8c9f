//! What is to be done, in which order and why.

use std::fmt;

use super::{Action, Obstacle, Reason};

/// How a goal is reached: steps in an order in which each may be done, and what stands in the way.
///
/// After every prefix of the steps each shard has at least as many serving replicas as its
/// [floor](super::Collection::floor), or as it has now if that is fewer, and no peer two of one shard. Steps of one round may run at
/// once without more transfers than the limits allow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The steps in their order.
    pub steps: Vec<Step>,
    /// What stands in the way of the goal, or of a part of it.
    pub obstacles: Vec<Obstacle>,
    /// No plan that reaches the goal has fewer transfers. For a drain and a repair it is the number of replicas
    /// that must leave or are missing; for a rebalance, what the even spread of the same numbers of replicas needs
    /// if those of a collection were all alike. Of one collection by itself that is the greater of two sums, of
    /// what peers hold above their share and of what they lack below it.
    pub transfers_min: usize,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What to do.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The steps, by their place in the plan, that must be done before.
    pub after: Vec<usize>,
    /// The round that it belongs to, if every transfer takes equally long. The first is 0.
    pub round: usize,
}

impl Plan {
    /// Whether the goal is reached: nothing to do, and nothing in the way.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        self.steps.is_empty() && self.obstacles.is_empty()
    }

    /// How many transfers it starts.
    #[must_use]
    pub fn transfers(&self) -> usize {
        self.steps.iter().filter(|step| step.action.transfer().is_some()).count()
    }

    /// The steps that may be taken at once, as things are.
    pub fn startable(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.round == 0 && !matches!(step.action, Action::Wait { .. }))
    }
}

impl fmt::Display for Plan {
    /// One line for each step, numbered from 1, and one for each obstacle.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_reached() {
            return f.write_str("nothing to do");
        }
        let mut lines = Vec::with_capacity(self.steps.len() + self.obstacles.len());
        for (place, step) in self.steps.iter().enumerate() {
            let mut line =
                format!("{}. round {}: {}: {}", place + 1, step.round + 1, step.action, step.reason);
            if !step.after.is_empty() {
                let after: Vec<String> = step.after.iter().map(|place| (place + 1).to_string()).collect();
                line.push_str(&format!(" (after {})", after.join(", ")));
            }
            lines.push(line);
        }
        lines.extend(self.obstacles.iter().map(|obstacle| format!("not possible: {obstacle}")));
        f.write_str(&lines.join("\n"))
    }
}
