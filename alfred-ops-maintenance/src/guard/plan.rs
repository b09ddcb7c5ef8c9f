//! Which way back is the cheapest that is safe.

use std::fmt;

/// How the way back by a down migration or the host's own statements stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub enum DownState {
    /// There is none.
    #[default]
    None,
    /// It was not tried yet.
    Ready,
    /// It has run to its end.
    Done,
    /// It failed, and why.
    Failed(String),
}

/// How the way back by a side server stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AsideState {
    /// There is none, and why.
    None(String),
    /// It was not tried yet.
    Ready,
    /// It runs, and holds the database as it was.
    Up,
    /// It could not be brought up, and why.
    Failed(String),
}

/// How copying rows back from the side server stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyState {
    /// The host did not allow it.
    NotAllowed,
    /// It was not tried yet.
    Ready,
    /// It has run to its end.
    Done,
    /// It failed, and why.
    Failed(String),
}

/// What is known when a change has to be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReturnFacts {
    /// Whether anything of the change can have become visible to others.
    pub committed: bool,
    /// Objects of the schema that are not what they were.
    pub objects: Vec<String>,
    /// Protected tables whose rows are not what they were, and how.
    pub tables: Vec<String>,
    /// Whether something is known of rows: a table is protected, or what has run touches none.
    pub rows_compared: bool,
    /// Indexes that the change has begun to build and that nobody will finish; they are among the objects.
    pub half_built: Vec<String>,
    /// Sequences that would give a number twice.
    pub sequences: Vec<String>,
    /// The down migration.
    pub down: DownState,
    /// The side server.
    pub aside: AsideState,
    /// Rows copied back from it.
    pub copy: CopyState,
}

/// What is done next to go back, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReturnStep {
    /// Nothing: the database is as it was.
    Rest,
    /// Sequences are set to where they were: no transaction and no down migration does that.
    RaiseSequences,
    /// The down migration, or the host's own statements.
    RunDown,
    /// Indexes are removed that the change has begun to build and not finished.
    RemoveHalfBuilt {
        /// They.
        indexes: Vec<String>,
    },
    /// The last backup is restored aside, to the moment before the change.
    RestoreAside {
        /// Why nothing cheaper will do.
        why: String,
    },
    /// Rows are copied from the side server.
    CopyBack,
    /// The side server is handed to people.
    HandOver {
        /// Why its rows are not copied back.
        why: String,
    },
    /// Nothing is left to try.
    GiveUp {
        /// What is not as it was, and why it stays so.
        why: String,
    },
}

/// Says what is done next to go back: the cheapest that is safe, in view of what was tried. Pure.
#[must_use]
pub fn plan_return(facts: &ReturnFacts) -> ReturnStep {
    if !facts.sequences.is_empty() {
        return ReturnStep::RaiseSequences;
    }
    let wrong = || {
        let all: Vec<&str> = facts.objects.iter().chain(&facts.tables).map(String::as_str).collect();
        if all.is_empty() { "nothing is known of rows".to_owned() } else { listed(&all) }
    };
    let is_equal = facts.objects.is_empty() && facts.tables.is_empty();
    // Where rows are not compared, a way down that has run is believed.
    let is_known = facts.rows_compared || facts.down == DownState::Done;
    // What a transaction took back is back; whatever differs then was changed by somebody else.
    if !facts.committed {
        return ReturnStep::Rest;
    }
    // Even if all is equal: the change may have touched what nobody compares.
    if facts.down == DownState::Ready {
        return ReturnStep::RunDown;
    }
    if is_equal && is_known {
        return ReturnStep::Rest;
    }
    if !facts.half_built.is_empty() {
        return ReturnStep::RemoveHalfBuilt { indexes: facts.half_built.clone() };
    }
    let down = match &facts.down {
        DownState::Failed(why) => format!("the way down failed: {why}"),
        DownState::Done => format!("after the way down {}", wrong()),
        _ => format!("there is no way down, and {}", wrong()),
    };
    match &facts.aside {
        AsideState::Ready => ReturnStep::RestoreAside { why: down },
        AsideState::Up if !facts.objects.is_empty() => ReturnStep::HandOver {
            why: format!(
                "rows are copied into the schema that they came from, and {}",
                listed(&strs(&facts.objects))
            ),
        },
        AsideState::Up if is_equal => ReturnStep::HandOver { why: wrong() },
        AsideState::Up => match &facts.copy {
            CopyState::Ready => ReturnStep::CopyBack,
            CopyState::NotAllowed => {
                ReturnStep::HandOver { why: "the host did not allow rows to be copied back".to_owned() }
            }
            CopyState::Done => {
                ReturnStep::HandOver { why: format!("rows were copied back, and still {}", wrong()) }
            }
            CopyState::Failed(why) => {
                ReturnStep::HandOver { why: format!("rows could not be copied back: {why}") }
            }
        },
        AsideState::None(why) | AsideState::Failed(why) => {
            ReturnStep::GiveUp { why: format!("{down}; no side server: {why}") }
        }
    }
}

