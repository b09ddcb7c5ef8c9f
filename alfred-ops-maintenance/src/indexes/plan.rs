//! Which indexes cost and do not serve. Pure.

use std::cmp::Reverse;
use std::fmt;

use super::missing::{self, missing, size_hold};
use super::{IndexFacts, IndexFault, IndexFinding, IndexHold, IndexPolicy, IndexView, Rebuilds};
use crate::doctor::share;
use crate::postgres::quoted;
use crate::{ChorePlan, Gap, TableName};

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
    /// What was not seen.
    pub gaps: Vec<Gap>,
}

/// Decides what is done about indexes. Pure.
#[must_use]
pub fn plan_indexes(facts: &IndexFacts, policy: &IndexPolicy) -> IndexPlan {
    let mut found: Vec<(IndexFinding, bool)> = Vec::new();
    let (mut gone, mut bloated): (Vec<&TableName>, Vec<(IndexFinding, bool)>) = (Vec::new(), Vec::new());
    for index in &facts.indexes {
        let Some(fault) = fault(index, facts, policy, &gone) else {
            bloated.extend(bloat(index, policy).map(|finding| (finding, index.is_owner)));
            continue;
        };
        let (drops, hold) = match fault {
            IndexFault::Leftover => (true, None),
            IndexFault::Duplicate { .. } | IndexFault::Redundant { .. } => {
                (true, (!policy.drops).then_some(IndexHold::NotAskedFor))
            }
            IndexFault::Unused => (false, Some(IndexHold::Undecided)),
            IndexFault::Invalid => (false, size_hold(index.rebuilt.map(|rebuilt| rebuilt.bytes), policy)),
            _ => (false, None),
        };
        if drops {
            // What goes is no reason for another to go.
            gone.push(&index.name);
        }
        // A build that failed may have left a part of what the next one takes.
        let built = index.rebuilt.filter(|_| fault == IndexFault::Invalid).map_or(0, |rebuilt| rebuilt.bytes);
        let bytes = index.bytes.max(built);
        let finding = IndexFinding { index: index.name.clone(), fault, bytes, hold };
        found.push((finding, index.is_owner));
    }
    // What wastes most first; what is new at last, when the disk has got something back.
    bloated.sort_by_key(|(finding, _)| Reverse(finding.bytes.saturating_sub(finding.builds_bytes())));
    found.append(&mut bloated);
    found.extend(missing(facts, policy));

    let mut plan = IndexPlan { gaps: facts.gaps.clone(), ..IndexPlan::default() };
    for (mut finding, may) in found {
        if finding.hold.is_none() && facts.builds > 0 && finding.touches_builds() {
            finding.hold = Some(IndexHold::OthersBuild);
        }
        if finding.hold.is_some() {
            plan.told.push(finding);
        } else if may {
            plan.steps.push(finding);
        } else {
            plan.obstacles.push(obstacle(&finding, &facts.role));
        }
    }
    plan
}

fn obstacle(finding: &IndexFinding, role: &str) -> String {
    if finding.fault.lacks().is_some() {
        return missing::obstacle(finding, role);
    }
    format!("{} may be changed by its owner only; GRANT the owner's role TO {}", finding.index, quoted(role))
}

