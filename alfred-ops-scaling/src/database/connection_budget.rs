//! What a fleet may take of a database's connections.

use alfred_ops_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::{Ceiling, Resource};

/// How many connections a database has for a fleet: `instances × pool ≤ available` must hold at every moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ConnectionBudget {
    /// The server's `max_connections`.
    pub max_connections: u32,
    /// What others need of them: `superuser_reserved_connections`, backups, people, other services.
    pub reserved: u32,
    /// The role's or database's `CONNECTION LIMIT`, or a pooler's size, if there is one.
    pub limit: Option<u32>,
    /// No instance works with fewer.
    pub pool_min: u32,
    /// No instance has any use for more: about twice the server's processors and one for each disk, shared by all.
    pub pool_max: u32,
}

/// What an instance does with its connections.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PoolLoad {
    /// How often a connection is asked for, a second.
    pub acquisitions_per_second: f64,
    /// How long it is held, on average, in seconds.
    pub hold_seconds: f64,
    /// The share of the time that a connection should be in use; the rest is room for chance.
    pub utilisation: f64,
}

/// How a fleet gets from one size to another within its budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetPlan {
    /// Instances in the end: fewer than asked for if connections do not suffice.
    pub instances: u32,
    /// Connections for each of them in the end.
    pub pool: u32,
    /// What to do, in this order: at no moment is the budget exceeded.
    pub steps: Vec<FleetStep>,
}

/// One step of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FleetStep {
    /// Every instance uses so many connections, and has closed what is more, before the next step.
    SetPools(u32),
    /// There are so many instances before the next step.
    SetInstances(u32),
}

impl ConnectionBudget {
    /// A budget of a server with so many connections, of which others need `reserved`; one to twenty for each instance.
    #[must_use]
    pub const fn new(max_connections: u32, reserved: u32) -> Self {
        Self { max_connections, reserved, limit: None, pool_min: 1, pool_max: 20 }
    }

    /// The same within a role's or pooler's limit.
    #[must_use]
    pub const fn with_limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The same with other sizes of an instance's pool.
    #[must_use]
    pub const fn with_pool(mut self, min: u32, max: u32) -> Self {
        (self.pool_min, self.pool_max) = (min, max);
        self
    }

