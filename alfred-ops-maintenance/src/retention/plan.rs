//! What would be done.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    ExpiredPartition, PartitionState, RetentionFacts, RetentionObstacle, RetentionPolicy, TableFacts,
};
use crate::postgres::quoted;
use crate::{ChorePlan, TableName};

/// From here on the heap is ordered enough to be walked by blocks: three times as fast as along the index, and hardly
/// a block is visited in vain.
const CORRELATION_MIN: f32 = 0.9;
/// Clocks of hosts that follow NTP differ by far less; whoever sets a clock by hand differs by more.
const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::minutes(5);
const COLUMN_TYPE: &str = "timestamp with time zone";

/// What would be done, and what is in the way.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RetentionPlan {
    /// Of this table,
    pub table: TableName,
    /// by this column,
    pub column: String,
    /// the rows before this time go,
    pub cutoff: DateTime<Utc>,
    /// in this way.
    pub work: RetentionWork,
    /// What is in the way.
    pub obstacles: Vec<RetentionObstacle>,
}

/// How rows go. The first that is possible is chosen, in this order.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RetentionWork {
    /// With their partitions: no row is touched.
    DropPartitions(Vec<ExpiredPartition>),
    /// By blocks of the heap, because it is in the order of ages; what lies elsewhere goes along the index.
    DeleteByBlocks {
        /// The first block.
        from: u64,
        /// The block after the last.
        to: u64,
        /// How far the order of ages is that of the heap.
        correlation: f32,
    },
    /// Along the index from the oldest on, and never back.
    DeleteAlongIndex {
        /// The index.
        index: String,
        /// The oldest row.
        from: DateTime<Utc>,
        /// Why not by blocks: too little order, or nobody has run ANALYZE.
        correlation: Option<f32>,
    },
    /// From each of the tables that the rows are in, one after the other: partitions that do not go as a whole, or children.
    DeleteFromParts(Vec<RetentionPart>),
    /// Nothing is old enough, or something is in the way.
    Nothing {
        /// The oldest row, if it is known.
        oldest: Option<DateTime<Utc>>,
    },
}

/// One of the tables that the rows of a table are in.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RetentionPart {
    /// Its name.
    pub table: TableName,
    /// How its rows go.
    pub work: RetentionWork,
}

/// Decides what to remove and how. Pure: the same facts, policy and time give the same plan.
#[must_use]
pub fn plan_retention(facts: &RetentionFacts, policy: &RetentionPolicy, now: DateTime<Utc>) -> RetentionPlan {
    let cutoff = policy.cutoff(now);
    let (work, obstacles) = match &facts.table {
        _ if facts.is_standby => (None, vec![RetentionObstacle::Standby]),
        _ if facts.clock_ahead.abs() > CLOCK_SKEW_MAX => {
            (None, vec![RetentionObstacle::ClockSkew { seconds: facts.clock_ahead.num_seconds() }])
        }
        None => (None, vec![RetentionObstacle::NoTable { table: policy.table.to_string() }]),
        Some(table) => match (&table.partitions, &table.parts) {
            (Some(expired), _) => drop_partitions(expired, table, facts, policy, now),
            (None, Some(parts)) => delete_from_parts(parts, table, facts, policy, cutoff),
            (None, None) => delete(&policy.table, table, facts, policy, cutoff),
        },
    };
    let oldest = facts.table.as_ref().and_then(|table| table.oldest);
    RetentionPlan {
        table: policy.table.clone(),
        column: policy.column.clone(),
        cutoff,
        work: work.unwrap_or(RetentionWork::Nothing { oldest }),
        obstacles,
    }
}

