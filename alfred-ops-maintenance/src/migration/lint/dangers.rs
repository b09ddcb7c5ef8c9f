//! Dangers that are read from a statement's words.

use super::MigrationRisk::{self, Blocks, Breaks, Fails, Notice};
use super::statement::Statement;

/// What a statement does: rule, risk, what happens, and how the same is had safely.
pub(super) type Danger = (&'static str, MigrationRisk, &'static str, &'static str);

pub(super) const OWN_TRANSACTION: &str =
    "give it a migration of its own that begins with `-- no-transaction`";

/// The dangers of a statement that the linter does not know.
pub(super) fn dangers(statement: &Statement, in_transaction: bool) -> Vec<Danger> {
    let mut dangers = Vec::new();
    let mut note = |is_there: bool, danger: Danger| dangers.extend(is_there.then_some(danger));
    let is = |words: &str| statement.begins(words);
    let has = |words: &str| statement.has(words);
    let alters = is("alter table") || is("alter materialized view");

    note(
        is("vacuum") && has("full") && !["full false", "full off", "full 0"].into_iter().any(has),
        (
            "vacuum-full",
            Blocks,
            "the table is written anew while nobody can read or write it",
            "let plain VACUUM free the space for new rows, or use pg_repack",
        ),
    );
    note(
        is("cluster"),
        ("cluster", Blocks, "the table is written anew while nobody can read or write it", "use pg_repack"),
    );
    note(
        is("refresh materialized view") && !has("concurrently"),
        (
            "refresh-not-concurrent",
            Blocks,
            "nobody can read the view until it is filled",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index on it",
        ),
    );
    let weak =
        ["access share", "row share", "row exclusive"].iter().any(|mode| has(&format!("in {mode} mode")));
    note(
        is("lock") && !weak,
        (
            "lock-table",
            Blocks,
            "others wait until the migration ends",
            "let each statement take the lock that it needs, for a short time",
        ),
    );
    note(
        (is("update") || is("delete")) && !has("where") || is("with") && has("update") && !has("where"),
        (
            "whole-table-changed",
            Blocks,
            "every row is locked until the end, and the table grows by a copy of itself",
            "change rows in batches, by ranges of the key, outside of the migration",
        ),
    );
    note(
        is("truncate") && !has("cascade"),
        (
            "truncate",
            Breaks,
            "all rows are gone, and the lock for it waits for all who read",
            "delete in batches, or take a restore point first",
        ),
    );
    note(
        alters && has("set tablespace"),
        (
            "tablespace-changed",
            Blocks,
            "the table is copied while nobody can read or write it",
            "move it with pg_repack, or build a new table beside it",
        ),
    );
    note(
        alters && (has("set logged") || has("set unlogged") || has("set access method")),
        (
            "storage-changed",
            Blocks,
            "the table is written anew while nobody can read or write it",
            "build a new table beside it and change over",
        ),
    );
    note(
        alters && has("add") && has("exclude"),
        (
            "exclusion-builds-index",
            Blocks,
            "its index is built while nobody can read or write the table, and no way around it exists",
            "add it to a new table and fill that in batches",
        ),
    );
    note(
        alters && has("attach partition"),
        (
            "attach-scans",
            Notice,
            "the new partition is read in full unless a valid CHECK says that all its rows belong there",
            "ADD CONSTRAINT … CHECK with the partition's bounds, NOT VALID, and VALIDATE it first",
        ),
    );
    note(
        alters && (has("disable trigger all") || has("disable trigger user")),
        (
            "triggers-disabled",
            Breaks,
            "what triggers and foreign keys keep right is not kept right until they are enabled",
            "set session_replication_role in the session that loads data",
        ),
    );
    let adds_not_null = has("add") && has("not null") && !has("check");
    note(
        is("alter domain") && (has("set not null") || adds_not_null),
        (
            "domain-validates-at-once",
            Blocks,
            "all columns of the domain are checked while writes to their tables wait",
            "ADD CONSTRAINT … CHECK (VALUE IS NOT NULL) NOT VALID, which new values are held to at once, and a SELECT that looks \
             for old ones",
        ),
    );
    note(
        is("alter domain") && has("validate constraint"),
        (
            "domain-validates-at-once",
            Blocks,
            "all columns of the domain are checked while writes to their tables wait",
            "leave it NOT VALID, for new values are held to it all the same, and look for old ones with a SELECT; or take a \
             quiet hour",
        ),
    );
    let concurrently = has("concurrently")
        && (is("create index")
            || is("create unique index")
            || is("drop index")
            || is("reindex")
            || (alters && has("detach partition")));
    let alone = concurrently
        || [
            "vacuum",
            "create database",
            "drop database",
            "alter system",
            "create tablespace",
            "drop tablespace",
        ]
        .into_iter()
        .any(is);
    note(
        in_transaction && alone,
        ("not-in-a-transaction", Fails, "this statement does not run within a transaction", OWN_TRANSACTION),
    );
    dangers
}