    /// Refuses a budget that cannot be kept.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with every mistake in it.
    pub fn check(&self) -> Result<()> {
        let mut mistakes = Vec::new();
        if self.pool_min == 0 || self.pool_min > self.pool_max {
            mistakes
                .push(format!("pool_min: {} is not within 1 and pool_max: {}", self.pool_min, self.pool_max));
        }
        if self.available() < self.pool_min {
            mistakes.push(format!("{} connections do not suffice for one instance", self.available()));
        }
        if mistakes.is_empty() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidInput, "check connection budget", mistakes.join("; ")).with_remedy(
            "raise max_connections or the limit, put a pooler before the server, or reserve less",
        ))
    }

    /// Connections for the whole fleet.
    #[must_use]
    pub fn available(&self) -> u32 {
        let left = self.max_connections.saturating_sub(self.reserved);
        self.limit.map_or(left, |limit| limit.min(left))
    }

    /// As many instances as can work at all.
    #[must_use]
    pub fn instances_max(&self) -> u32 {
        self.available() / self.pool_min.max(1)
    }

    /// The same for the kernel: a reason not to grow beyond.
    #[must_use]
    pub fn ceiling(&self) -> Ceiling {
        Ceiling { max: self.instances_max(), resource: Resource::Connections }
    }

    /// What each of so many instances may have: its share, within the pool's sizes.
    #[must_use]
    pub fn share(&self, instances: u32) -> u32 {
        (self.available() / instances.max(1)).min(self.pool_max)
    }

    /// What each of so many instances should have: by Little's law `acquisitions × hold / utilisation`, within its share. A load
    /// that is no number asks for the smallest.
    #[must_use]
    pub fn pool(&self, instances: u32, load: &PoolLoad) -> u32 {
        let busy = load.acquisitions_per_second * load.hold_seconds / load.utilisation;
        let needed = if busy.is_finite() { crate::kernel::ceil(busy) } else { 0 };
        needed.max(self.pool_min).min(self.share(instances))
    }

    /// How `from` instances with `pool` connections each become `to` instances under `load`: pools shrink before instances come,
    /// and instances go before pools grow.
    #[must_use]
    pub fn plan(&self, from: u32, pool: u32, to: u32, load: &PoolLoad) -> FleetPlan {
        let instances = to.min(self.instances_max().max(from.min(to)));
        let target = self.pool(instances, load);
        let mut steps = Vec::new();
        if target < pool {
            steps.push(FleetStep::SetPools(target));
        }
        if instances != from {
            steps.push(FleetStep::SetInstances(instances));
        }
        if target > pool {
            steps.push(FleetStep::SetPools(target));
        }
        FleetPlan { instances, pool: target, steps }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn load(acquisitions_per_second: f64, hold_seconds: f64) -> PoolLoad {
        PoolLoad { acquisitions_per_second, hold_seconds, utilisation: 0.7 }
    }

    #[test]
    fn pools_follow_littles_law_within_their_share() {
        let budget = ConnectionBudget::new(100, 10).with_pool(2, 15);
        assert_eq!((budget.available(), budget.instances_max()), (90, 45));
        assert_eq!(budget.pool(4, &load(100.0, 0.05)), 8, "5 are busy, 5 / 0.7 are needed");
        assert_eq!(budget.pool(4, &load(1000.0, 0.05)), 15, "the most of a pool");
        assert_eq!(budget.pool(18, &load(100.0, 0.05)), 5, "the share");
        assert_eq!(budget.pool(4, &load(f64::NAN, 0.05)), 2);
        assert_eq!(budget.with_limit(30).available(), 30);
        let error = ConnectionBudget::new(10, 10).with_pool(0, 5).check().unwrap_err().to_string();
        assert!(error.contains("pool_min: 0 is not within 1 and pool_max: 5"), "{error}");
        assert_eq!(
            ConnectionBudget::new(10, 9).with_pool(2, 5).check().unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    }

    #[test]
    fn pools_shrink_before_instances_come_and_grow_after_they_have_gone() {
        let budget = ConnectionBudget::new(60, 0).with_pool(2, 20);
        let busy = load(1000.0, 1.0);
        let up = budget.plan(3, 20, 10, &busy);
        assert_eq!(up.steps, [FleetStep::SetPools(6), FleetStep::SetInstances(10)]);
        let down = budget.plan(10, 6, 4, &busy);
        assert_eq!(down.steps, [FleetStep::SetInstances(4), FleetStep::SetPools(15)]);
        let most = budget.plan(10, 6, 50, &busy);
        assert_eq!((most.instances, most.pool), (30, 2), "connections for 30");
    }

    proptest! {
        #[test]
        fn the_budget_holds_after_every_step(
            (max, reserved) in (1u32..500, 0u32..100),
            (pool_min, more) in (1u32..5, 0u32..30),
            (from, to) in (0u32..40, 0u32..40),
            (rate, hold) in (0.0..500.0f64, 0.0..2.0f64),
        ) {
            let budget = ConnectionBudget::new(max, reserved).with_pool(pool_min, pool_min + more);
            prop_assume!(budget.check().is_ok() && from <= budget.instances_max());
            let pool = budget.share(from.max(1));
            let plan = budget.plan(from, pool, to, &load(rate, hold));
            let (mut instances, mut size) = (from, pool);
            for step in &plan.steps {
                match step {
                    FleetStep::SetPools(to) => size = *to,
                    FleetStep::SetInstances(to) => instances = *to,
                }
                prop_assert!(instances * size <= budget.available(), "{instances} × {size}");
            }
            prop_assert_eq!((instances, size), (plan.instances, plan.pool));
            prop_assert!(plan.instances <= to && size >= pool_min);
        }
    }
}
