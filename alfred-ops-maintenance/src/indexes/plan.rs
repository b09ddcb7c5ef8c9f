//! Which indexes cost and do not serve. Pure.

use std::fmt;

use super::{IndexFacts, IndexPolicy, IndexView};
use crate::postgres::quoted;
use crate::{ChorePlan, TableName};

/// What is done, and what is only told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexPlan {
    /// What is done, in this order.
    pub steps: Vec<IndexFinding>,
    /// What is told.
    pub told: Vec<IndexFinding>,
    /// What the role lacks.
    pub obstacles: Vec<String>,
}

/// An index that costs and does not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexFinding {
    /// The index.
    pub index: TableName,
    /// What is wrong with it.
    pub fault: IndexFault,
    /// What its end would free.
    pub bytes: u64,
}

/// What is wrong with an index.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexFault {
    /// What a failed REINDEX CONCURRENTLY left.
    Leftover,
    /// A failed build: it is kept up to date and never used.
    Invalid,
    /// Another is the same.
    Duplicate {
        /// That one, which stays.
        of: TableName,
    },
    /// Another begins with the same keys.
    Redundant {
        /// That one.
        beside: TableName,
    },
    /// Nobody has scanned it.
    Unused,
}

/// Decides what is done about indexes. Pure.
#[must_use]
pub fn plan_indexes(facts: &IndexFacts, policy: &IndexPolicy) -> IndexPlan {
    let mut plan = IndexPlan::default();
    let mut gone: Vec<&TableName> = Vec::new();
    for index in &facts.indexes {
        let Some(fault) = fault(index, facts, policy, &gone) else { continue };
        let finding = IndexFinding { index: index.name.clone(), fault, bytes: index.bytes };
        let (drops, acts) = match finding.fault {
            IndexFault::Leftover => (true, true),
            IndexFault::Invalid => (false, true),
            IndexFault::Duplicate { .. } | IndexFault::Redundant { .. } => (true, policy.drops),
            IndexFault::Unused => (false, false),
        };
        if drops {
            // What goes is no reason for another to go.
            gone.push(&index.name);
        }
        if !acts {
            plan.told.push(finding);
        } else if index.is_owner {
            plan.steps.push(finding);
        } else {
            plan.obstacles.push(format!(
                "{} may be changed by its owner only; GRANT the owner's role TO {}",
                index.name,
                quoted(&facts.role)
            ));
        }
    }
    plan
}

fn fault(
    index: &IndexView,
    facts: &IndexFacts,
    policy: &IndexPolicy,
    gone: &[&TableName],
) -> Option<IndexFault> {
    if index.is_being_built {
        return None;
    }
    if !index.is_valid {
        return Some(if is_leftover(index.name.table()) {
            IndexFault::Leftover
        } else {
            IndexFault::Invalid
        });
    }
    if index.is_needed {
        return None;
    }
    let others = facts.indexes.iter().filter(|other| {
        other.name != index.name
            && other.table == index.table
            && other.is_valid
            && !gone.contains(&&other.name)
            && index.included.iter().all(|column| other.included.contains(column))
    });
    for other in others {
        let same = other.keys == index.keys && other.included == index.included;
        // Of two that are the same the one stays that does more, else the younger goes.
        let covers = !index.is_unique || other.is_unique;
        if same
            && covers
            && (stays_first(other) > stays_first(index) || position(facts, other) < position(facts, index))
        {
            return Some(IndexFault::Duplicate { of: other.name.clone() });
        }
        let longer = other.keys.len() > index.keys.len()
            || other.keys.len() == index.keys.len() && other.included.len() > index.included.len();
        if index.is_btree && !index.is_unique && longer && other.keys.starts_with(&index.keys) {
            return Some(IndexFault::Redundant { beside: other.name.clone() });
        }
    }
    let unused = index.scans == 0 && !index.is_unique && facts.counted_for >= policy.unused_after;
    unused.then_some(IndexFault::Unused)
}

fn stays_first(index: &IndexView) -> (bool, bool) {
    (index.is_needed, index.is_unique)
}

fn position(facts: &IndexFacts, index: &IndexView) -> usize {
    facts.indexes.iter().position(|other| other.name == index.name).unwrap_or(usize::MAX)
}

/// REINDEX CONCURRENTLY calls its halves so, with a number where the name is taken.
fn is_leftover(name: &str) -> bool {
    let name = name.trim_end_matches(|last: char| last.is_ascii_digit());
    name.ends_with("_ccnew") || name.ends_with("_ccold")
}

impl IndexFinding {
    /// The statement that mends it; none for what is only told.
    #[must_use]
    pub fn statement(&self) -> Option<String> {
        let index = &self.index;
        match self.fault {
            IndexFault::Invalid => Some(format!("REINDEX INDEX CONCURRENTLY {index}")),
            IndexFault::Unused => None,
            IndexFault::Leftover | IndexFault::Duplicate { .. } | IndexFault::Redundant { .. } => {
                Some(format!("DROP INDEX CONCURRENTLY {index}"))
            }
        }
    }
}

impl ChorePlan for IndexPlan {
    fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    fn obstacles(&self) -> Vec<String> {
        self.obstacles.clone()
    }
}

