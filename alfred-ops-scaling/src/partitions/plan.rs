//! What to make and what to detach. Pure.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::PartitionPolicy;

/// What is known of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionFacts {
    /// Its partitions.
    pub partitions: Vec<Partition>,
    /// The name of its default partition, if it has one.
    pub default: Option<String>,
    /// Whether that holds rows.
    pub default_has_rows: bool,
}

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Its name.
    pub name: String,
    /// Its first moment; none if it has no beginning.
    pub from: Option<DateTime<Utc>>,
    /// The moment after its last; none if it has no end.
    pub to: Option<DateTime<Utc>>,
    /// Whether it is being detached, by somebody who did not finish.
    pub detaching: bool,
}

/// What to do, in this order, and what cannot be done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionPlan {
    /// What to do.
    pub steps: Vec<PartitionStep>,
    /// What cannot be done, with the remedy.
    pub obstacles: Vec<PartitionObstacle>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartitionStep {
    /// A partition for the times from `from` until before `to`.
    Create {
        /// Its name.
        name: String,
        /// Its first moment.
        from: DateTime<Utc>,
        /// The moment after its last.
        to: DateTime<Utc>,
    },
    /// What somebody began to detach is detached.
    Finish {
        /// Its name.
        name: String,
    },
    /// All of its rows are older than they stay.
    Detach {
        /// Its name.
        name: String,
    },
}

/// What cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PartitionObstacle {
    /// Some of its times are another partition's already.
    Overlap {
        /// What would have been made.
        name: String,
        /// Whose times they are.
        with: String,
    },
    /// Rows lie in the default partition: a partition for their times could not be attached, and none is detached without a lock.
    DefaultHasRows {
        /// The default partition.
        default: String,
    },
    /// A table with a default partition cannot detach without locking out everybody.
    DefaultPreventsDetaching {
        /// The default partition.
        default: String,
        /// What stays attached.
        name: String,
    },
}

/// Decides what to make and what to detach at `now`.
///
/// - One partition for `now` and each of the `ahead` after it, unless their times are covered.
/// - A partition goes when it has ended `keep` ago or longer; one without an end never. What is being detached is finished first.
/// - One detachment at a time is all that Postgres allows of a table; the steps come one after the other.
#[must_use]
pub fn plan_partitions(
    facts: &PartitionFacts,
    policy: &PartitionPolicy,
    now: DateTime<Utc>,
) -> PartitionPlan {
    let mut plan = PartitionPlan::default();
    let finish = facts.partitions.iter().filter(|partition| partition.detaching);
    plan.steps.extend(finish.map(|partition| PartitionStep::Finish { name: partition.name.clone() }));
    let every = i64::try_from(policy.every.as_secs()).unwrap_or(i64::MAX).max(1);
    let first = now.timestamp().div_euclid(every);
    for number in first..=first.saturating_add(i64::from(policy.ahead)) {
        let edge = |number: i64| DateTime::from_timestamp(number.saturating_mul(every), 0);
        let (Some(from), Some(to)) = (edge(number), edge(number + 1)) else { break };
        plan.make(facts, policy, from, to);
    }
    if let (Some(default), true) = (&facts.default, facts.default_has_rows) {
        plan.obstacles.push(PartitionObstacle::DefaultHasRows { default: default.clone() });
    }
    let keep = TimeDelta::from_std(policy.keep).unwrap_or(TimeDelta::MAX);
    let is_old = |partition: &&Partition| {
        !partition.detaching && partition.to.is_some_and(|to| now.signed_duration_since(to) >= keep)
    };
    for Partition { name, .. } in facts.partitions.iter().filter(is_old) {
        let name = name.clone();
        match &facts.default {
            None => plan.steps.push(PartitionStep::Detach { name }),
            Some(default) => {
                let default = default.clone();
                plan.obstacles.push(PartitionObstacle::DefaultPreventsDetaching { default, name });
            }
        }
    }
    plan
}

impl PartitionPlan {
    fn make(
        &mut self,
        facts: &PartitionFacts,
        policy: &PartitionPolicy,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) {
        let name = format!("{}_{}", policy.table, from.format("%Y%m%d_%H"));
        let touching = |partition: &&Partition| {
            partition.from.is_none_or(|begin| begin < to) && partition.to.is_none_or(|end| end > from)
        };
        let Some(other) = facts.partitions.iter().find(touching) else {
            self.steps.push(PartitionStep::Create { name, from, to });
            return;
        };
        let covers = other.from.is_none_or(|begin| begin <= from) && other.to.is_none_or(|end| end >= to);
        if !covers {
            self.obstacles.push(PartitionObstacle::Overlap { name, with: other.name.clone() });
        }
    }
}

impl fmt::Display for PartitionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() && self.obstacles.is_empty() {
            return f.write_str("nothing to do");
        }
        let steps = self.steps.iter().map(ToString::to_string);
        let lines: Vec<String> = steps.chain(self.obstacles.iter().map(ToString::to_string)).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for PartitionStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |time: &DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        match self {
            Self::Create { name, from, to } => write!(f, "create {name} from {} to {}", show(from), show(to)),
            Self::Finish { name } => write!(f, "finish detaching {name}"),
            Self::Detach { name } => write!(f, "detach {name}: all of its rows are older than they stay"),
        }
    }
}

