//! What would be vacuumed. Pure.

use std::cmp::Reverse;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::{HorizonHolder, TableUpkeep, VacuumFacts, VacuumPolicy};
use crate::postgres::quoted;
use crate::{ChorePlan, TableName};

/// Postgres knows the right MAINTAIN, and the role `pg_maintain`, from here on.
pub(super) const MAINTAIN_SINCE: u32 = 17;

/// What would be done, table by table, why, and why not.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct VacuumPlan {
    /// What would be done, in this order: what is urgent first, then what gains most.
    pub steps: Vec<VacuumStep>,
    /// What would not be done although there is something to do.
    pub skipped: Vec<(TableName, VacuumSkip)>,
    /// What keeps dead rows from being removed.
    pub holders: Vec<HorizonHolder>,
    /// What the role lacks.
    pub missing: Option<String>,
    /// Whether sessions of others could not be seen.
    pub is_blind: bool,
}

/// What is done to one table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct VacuumStep {
    /// The table.
    pub table: TableName,
    /// Why, and with that what.
    pub reason: VacuumReason,
    /// Dead rows, which are what is gained; none by an ANALYZE.
    pub dead: u64,
}

/// Why a table is vacuumed or analyzed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum VacuumReason {
    /// Its oldest row is old: VACUUM (FREEZE).
    Age {
        /// Transactions.
        age: u64,
        /// Autovacuum would begin at.
        limit: u64,
    },
    /// Its oldest multixact is old: VACUUM (FREEZE).
    MultixactAge {
        /// Multixacts.
        age: u64,
        /// Autovacuum would begin at.
        limit: u64,
    },
    /// Many rows are dead: VACUUM (ANALYZE).
    Dead {
        /// So many.
        rows: u64,
        /// Of all.
        share: f64,
    },
    /// The last VACUUM is a period ago, and some rows died: VACUUM (ANALYZE).
    Due {
        /// When that was.
        last: Option<DateTime<Utc>>,
    },
    /// Many rows changed since the last ANALYZE, and few are dead: ANALYZE.
    Changed {
        /// So many.
        rows: u64,
    },
    /// It is the root of partitions, which autovacuum never analyzes, and the last ANALYZE is a period ago: ANALYZE.
    Root {
        /// When that was.
        last: Option<DateTime<Utc>>,
    },
}

/// Why a table is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum VacuumSkip {
    /// Somebody vacuums it now.
    BeingVacuumed,
    /// It was vacuumed within the period, and few rows died since.
    Fresh {
        /// When.
        at: DateTime<Utc>,
    },
    /// Too few rows are dead to be worth reading the table.
    FewDead {
        /// So many.
        rows: u64,
    },
    /// The role may not.
    NoRight,
}

/// Decides what to vacuum, analyze and freeze. Pure.
#[must_use]
pub fn plan_vacuum(facts: &VacuumFacts, policy: &VacuumPolicy, now: DateTime<Utc>) -> VacuumPlan {
    let mut plan = VacuumPlan::default();
    if facts.is_standby {
        plan.missing = Some("the server is a standby; let the policy name the primary".to_owned());
        return plan;
    }
    for table in &facts.tables {
        match judge(table, facts, policy, now) {
            Some(Ok(reason)) => {
                let analyzes = matches!(reason, VacuumReason::Changed { .. } | VacuumReason::Root { .. });
                let dead = if analyzes { 0 } else { table.dead };
                plan.steps.push(VacuumStep { table: table.name.clone(), reason, dead });
            }
            Some(Err(skip)) => plan.skipped.push((table.name.clone(), skip)),
            None => {}
        }
    }
    plan.steps.sort_by_key(|step| {
        let urgency = match step.reason {
            VacuumReason::Age { age, limit } | VacuumReason::MultixactAge { age, limit } => {
                age.saturating_mul(100) / limit.max(1)
            }
            _ => 0,
        };
        (Reverse(urgency), Reverse(step.dead), step.table.to_string())
    });
    let old = |holder: &&HorizonHolder| holder.age() >= policy.horizon_age_max;
    plan.holders = facts.holders.iter().filter(old).cloned().collect();
    plan.is_blind = facts.is_blind;
    let no_right = plan.skipped.iter().filter(|(_, skip)| *skip == VacuumSkip::NoRight);
    if let Some((table, _)) = no_right.clone().next() {
        let (count, role) = (no_right.count(), quoted(&facts.role));
        let remedy = if facts.version >= MAINTAIN_SINCE {
            format!("run GRANT pg_maintain TO {role}")
        } else {
            format!("before Postgres {MAINTAIN_SINCE} only the owner may: GRANT the owner's role TO {role}")
        };
        plan.missing = Some(format!("{count} tables may not be vacuumed, {table} among them; {remedy}"));
    }
    plan
}

/// What is done to a table, or why not; none if there is nothing to do.
fn judge(
    table: &TableUpkeep,
    facts: &VacuumFacts,
    policy: &VacuumPolicy,
    now: DateTime<Utc>,
) -> Option<Result<VacuumReason, VacuumSkip>> {
    let reason = match urgent(table, facts, policy) {
        Some(reason) => reason,
        // Catalogs are autovacuum's own; only their age is everybody's concern.
        None if table.is_catalog => return None,
        None if table.is_partitioned => {
            let last = table.analyzed_at;
            if !is_due(last, policy, now) {
                return None;
            }
            VacuumReason::Root { last }
        }
        None => match worthwhile(table, policy, now)? {
            Ok(reason) => reason,
            Err(skip) => return Some(Err(skip)),
        },
    };
    Some(if table.is_being_vacuumed {
        Err(VacuumSkip::BeingVacuumed)
    } else if !table.may_vacuum {
        Err(VacuumSkip::NoRight)
    } else {
        Ok(reason)
    })
}