impl fmt::Display for IndexPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            f.write_str("nothing to do to indexes")?;
        }
        for (number, step) in self.steps.iter().enumerate() {
            let line_end = if number > 0 { "\n" } else { "" };
            write!(f, "{line_end}{}: {}", step.statement().unwrap_or_default(), step.fault)?;
        }
        for told in &self.told {
            write!(f, "\nsee {} ({} bytes): {}", told.index, told.bytes, told.fault)?;
        }
        self.obstacles.iter().try_for_each(|obstacle| write!(f, "\nobstacle: {obstacle}"))
    }
}

impl fmt::Display for IndexFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leftover => f.write_str("a failed REINDEX left it"),
            Self::Invalid => f.write_str("its build failed; it is written and never read"),
            Self::Duplicate { of } => write!(f, "{of} is the same"),
            Self::Redundant { beside } => write!(f, "{beside} begins with the same keys"),
            Self::Unused => {
                f.write_str("nobody here has scanned it; look at the standbys before it is dropped")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn index(name: &str, keys: &[&str]) -> IndexView {
        let keys = keys.iter().map(|&key| key.to_owned()).collect();
        IndexView::new(name.parse().unwrap(), "t", keys)
    }

    fn check(indexes: Vec<IndexView>, policy: IndexPolicy, text: &str) {
        let counted_for = Duration::from_secs(40 * 24 * 3600);
        let facts = IndexFacts { role: "ops".to_owned(), indexes, counted_for };
        assert_eq!(plan_indexes(&facts, &policy).to_string(), text);
    }

    #[test]
    fn faults_are_found_and_look_alikes_are_not() {
        let drops = IndexPolicy::default().with_drops();
        let with = |mut index: IndexView, edit: fn(&mut IndexView)| {
            edit(&mut index);
            index
        };
        check(
            vec![
                with(index("pkey", &["a"]), |index| (index.is_unique, index.is_needed) = (true, true)),
                index("a_again", &["a"]),
                index("b", &["b"]),
                index("b_c", &["b", "c"]),
                index("c_ccnew1", &["c"]),
                with(index("half_ccnew", &["c"]), |index| index.is_valid = false),
                with(index("half", &["d"]), |index| index.is_valid = false),
                with(index("building", &["d"]), |index| {
                    (index.is_valid, index.is_being_built) = (false, true);
                }),
                with(index("unused", &["e"]), |index| index.scans = 0),
            ],
            drops,
            "DROP INDEX CONCURRENTLY \"public\".\"a_again\": \"public\".\"pkey\" is the same\n\
             DROP INDEX CONCURRENTLY \"public\".\"b\": \"public\".\"b_c\" begins with the same keys\n\
             DROP INDEX CONCURRENTLY \"public\".\"half_ccnew\": a failed REINDEX left it\n\
             REINDEX INDEX CONCURRENTLY \"public\".\"half\": its build failed; it is written and never read\n\
             see \"public\".\"unused\" (0 bytes): nobody here has scanned it; look at the standbys before it is dropped",
        );
        check(
            vec![
                // Another column first, another table, a unique prefix, a hash, one that carries more.
                index("c_b", &["c", "b"]),
                index("b", &["b"]),
                with(index("elsewhere", &["c"]), |index| index.table = "u".to_owned()),
                with(index("unique", &["c"]), |index| index.is_unique = true),
                with(index("hash", &["hash c"]), |index| index.is_btree = false),
                with(index("carries", &["c"]), |index| index.included = vec!["x".to_owned()]),
                with(index("unused_unique", &["f"]), |index| (index.is_unique, index.scans) = (true, 0)),
            ],
            drops,
            "nothing to do to indexes",
        );
        check(
            vec![index("one", &["a"]), index("two", &["a"])],
            IndexPolicy::default(),
            "nothing to do to indexes\nsee \"public\".\"two\" (0 bytes): \"public\".\"one\" is the same",
        );
        check(
            vec![with(index("half", &["d"]), |index| (index.is_valid, index.is_owner) = (false, false))],
            drops,
            "nothing to do to indexes\nobstacle: \"public\".\"half\" may be changed by its owner only; GRANT the owner's \
             role TO \"ops\"",
        );
    }

    proptest! {
        /// Whatever is dropped: every query that an index served is served by one that stays, and no rule is lost.
        #[test]
        fn what_stays_serves_all_that_was_served(
            seen in prop::collection::vec((prop::collection::vec(0u8..3, 1..4), any::<bool>(), prop::bool::weighted(0.2)), 1..9),
        ) {
            let indexes: Vec<IndexView> = seen.iter().enumerate().map(|(number, (keys, unique, needed))| {
                let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
                let mut index = IndexView::new(format!("i{number}").parse().unwrap(), "t", keys);
                (index.is_unique, index.is_needed) = (*unique, *needed);
                index
            }).collect();
            let facts = IndexFacts { indexes: indexes.clone(), ..IndexFacts::default() };
            let plan = plan_indexes(&facts, &IndexPolicy::default().with_drops());
            let gone: BTreeSet<String> = plan.steps.iter().map(|step| step.index.to_string()).collect();
            let (lost, stays): (Vec<_>, Vec<_>) = indexes.iter().partition(|index| gone.contains(&index.name.to_string()));
            for index in lost {
                prop_assert!(!index.is_needed);
                prop_assert!(stays.iter().any(|other| other.keys.starts_with(&index.keys)), "{plan}");
                prop_assert!(!index.is_unique || stays.iter().any(|other| other.is_unique && other.keys == index.keys));
            }
        }
    }
}
