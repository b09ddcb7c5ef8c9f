//! What a server holds, as text that can be compared.

use alfred_ops_core::Result;
use alfred_ops_core::testing::servers::PostgresServer;

use crate::chaos::surroundings::{client, run};

/// How many values of a sequence Postgres logs before it hands them out.
const LOGGED_AHEAD: u64 = 32;

/// Everything but what no replica holds: the content of unlogged tables.
pub(super) fn dump(server: &PostgresServer) -> Result<String> {
    let mut dump = client(server, "pg_dumpall");
    dump.args(["--no-unlogged-table-data", "--no-tablespaces", "--no-sync"]);
    let text = run(&mut dump)?;
    // Newer versions guard a dump with a random word.
    let guard = |line: &&str| line.starts_with("\\restrict") || line.starts_with("\\unrestrict");
    Ok(text.lines().filter(|line| !guard(line)).flat_map(|line| [line, "\n"]).collect())
}

/// The first line in which the dumps differ.
///
/// A sequence logs its values 32 ahead, so that a replica, which knows the log alone, may lead a page that was
/// copied from the primary by as many.
pub(super) fn difference(found: &str, expected: &str) -> Option<String> {
    let (mut found, mut expected) = (found.lines(), expected.lines());
    loop {
        let (found, expected) = match (found.next(), expected.next()) {
            (None, None) => return None,
            pair => (pair.0.unwrap_or("(end)"), pair.1.unwrap_or("(end)")),
        };
        let behind = || sequence_value(expected)?.checked_sub(sequence_value(found)?);
        let log_ahead = || behind().is_some_and(|behind| behind <= LOGGED_AHEAD);
        if found != expected && !log_ahead() {
            return Some(format!("restored {found:?}, the replica has {expected:?}"));
        }
    }
}

/// The value in a line such as `SELECT pg_catalog.setval('public.t1_id_seq', 3297, true);`.
fn sequence_value(line: &str) -> Option<u64> {
    line.strip_prefix("SELECT pg_catalog.setval(")?.split(", ").nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_may_lead_by_what_is_logged_ahead_and_nothing_else_may_differ() {
        let dump = |value: u64, row: &str| {
            format!("SELECT pg_catalog.setval('public.t_id_seq', {value}, true);\n{row}\n")
        };
        assert_eq!(difference(&dump(1, "a"), &dump(33, "a")), None);
        assert!(difference(&dump(1, "a"), &dump(34, "a")).is_some());
        assert!(difference(&dump(2, "a"), &dump(1, "a")).is_some(), "nothing may be ahead of the log");
        assert!(difference(&dump(1, "a"), &dump(1, "b")).is_some());
        assert!(difference("a\n", "a\nb\n").is_some());
    }
}