fn drop_partitions(
    expired: &[ExpiredPartition],
    table: &TableFacts,
    facts: &RetentionFacts,
    policy: &RetentionPolicy,
    now: DateTime<Utc>,
) -> (Option<RetentionWork>, Vec<RetentionObstacle>) {
    let keep = TimeDelta::from_std(policy.keep).unwrap_or(TimeDelta::MAX);
    // The facts may have been gathered for a later time.
    let is_old = |to: DateTime<Utc>| now.signed_duration_since(to) >= keep;
    let stays = |partition: &ExpiredPartition| partition.state == PartitionState::Marked;
    let mut expired = expired.to_vec();
    expired.retain(|partition| stays(partition) || partition.to.is_some_and(is_old));
    let mut obstacles = wrong_column(table, policy);
    if !obstacles.is_empty() {
        return (None, obstacles);
    }
    if let Some(name) = table.left_detaching.first() {
        let finish = format!("ALTER TABLE {} DETACH PARTITION {name} FINALIZE", policy.table);
        obstacles.push(RetentionObstacle::LeftDetaching { finish });
        expired.retain(|partition| partition.state != PartitionState::Attached);
    }
    if let Some(default) = &table.default_partition {
        let before = expired.len();
        expired.retain(|partition| partition.state != PartitionState::Attached);
        if expired.len() < before {
            obstacles.push(RetentionObstacle::DefaultPartition { default: default.clone() });
        }
    }
    if !expired.is_empty() && !table.is_owner {
        // Ownership is not given by GRANT on the table, but by membership in the role that has it.
        let grant = format!("GRANT the role that owns {} TO {}", policy.table, quoted(&facts.role));
        return (None, vec![RetentionObstacle::MissingGrant { grant }]);
    }
    ((!expired.is_empty()).then_some(RetentionWork::DropPartitions(expired)), obstacles)
}

fn delete_from_parts(
    parts: &[(TableName, TableFacts)],
    whole: &TableFacts,
    facts: &RetentionFacts,
    policy: &RetentionPolicy,
    cutoff: DateTime<Utc>,
) -> (Option<RetentionWork>, Vec<RetentionObstacle>) {
    let mut obstacles = wrong_column(whole, policy);
    // Its policies are meant for the rows of its parts, too.
    obstacles.extend(filtered(&policy.table, whole, facts));
    if !obstacles.is_empty() {
        return (None, obstacles);
    }
    if whole.has_too_many_parts {
        obstacles.push(RetentionObstacle::TooManyParts);
    }
    let mut works = Vec::new();
    for (name, part) in parts {
        if part.is_foreign {
            obstacles.push(RetentionObstacle::Foreign { table: name.to_string() });
            continue;
        }
        let (work, in_the_way) = delete(name, part, facts, policy, cutoff);
        works.extend(work.map(|work| RetentionPart { table: name.clone(), work }));
        obstacles.extend(in_the_way);
    }
    ((!works.is_empty()).then_some(RetentionWork::DeleteFromParts(works)), obstacles)
}

fn wrong_column(table: &TableFacts, policy: &RetentionPolicy) -> Vec<RetentionObstacle> {
    let column = policy.column.clone();
    match table.column_type.as_deref() {
        None => vec![RetentionObstacle::NoColumn { column }],
        Some(COLUMN_TYPE) => Vec::new(),
        Some(is) => vec![RetentionObstacle::WrongType { column, is: is.to_owned() }],
    }
}

fn filtered(name: &TableName, table: &TableFacts, facts: &RetentionFacts) -> Option<RetentionObstacle> {
    let (table_name, role) = (name.to_string(), quoted(&facts.role));
    table.is_filtered.then_some(RetentionObstacle::RowSecurity { table: table_name, role })
}

fn delete(
    name: &TableName,
    table: &TableFacts,
    facts: &RetentionFacts,
    policy: &RetentionPolicy,
    cutoff: DateTime<Utc>,
) -> (Option<RetentionWork>, Vec<RetentionObstacle>) {
    let mut obstacles = wrong_column(table, policy);
    obstacles.extend(filtered(name, table, facts));
    if !table.missing_rights.is_empty() {
        let rights = table.missing_rights.join(", ");
        let grant = format!("GRANT {rights} ON {name} TO {}", quoted(&facts.role));
        obstacles.push(RetentionObstacle::MissingGrant { grant });
    }
    let create = format!("CREATE INDEX CONCURRENTLY ON {name} ({})", quoted(&policy.column));
    let Some(index) = &table.index else {
        if table.column_type.is_some() {
            obstacles.push(RetentionObstacle::MissingIndex { create });
        }
        return (None, obstacles);
    };
    let Some(oldest) = table.oldest.filter(|oldest| *oldest < cutoff && obstacles.is_empty()) else {
        return (None, obstacles);
    };
    let work = match table.correlation {
        Some(correlation) if correlation > CORRELATION_MIN => RetentionWork::DeleteByBlocks {
            // A stray row says nothing about the others.
            from: if table.oldest_block <= table.newest_expired_block { table.oldest_block } else { 0 },
            to: table.newest_expired_block.saturating_add(1),
            correlation,
        },
        correlation => RetentionWork::DeleteAlongIndex { index: index.clone(), from: oldest, correlation },
    };
    (Some(work), obstacles)
}