/// A B-tree that a new one would save so much of.
fn bloat(index: &IndexView, policy: &IndexPolicy) -> Option<IndexFinding> {
    if index.is_being_built || !index.is_valid {
        return None;
    }
    let rebuilt = index.rebuilt?;
    let wasted = index.bytes.saturating_sub(rebuilt.bytes);
    if wasted < policy.bloat_bytes_min.max(1) || share(wasted, index.bytes) < policy.bloat_share {
        return None;
    }
    let hold = match policy.rebuilds {
        Rebuilds::Never => Some(IndexHold::NotAskedFor),
        Rebuilds::Measured if !rebuilt.is_measured => Some(IndexHold::NotMeasured),
        _ if rebuilt.bytes > policy.build_bytes_max => {
            Some(IndexHold::TooLarge { bytes_max: policy.build_bytes_max })
        }
        _ => None,
    };
    let fault = IndexFault::Bloated { needed: rebuilt.bytes, is_measured: rebuilt.is_measured };
    Some(IndexFinding { index: index.name.clone(), fault, bytes: index.bytes, hold })
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
        let covers = !index.is_unique || keeps_rule(other, index);
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

/// Whether whatever one unique index refuses the other refuses as well, and as early.
fn keeps_rule(other: &IndexView, index: &IndexView) -> bool {
    other.is_unique
        && (other.is_nulls_not_distinct || !index.is_nulls_not_distinct)
        && (other.is_immediate || !index.is_immediate)
}

fn stays_first(index: &IndexView) -> (bool, bool) {
    (index.is_needed, index.is_unique)
}

fn position(facts: &IndexFacts, index: &IndexView) -> usize {
    facts.indexes.iter().position(|other| other.name == index.name).unwrap_or(usize::MAX)
}

/// REINDEX CONCURRENTLY calls its halves so, with a number where the name is taken.
pub(super) fn is_leftover(name: &str) -> bool {
    let name = name.trim_end_matches(|last: char| last.is_ascii_digit());
    name.ends_with("_ccnew") || name.ends_with("_ccold")
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
            if let Some(hold) = told.hold.filter(|hold| *hold != IndexHold::Undecided) {
                write!(f, "; {hold}")?;
            }
        }
        self.gaps.iter().try_for_each(|gap| write!(f, "\n{gap}"))?;
        self.obstacles.iter().try_for_each(|obstacle| write!(f, "\nobstacle: {obstacle}"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{ForeignKeyView, RebuiltSize};

    fn index(name: &str, keys: &[&str]) -> IndexView {
        let keys = keys.iter().map(|&key| key.to_owned()).collect();
        IndexView::new(name.parse().unwrap(), "t", keys)
    }

    fn check(indexes: Vec<IndexView>, policy: IndexPolicy, text: &str) {
        let counted_for = Duration::from_secs(40 * 24 * 3600);
        let facts = IndexFacts { role: "ops".to_owned(), indexes, counted_for, ..IndexFacts::default() };
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
                half(1 << 20),
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
            "nothing to do to indexes\nsee \"public\".\"two\" (0 bytes): \"public\".\"one\" is the same; the policy does not \
             ask for it",
        );
        check(
            vec![with(half(1 << 20), |index| index.is_owner = false)],
            drops,
            "nothing to do to indexes\nobstacle: \"public\".\"half\" may be changed by its owner only; GRANT the owner's \
             role TO \"ops\"",
        );
    }

    /// What a failed build left.
    fn half(bytes: u64) -> IndexView {
        let mut index = index("half", &["d"]);
        (index.is_valid, index.rebuilt) = (false, Some(RebuiltSize::new(bytes, false)));
        index
    }

    #[test]
    fn failed_builds_are_bounded_as_others_are() {
        let fault = "its build failed; it is written and never read";
        let held = |bytes: u64, why: &str| {
            format!("nothing to do to indexes\nsee \"public\".\"half\" ({bytes} bytes): {fault}; {why}")
        };
        let rebuilt = format!("REINDEX INDEX CONCURRENTLY \"public\".\"half\": {fault}");
        check(vec![half(8 << 30)], IndexPolicy::default(), &rebuilt);
        let large = (8 << 30) + 1;
        let too_large = held(large, "at most 8589934592 bytes may be built");
        check(vec![half(large)], IndexPolicy::default(), &too_large);
        let mut unknown = half(0);
        unknown.rebuilt = None;
        let why = "nobody can tell how large it would be; ANALYZE the table";
        check(vec![unknown], IndexPolicy::default(), &held(0, why));
    }

    #[test]
    fn of_unique_indexes_the_one_goes_whose_rule_the_other_keeps() {
        let dropped = |edit: [fn(&mut IndexView); 2]| {
            let mut indexes = ["one", "two"].map(|name| index(name, &["a"]));
            for (index, edit) in indexes.iter_mut().zip(edit) {
                index.is_unique = true;
                edit(index);
            }
            let facts = IndexFacts { indexes: indexes.to_vec(), ..IndexFacts::default() };
            let plan = plan_indexes(&facts, &IndexPolicy::default().with_drops());
            plan.steps.iter().map(|step| step.index.table().to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(dropped([|_| {}, |_| {}]), "two");
        assert_eq!(dropped([|_| {}, |index| index.is_nulls_not_distinct = true]), "");
        assert_eq!(dropped([|index| index.is_nulls_not_distinct = true, |_| {}]), "two");
        let deferred: fn(&mut IndexView) = |index| (index.is_needed, index.is_immediate) = (true, false);
        assert_eq!(dropped([deferred, |_| {}]), "", "the plain one asks at once");
        assert_eq!(dropped([|index| index.is_needed = true, |_| {}]), "two");
    }

    fn bloated(name: &str, mib: u64, needed: u64, is_measured: bool) -> IndexView {
        let mut index = index(name, &[name]);
        index.bytes = mib << 20;
        index.rebuilt = Some(RebuiltSize::new(needed << 20, is_measured));
        index
    }

    #[test]
    fn bloated_ones_are_rebuilt_worst_first_and_within_bounds() {
        let seen = || {
            let mut busy = bloated("busy", 900, 1, true);
            busy.is_being_built = true;
            vec![
                bloated("half", 200, 99, true),
                bloated("most", 400, 100, true),
                bloated("guess", 400, 100, false),
                bloated("slim", 200, 101, true),
                bloated("small", 60, 1, true),
                bloated("huge", 40_000, 9_000, true),
                busy,
            ]
        };
        let plan = |policy: IndexPolicy, builds| {
            let facts = IndexFacts { indexes: seen(), builds, ..IndexFacts::default() };
            let plan = plan_indexes(&facts, &policy);
            let name = |finding: &IndexFinding| finding.index.table().to_owned();
            let steps: Vec<String> = plan.steps.iter().map(name).collect();
            let told: Vec<_> = plan.told.iter().map(|told| (name(told), told.hold.unwrap())).collect();
            (steps.join(" "), told)
        };
        let too_large = ("huge".to_owned(), IndexHold::TooLarge { bytes_max: 8 << 30 });
        let policy = IndexPolicy::default();
        let (steps, told) = plan(policy, 0);
        assert_eq!(steps, "most half");
        assert_eq!(told, [too_large.clone(), ("guess".to_owned(), IndexHold::NotMeasured)]);
        assert_eq!(
            plan(policy.with_rebuilds(Rebuilds::Estimated), 0),
            ("most guess half".to_owned(), vec![too_large])
        );
        assert_eq!(plan(policy.with_rebuilds(Rebuilds::Never), 0).0, "");
        let (steps, told) = plan(policy, 1);
        assert_eq!(steps, "", "another session builds");
        assert!(told.contains(&("most".to_owned(), IndexHold::OthersBuild)), "{told:?}");
    }

    #[test]
    fn foreign_keys_get_what_they_lack_on_demand() {
        let key = |name: &str, column: &str| ForeignKeyView {
            name: name.to_owned(),
            table: "public.t".to_owned(),
            schema: "public".to_owned(),
            columns: vec![column.to_owned()],
            bytes: 10 << 20,
            index_bytes: Some(3 << 20),
            may_build: true,
            ..ForeignKeyView::default()
        };
        let long = format!("{}_fkey", "ä".repeat(29));
        let foreign_keys = vec![
            key("t_a_fkey", "a"),
            key("again", "a"),
            ForeignKeyView { indexes: vec!["public.i".to_owned()], ..key("has", "h") },
            ForeignKeyView { is_begun: true, ..key("begun", "g") },
            ForeignKeyView { bytes: 1, ..key("tiny", "y") },
            ForeignKeyView { is_partitioned: true, ..key("parts", "p") },
            ForeignKeyView { index_bytes: None, ..key("unknown", "u") },
            ForeignKeyView { may_build: false, ..key("foreign", "f") },
            key(&long, "Ä"),
        ];
        let facts = IndexFacts {
            role: "ops".to_owned(),
            indexes: vec![index("t_a_fk_idx", &["z"])],
            foreign_keys,
            ..IndexFacts::default()
        };
        let text = plan_indexes(&facts, &IndexPolicy::default().with_creates()).to_string();
        let wanted = format!(
            "CREATE INDEX CONCURRENTLY \"t_a_fk_idx1\" ON public.t (\"a\"): the foreign key t_a_fkey of public.t has no index\n\
             CREATE INDEX CONCURRENTLY \"{}_fk_idx\" ON public.t (\"Ä\"): the foreign key {long} of public.t has no index\n\
             see \"public\".\"parts_fk_idx\" (3145728 bytes): the foreign key parts of public.t has no index; its table is \
             partitioned; build it partition by partition\n\
             see \"public\".\"unknown_fk_idx\" (0 bytes): the foreign key unknown of public.t has no index; nobody can tell how \
             large it would be; ANALYZE the table\n\
             obstacle: \"public\".\"foreign_fk_idx\" is built by the owner of public.t only; GRANT the owner's role TO \"ops\", and \
             GRANT CREATE ON SCHEMA \"public\" TO \"ops\"",
            "ä".repeat(28)
        );
        assert_eq!(text, wanted);
        let plan = plan_indexes(&facts, &IndexPolicy::default());
        assert!(
            plan.steps.is_empty() && plan.told.iter().any(|told| told.hold == Some(IndexHold::NotAskedFor))
        );
    }

    proptest! {
        /// Whatever is dropped: every query that an index served is served by one that stays, and no rule is lost.
        #[test]
        fn what_stays_serves_all_that_was_served(
            seen in prop::collection::vec(
                (prop::collection::vec(0u8..3, 1..4), any::<[bool; 3]>(), prop::bool::weighted(0.2)), 1..9,
            ),
        ) {
            let indexes: Vec<IndexView> = seen.iter().enumerate().map(|(number, (keys, [unique, nulls, immediate], needed))| {
                let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
                let mut index = IndexView::new(format!("i{number}").parse().unwrap(), "t", keys);
                (index.is_unique, index.is_needed) = (*unique, *needed);
                (index.is_nulls_not_distinct, index.is_immediate) = (*nulls, *immediate);
                index
            }).collect();
            let facts = IndexFacts { indexes: indexes.clone(), ..IndexFacts::default() };
            let plan = plan_indexes(&facts, &IndexPolicy::default().with_drops());
            let gone: BTreeSet<String> = plan.steps.iter().map(|step| step.index.to_string()).collect();
            let (lost, stays): (Vec<_>, Vec<_>) = indexes.iter().partition(|index| gone.contains(&index.name.to_string()));
            for index in lost {
                prop_assert!(!index.is_needed);
                prop_assert!(stays.iter().any(|other| other.keys.starts_with(&index.keys)), "{plan}");
                let is_kept = stays.iter().any(|other| {
                    other.is_unique && other.keys == index.keys && other.is_nulls_not_distinct >= index.is_nulls_not_distinct
                        && other.is_immediate >= index.is_immediate
                });
                prop_assert!(!index.is_unique || is_kept);
            }
        }
    }
}