fn strs(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

/// The first few.
pub(super) fn listed(all: &[&str]) -> String {
    const SHOWN: usize = 4;
    let shown = all.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

impl fmt::Display for ReturnStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rest => f.write_str("nothing: the database is as it was"),
            Self::RaiseSequences => f.write_str("set sequences to where they were"),
            Self::RunDown => f.write_str("run the way down"),
            Self::RemoveHalfBuilt { indexes } => {
                write!(f, "remove what is built by half: {}", listed(&strs(indexes)))
            }
            Self::RestoreAside { why } => write!(f, "restore a side server: {why}"),
            Self::CopyBack => f.write_str("copy rows back from the side server"),
            Self::HandOver { why } => write!(f, "hand the side server over: {why}"),
            Self::GiveUp { why } => write!(f, "nothing is left to try: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> ReturnFacts {
        ReturnFacts {
            committed: true,
            objects: vec!["column public.t.a is gone".to_owned()],
            tables: Vec::new(),
            rows_compared: true,
            half_built: Vec::new(),
            sequences: Vec::new(),
            down: DownState::Ready,
            aside: AsideState::Ready,
            copy: CopyState::Ready,
        }
    }

    #[test]
    fn the_cheapest_way_is_taken_first_and_each_reason_is_told() {
        let check = |facts: &ReturnFacts, wanted: &str| {
            assert_eq!(plan_return(facts).to_string(), wanted, "{facts:?}");
        };
        let mut facts = facts();
        facts.sequences.push("public.s".to_owned());
        check(&facts, "set sequences to where they were");
        facts.sequences.clear();
        check(&facts, "run the way down");
        let mut rolled_back = facts.clone();
        rolled_back.committed = false;
        check(&rolled_back, "nothing: the database is as it was");

        let mut equal = facts.clone();
        equal.objects.clear();
        check(&equal, "run the way down");
        equal.down = DownState::Failed("no such column".to_owned());
        check(&equal, "nothing: the database is as it was");

        let mut half = facts.clone();
        (half.objects, half.half_built) =
            (vec!["index public.i is new".to_owned()], vec!["public.i".to_owned()]);
        check(&half, "run the way down");
        half.down = DownState::Done;
        check(&half, "remove what is built by half: public.i");
        half.half_built.clear();
        check(&half, "restore a side server: after the way down index public.i is new");

        facts.down = DownState::Failed("no such column".to_owned());
        check(&facts, "restore a side server: the way down failed: no such column");
        facts.down = DownState::Done;
        check(&facts, "restore a side server: after the way down column public.t.a is gone");
        facts.down = DownState::None;
        check(&facts, "restore a side server: there is no way down, and column public.t.a is gone");
        facts.aside = AsideState::Up;
        check(
            &facts,
            "hand the side server over: rows are copied into the schema that they came from, and \
             column public.t.a is gone",
        );
        (facts.objects, facts.tables) = (Vec::new(), vec!["t has 1 rows instead of 2".to_owned()]);
        check(&facts, "copy rows back from the side server");
        facts.copy = CopyState::NotAllowed;
        check(&facts, "hand the side server over: the host did not allow rows to be copied back");
        facts.copy = CopyState::Done;
        check(
            &facts,
            "hand the side server over: rows were copied back, and still t has 1 rows instead of 2",
        );
        facts.aside = AsideState::None("none was given".to_owned());
        check(
            &facts,
            "nothing is left to try: there is no way down, and t has 1 rows instead of 2; \
             no side server: none was given",
        );
        facts.tables.clear();
        check(&facts, "nothing: the database is as it was");
        facts.rows_compared = false;
        check(
            &facts,
            "nothing is left to try: there is no way down, and nothing is known of rows; \
             no side server: none was given",
        );
        facts.down = DownState::Done;
        check(&facts, "nothing: the database is as it was");
    }
}