impl ChorePlan for RetentionPlan {
    fn is_empty(&self) -> bool {
        matches!(self.work, RetentionWork::Nothing { .. })
    }

    fn obstacles(&self) -> Vec<String> {
        self.obstacles.iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for RetentionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f, &self.table, &self.work)?;
        self.obstacles.iter().try_for_each(|obstacle| write!(f, "\nobstacle: {obstacle}"))
    }
}

impl RetentionPlan {
    /// The plan for one of the tables that the rows are in.
    #[cfg(feature = "postgres")]
    pub(super) fn of_part(&self, part: &RetentionPart) -> Self {
        let RetentionPart { table, work } = part.clone();
        Self { table, work, obstacles: Vec::new(), ..self.clone() }
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, table: &TableName, work: &RetentionWork) -> fmt::Result {
        let cutoff = self.cutoff;
        let delete = format!("delete from {table} where {} < {cutoff}", quoted(&self.column));
        match work {
            RetentionWork::DropPartitions(expired) => {
                f.write_str(&expired.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
            }
            RetentionWork::DeleteFromParts(parts) => {
                for (number, part) in parts.iter().enumerate() {
                    f.write_str(if number > 0 { "\n" } else { "" })?;
                    self.show(f, &part.table, &part.work)?;
                }
            }
            RetentionWork::DeleteByBlocks { from, to, correlation } => write!(
                f,
                "{delete}, by blocks {from} to {to}, because the heap is in the order of ages \
                 (correlation {correlation:.2}), then what lies elsewhere"
            )?,
            RetentionWork::DeleteAlongIndex { index, from, correlation } => {
                write!(f, "{delete}, along {index} from {from} on, because ")?;
                match correlation {
                    Some(correlation) => {
                        write!(f, "the heap is not in the order of ages (correlation {correlation:.2})")?;
                    }
                    None => f.write_str("nothing is known of the heap's order")?,
                }
            }
            RetentionWork::Nothing { oldest: Some(oldest) } => {
                write!(f, "nothing to delete: the oldest row is of {oldest}, the cutoff is {cutoff}")?;
            }
            RetentionWork::Nothing { oldest: None } => f.write_str("nothing to delete")?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + number)
    }

    fn facts(edit: impl FnOnce(&mut RetentionFacts, &mut TableFacts)) -> RetentionFacts {
        let mut facts = RetentionFacts { role: "ops".to_owned(), ..RetentionFacts::default() };
        let mut table = TableFacts {
            column_type: Some(COLUMN_TYPE.to_owned()),
            index: Some("by_age".to_owned()),
            correlation: Some(0.5),
            oldest: Some(day(-3)),
            oldest_block: 4,
            newest_expired_block: 90,
            ..TableFacts::default()
        };
        edit(&mut facts, &mut table);
        facts.table = Some(table);
        facts
    }

    fn check(facts: &RetentionFacts, plan: &str) {
        assert_eq!(plan_retention(facts, &RetentionPolicy::processed_msgs(), day(0)).to_string(), plan);
    }

    #[test]
    fn the_way_follows_from_the_facts_and_says_why() {
        let delete =
            "delete from \"public\".\"processed_msgs\" where \"processed_at\" < 2024-10-02 00:00:00 UTC";
        check(
            &facts(|_, _| {}),
            &format!(
                "{delete}, along by_age from 2024-10-01 00:00:00 UTC on, because the heap is not in the order of ages \
                 (correlation 0.50)"
            ),
        );
        check(
            &facts(|_, table| table.correlation = None),
            &format!(
                "{delete}, along by_age from 2024-10-01 00:00:00 UTC on, because nothing is known of the heap's order"
            ),
        );
        let by_blocks = |from: u64| {
            format!(
                "{delete}, by blocks {from} to 91, because the heap is in the order of ages (correlation 0.99), then \
                 what lies elsewhere"
            )
        };
        check(&facts(|_, table| table.correlation = Some(0.99)), &by_blocks(4));
        check(&facts(|_, table| (table.correlation, table.oldest_block) = (Some(0.99), 700)), &by_blocks(0));
        check(
            &facts(|_, table| table.oldest = Some(day(-2))),
            "nothing to delete: the oldest row is of 2024-10-02 00:00:00 UTC, the cutoff is 2024-10-02 00:00:00 UTC",
        );
    }

    #[test]
    fn what_is_in_the_way_is_told_with_its_remedy_and_nothing_is_read_without_an_index() {
        check(
            &facts(|_, table| (table.index, table.oldest) = (None, None)),
            "nothing to delete\nobstacle: no index is led by the column, and the table is not read as a whole; \
             run CREATE INDEX CONCURRENTLY ON \"public\".\"processed_msgs\" (\"processed_at\")",
        );
        check(
            &facts(|_, table| table.missing_rights = vec!["DELETE", "UPDATE"]),
            "nothing to delete: the oldest row is of 2024-10-01 00:00:00 UTC, the cutoff is 2024-10-02 00:00:00 UTC\n\
             obstacle: the role lacks rights; run GRANT DELETE, UPDATE ON \"public\".\"processed_msgs\" TO \"ops\"",
        );
        for (facts, part) in [
            (facts(|_, table| table.column_type = Some("date".to_owned())), "is of type date"),
            (facts(|_, table| table.column_type = None), "no column \"processed_at\""),
            (facts(|facts, _| facts.is_standby = true), "is a standby"),
            (RetentionFacts::default(), "no table \"public\".\"processed_msgs\""),
        ] {
            let plan = plan_retention(&facts, &RetentionPolicy::processed_msgs(), day(0));
            assert!(plan.is_empty() && plan.obstacles().join("").contains(part), "{part} in {plan}");
        }
    }

    #[test]
    fn partitions_go_as_a_whole_unless_a_default_partition_forbids_it() {
        let partition = |number: i64, state| {
            let name = format!("p{}", -number).parse().unwrap();
            ExpiredPartition::new(name, Some(day(number)), state, 5)
        };
        let partitioned = |owner: bool, default: Option<&str>| {
            facts(|_, table| {
                table.is_owner = owner;
                table.default_partition = default.map(ToOwned::to_owned);
                table.partitions = Some(vec![
                    partition(-4, PartitionState::Detached),
                    partition(-3, PartitionState::Detaching),
                    partition(-2, PartitionState::Attached),
                    partition(-1, PartitionState::Attached),
                ]);
            })
        };
        check(
            &partitioned(true, None),
            "drop \"public\".\"p4\", which an earlier run detached: all of its rows are older than 2024-09-30 00:00:00 UTC\n\
             finish detaching and drop partition \"public\".\"p3\": all of its rows are older than 2024-10-01 00:00:00 UTC\n\
             detach and drop partition \"public\".\"p2\": all of its rows are older than 2024-10-02 00:00:00 UTC",
        );
        let policy = RetentionPolicy::processed_msgs();
        let plan = plan_retention(&partitioned(true, Some("rest")), &policy, day(0));
        assert!(matches!(&plan.work, RetentionWork::DropPartitions(names) if names.len() == 2), "{plan}");
        assert!(plan.obstacles()[0].contains("default partition rest"), "{plan}");
        let plan = plan_retention(&partitioned(false, None), &policy, day(0));
        assert!(plan.is_empty() && plan.obstacles()[0].contains("TO \"ops\""), "{plan}");
    }

    proptest! {
        #[test]
        fn young_rows_are_never_in_a_plan(
            age_seconds in 0i64..400_000, keep_seconds in 0u64..400_000, correlation in prop::option::of(-1f32..1.0),
        ) {
            let mut policy = RetentionPolicy::processed_msgs();
            policy.keep = Duration::from_secs(keep_seconds);
            let oldest = day(0) - TimeDelta::seconds(age_seconds);
            let facts = facts(|_, table| (table.oldest, table.correlation) = (Some(oldest), correlation));
            let plan = plan_retention(&facts, &policy, day(0));
            prop_assert_eq!(plan.cutoff, day(0) - TimeDelta::from_std(policy.keep).unwrap());
            prop_assert_eq!(plan.is_empty(), age_seconds.unsigned_abs() <= keep_seconds);
            if let RetentionWork::DeleteByBlocks { correlation, from, to } = plan.work {
                prop_assert!(correlation > CORRELATION_MIN && from < to);
            }
        }
    }

    #[test]
    fn an_endless_span_keeps_everything() {
        let mut policy = RetentionPolicy::processed_msgs();
        policy.keep = Duration::MAX;
        let plan = plan_retention(&facts(|_, _| {}), &policy, day(0));
        assert!(plan.is_empty(), "{plan}");
    }
}