fn urgent(table: &TableUpkeep, facts: &VacuumFacts, policy: &VacuumPolicy) -> Option<VacuumReason> {
    let reached = |age: u64, limit: u64| limit > 0 && share(age, limit) >= policy.freeze_share;
    if reached(table.xid_age, facts.freeze_max_age) {
        return Some(VacuumReason::Age { age: table.xid_age, limit: facts.freeze_max_age });
    }
    reached(table.multixact_age, facts.multixact_freeze_max_age).then_some(VacuumReason::MultixactAge {
        age: table.multixact_age,
        limit: facts.multixact_freeze_max_age,
    })
}

fn worthwhile(
    table: &TableUpkeep,
    policy: &VacuumPolicy,
    now: DateTime<Utc>,
) -> Option<Result<VacuumReason, VacuumSkip>> {
    let rows = table.dead;
    let dead_share = share(rows, table.live.saturating_add(rows));
    let many = rows >= policy.dead_rows_min;
    if many && dead_share >= policy.dead_share {
        return Some(Ok(VacuumReason::Dead { rows, share: dead_share }));
    }
    let last = table.vacuumed_at;
    if many && is_due(last, policy, now) {
        return Some(Ok(VacuumReason::Due { last }));
    }
    if table.changed >= policy.dead_rows_min
        && (table.analyzed_at.is_none() || share(table.changed, table.live.max(1)) >= policy.changed_share)
    {
        return Some(Ok(VacuumReason::Changed { rows: table.changed }));
    }
    match last {
        _ if rows == 0 => None,
        Some(at) if many => Some(Err(VacuumSkip::Fresh { at })),
        _ => Some(Err(VacuumSkip::FewDead { rows })),
    }
}

fn is_due(last: Option<DateTime<Utc>>, policy: &VacuumPolicy, now: DateTime<Utc>) -> bool {
    let period = TimeDelta::from_std(policy.period).unwrap_or(TimeDelta::MAX);
    last.is_none_or(|last| now.signed_duration_since(last) >= period)
}

#[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl VacuumStep {
    /// The statement: it waits for no lock, and leaves the end of the file where it is, because cutting it off would lock
    /// out readers, those of standbys among them.
    #[must_use]
    pub fn statement(&self) -> String {
        let table = &self.table;
        match self.reason {
            VacuumReason::Age { .. } | VacuumReason::MultixactAge { .. } => {
                format!("VACUUM (FREEZE, ANALYZE, SKIP_LOCKED, TRUNCATE false) {table}")
            }
            VacuumReason::Dead { .. } | VacuumReason::Due { .. } => {
                format!("VACUUM (ANALYZE, SKIP_LOCKED, TRUNCATE false) {table}")
            }
            VacuumReason::Changed { .. } | VacuumReason::Root { .. } => {
                format!("ANALYZE (SKIP_LOCKED) {table}")
            }
        }
    }
}

impl ChorePlan for VacuumPlan {
    fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    fn obstacles(&self) -> Vec<String> {
        self.missing.iter().cloned().chain(self.holders.iter().map(ToString::to_string)).collect()
    }
}

impl fmt::Display for VacuumPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            f.write_str("nothing to vacuum")?;
        }
        for (number, step) in self.steps.iter().enumerate() {
            let line_end = if number > 0 { "\n" } else { "" };
            write!(f, "{line_end}{}: {}", step.statement(), step.reason)?;
        }
        for (table, skip) in &self.skipped {
            write!(f, "\nleave {table}: {skip}")?;
        }
        self.obstacles().iter().try_for_each(|obstacle| write!(f, "\nobstacle: {obstacle}"))?;
        if self.is_blind {
            f.write_str("\nsessions of others cannot be seen; GRANT pg_read_all_stats to the role")?;
        }
        Ok(())
    }
}

impl fmt::Display for VacuumReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Age { age, limit } => {
                write!(f, "its oldest row is {age} transactions old, autovacuum begins at {limit}")
            }
            Self::MultixactAge { age, limit } => {
                write!(f, "its oldest multixact is {age} old, autovacuum begins at {limit}")
            }
            Self::Dead { rows, share } => write!(f, "{rows} rows are dead, {:.0} %", share * 100.0),
            Self::Due { last: Some(last) } => write!(f, "the last VACUUM was at {last}"),
            Self::Due { last: None } => f.write_str("it was never vacuumed"),
            Self::Root { last: Some(last) } => {
                write!(
                    f,
                    "autovacuum never analyzes a root of partitions, and the last ANALYZE was at {last}"
                )
            }
            Self::Root { last: None } => {
                f.write_str("autovacuum never analyzes a root of partitions, and nobody else did")
            }
            Self::Changed { rows } => write!(f, "{rows} rows changed since the last ANALYZE"),
        }
    }
}

impl fmt::Display for VacuumSkip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeingVacuumed => f.write_str("somebody vacuums it now"),
            Self::Fresh { at } => write!(f, "it was vacuumed at {at}"),
            Self::FewDead { rows } => write!(f, "only {rows} rows are dead"),
            Self::NoRight => f.write_str("the role may not"),
        }
    }
}