impl fmt::Display for PartitionObstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overlap { name, with } => {
                write!(
                    f,
                    "{name} is not made: some of its times belong to {with}; make partitions as long as those there are"
                )
            }
            Self::DefaultHasRows { default } => {
                write!(
                    f,
                    "rows lie in the default partition {default}; move them into partitions of their times"
                )
            }
            Self::DefaultPreventsDetaching { default, name } => write!(
                f,
                "{name} stays: with the default partition {default} it cannot be detached without locking out \
                 everybody; detach {default} once it is empty"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn at(day: i64, hour: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + day) + TimeDelta::hours(hour)
    }

    fn day(number: i64) -> Partition {
        let name = format!("processed_msgs_{}", at(number, 0).format("%Y%m%d_%H"));
        Partition { name, from: Some(at(number, 0)), to: Some(at(number + 1, 0)), detaching: false }
    }

    #[test]
    fn partitions_are_made_ahead_and_go_when_all_of_their_rows_are_old() {
        let policy = PartitionPolicy::processed_msgs();
        policy.check().unwrap();
        let empty = plan_partitions(&PartitionFacts::default(), &policy, at(0, 5));
        assert_eq!(empty.steps.len(), 4);
        assert_eq!(
            empty.steps[0].to_string(),
            "create processed_msgs_20241004_00 from 2024-10-04T00:00:00Z to 2024-10-05T00:00:00Z"
        );
        let partitions = vec![day(-4), day(-3), day(-2), day(-1), day(0), day(1), day(2), day(3)];
        let facts = PartitionFacts { partitions, ..PartitionFacts::default() };
        let plan = plan_partitions(&facts, &policy, at(0, 5));
        let names = [day(-4).name, day(-3).name];
        assert_eq!(
            plan.steps,
            names.map(|name| PartitionStep::Detach { name }),
            "a row of day -2 may be of 29 hours ago"
        );
        assert_eq!(plan_partitions(&facts, &policy, at(-1, 23)).steps.len(), 1);
    }

    #[test]
    fn what_cannot_be_done_is_told_with_its_remedy() {
        let policy = PartitionPolicy::processed_msgs();
        let odd = Partition {
            name: "odd".to_owned(),
            from: Some(at(0, 12)),
            to: Some(at(1, 12)),
            detaching: false,
        };
        let half = Partition { detaching: true, ..day(-9) };
        let facts = PartitionFacts {
            partitions: vec![day(-8), odd, half],
            default: Some("rest".to_owned()),
            default_has_rows: true,
        };
        let plan = plan_partitions(&facts, &policy, at(0, 0));
        assert_eq!(plan.steps[0], PartitionStep::Finish { name: day(-9).name });
        let text = plan.to_string();
        for part in ["belong to odd", "default partition rest; move", "detach rest once it is empty"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let mut wrong = PartitionPolicy::daily("Tasks; drop", Duration::from_secs(1))
            .with_every(Duration::from_secs(90), 0);
        let error = wrong.check().unwrap_err().to_string();
        assert!(
            error.contains("table:") && error.contains("every: 90s") && error.contains("ahead: 0"),
            "{error}"
        );
        wrong = PartitionPolicy::daily("tasks", Duration::from_secs(3600 * 5000))
            .with_every(Duration::from_secs(3600), 1);
        assert!(wrong.check().unwrap_err().to_string().contains("more than 1000"));
    }

    proptest! {
        #[test]
        fn writers_always_find_a_partition_and_rows_stay_as_long_as_they_should(
            hours in 1u64..72, ahead in 1u32..5, keep in 0u64..200, looks in prop::collection::vec(0i64..72, 1..40),
        ) {
            let policy = PartitionPolicy::daily("t", Duration::from_secs(keep * 3600))
                .with_every(Duration::from_secs(hours * 3600), ahead);
            let (mut facts, mut now) = (PartitionFacts::default(), at(0, 0));
            for pause in looks {
                now += TimeDelta::hours(pause);
                let plan = plan_partitions(&facts, &policy, now);
                prop_assert!(plan.obstacles.is_empty());
                for step in plan.steps {
                    match step {
                        PartitionStep::Create { name, from, to } => {
                            let clear = |other: &Partition| other.from.unwrap() >= to || other.to.unwrap() <= from;
                            prop_assert!(facts.partitions.iter().all(clear));
                            facts.partitions.push(Partition { name, from: Some(from), to: Some(to), detaching: false });
                        }
                        PartitionStep::Detach { name } => {
                            let gone = facts.partitions.iter().position(|other| other.name == name).unwrap();
                            let gone = facts.partitions.swap_remove(gone);
                            prop_assert!(now - gone.to.unwrap() >= TimeDelta::hours(i64::try_from(keep).unwrap()));
                        }
                        PartitionStep::Finish { .. } => prop_assert!(false),
                    }
                }
                let end = now + TimeDelta::hours(i64::try_from(hours * u64::from(ahead)).unwrap());
                for moment in [now, end] {
                    let holds = |other: &Partition| other.from.unwrap() <= moment && moment < other.to.unwrap();
                    prop_assert!(facts.partitions.iter().any(holds), "nothing for {moment}");
                }
                prop_assert!(plan_partitions(&facts, &policy, now).steps.is_empty(), "a second look does nothing");
            }
        }
    }
}
