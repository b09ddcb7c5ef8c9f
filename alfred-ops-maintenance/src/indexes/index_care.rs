//! The chore.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{JobContext, PostgresOptions, Result, StateStore};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::build::Build;
use super::look::look;
use super::{IndexFacts, IndexFault, IndexFinding, IndexPlan, IndexPolicy, RebuiltSize, plan_indexes};
use crate::doctor::{index_waste, look_at_indexes, part, wanted_indexes};
use crate::postgres::{Session, StepFailures, chore_name, label};
use crate::{Cadence, Caretaker, CaretakerBuilder, Chore, DoctorPolicy, IndexSize, Turn};

const RECHECK_TIMEOUT: Duration = Duration::from_secs(30);
/// So that the server qualifies names as it did for the first look.
const PATH: (&str, &str) = ("search_path", "pg_catalog");

/// Finds indexes that cost and do not serve; removes what failed builds left, rebuilds bloated B-trees one at a time, and
/// on demand drops what others do as well and builds what foreign keys and scans of whole tables lack.
///
/// Nothing it does keeps others from reading or writing, and it builds nothing while another session does. A build that
/// fails, is stopped or loses its connection leaves nothing behind that the next run does not find; what is done stays
/// done. The role has to own what it changes. Partitioned indexes are left alone. How much room the server's disk has no
/// query tells: [`IndexPolicy::build_bytes_max`] bounds what one build needs, and the budget's work what a run builds.
#[derive(Debug, Clone)]
pub struct IndexCare {
    server: PostgresOptions,
    policy: IndexPolicy,
    name: String,
    target: String,
}

impl IndexCare {
    /// Care of the indexes of the database that `server` names. Nothing happens before a call.
    #[must_use]
    pub fn new(server: PostgresOptions, policy: IndexPolicy) -> Self {
        let database = label(&server.database);
        Self {
            name: chore_name("indexes", &server, &server.database),
            // With VACUUM it would wait for the same locks.
            target: format!("{}:{}/{database}", label(&server.host), server.port),
            server: server.with_application_name("alfred-ops indexes"),
            policy,
        }
    }

    /// A caretaker that runs it every week.
    #[must_use]
    pub fn caretaker(self, store: Arc<dyn StateStore>) -> CaretakerBuilder<Self> {
        Caretaker::builder(self, store).cadence(Cadence::weekly())
    }

    /// Whether an index that others do as well would be dropped now: hours may have gone by since the look.
    async fn still_holds(&self, step: &IndexFinding) -> Result<bool> {
        let mut session =
            Session::open(&self.server, "indexes", RECHECK_TIMEOUT, RECHECK_TIMEOUT, &[PATH]).await?;
        let facts = look(&mut session).await.map_err(|source| session.failed("look at indexes", source))?;
        let plan = plan_indexes(&facts, &self.policy);
        Ok(plan.steps.iter().any(|now| now.index == step.index && now.fault == step.fault))
    }

    /// The doctor's eyes, with our figures.
    fn looks(&self) -> DoctorPolicy {
        DoctorPolicy {
            bytes_min: self.policy.table_bytes_min,
            scans_min: self.policy.scan_calls_min,
            bloat_share: self.policy.bloat_share,
            bloat_bytes_min: self.policy.bloat_bytes_min,
            measure_bytes_max: self.policy.measure_bytes_max,
            ..DoctorPolicy::default()
        }
    }
}

#[async_trait]
impl Chore for IndexCare {
    type Facts = IndexFacts;
    type Plan = IndexPlan;

    fn name(&self) -> &str {
        &self.name
    }

    fn target(&self) -> &str {
        &self.target
    }

    async fn inspect(&self, _: &JobContext) -> Result<IndexFacts> {
        let policy = self.looks();
        let seen = look_at_indexes(&self.server, &policy).await?;
        let wanted = wanted_indexes(&seen, &policy);
        let mut facts = seen.indexes;
        let sizes: BTreeMap<u32, &IndexSize> =
            seen.index_sizes.iter().filter(|size| size.oid != 0).map(|size| (size.oid, size)).collect();
        for index in &mut facts.indexes {
            if index.is_valid {
                index.rebuilt = sizes.get(&index.oid).and_then(|size| rebuilt(size));
            }
        }
        (facts.foreign_keys, facts.wanted, facts.gaps) = (seen.foreign_keys, wanted, seen.gaps);
        Ok(facts)
    }

    fn plan(&self, facts: &IndexFacts, _: DateTime<Utc>) -> IndexPlan {
        plan_indexes(facts, &self.policy)
    }

    async fn apply(&self, plan: &IndexPlan, turn: &mut Turn<'_>) -> Result<()> {
        if plan.steps.is_empty() {
            return Ok(());
        }
        let mut build = Build::begin(&self.server, self.policy.lock_wait, turn).await?;
        let mut failures = StepFailures::default();
        let mut steps: Vec<&IndexFinding> = plan.steps.iter().collect();
        steps.sort_by_key(|step| turn.was_cut_off(&step.index.to_string()));
        for step in steps {
            if !turn.may_go_on().await {
                break;
            }
            let is_drop = matches!(step.fault, IndexFault::Duplicate { .. } | IndexFault::Redundant { .. });
            if is_drop && !self.still_holds(step).await? {
                turn.note(format!("{} stays: what does its work as well is not what it was", step.index));
                continue;
            }
            build.mend(step, &mut failures, turn).await?;
        }
        failures.into_result("mend indexes")
    }
}

/// What the doctor found about its size, as he judges it.
fn rebuilt(size: &IndexSize) -> Option<RebuiltSize> {
    let waste = index_waste(size)?;
    let wasted = part(size.bytes, waste);
    Some(RebuiltSize::new(size.bytes.saturating_sub(wasted), size.waste_share.is_some()))
}
