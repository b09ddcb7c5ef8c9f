//! What Postgres refuses on partitioned tables, and how the same is had there.

use squawk_linter::Rule;
use squawk_syntax::ast::{AlterTableAction, Constraint, Stmt};

use super::MigrationRisk::{Fails, Notice};
use super::advice::{self, Advice};
use super::dangers::{Danger, OWN_TRANSACTION};
use super::statement::Statement;

/// The first version that rebuilds the indexes of partitions.
const REINDEX: u16 = 14;
/// The first version that leaves the rows of partitions for later.
const NOT_VALID: u16 = 18;

const INDEX: &str = "CREATE INDEX … ON ONLY the table, CREATE INDEX CONCURRENTLY on each partition, in a migration without a \
    transaction, then ALTER INDEX … ATTACH PARTITION for each";
const FOREIGN_KEY: &str = "ADD CONSTRAINT … FOREIGN KEY … NOT VALID on each partition, and VALIDATE CONSTRAINT there in a \
    migration of its own; then the same on the table without NOT VALID takes them over and looks nothing up";
const UNIQUE: &str = "ALTER TABLE ONLY … ADD CONSTRAINT … UNIQUE, on each partition CREATE UNIQUE INDEX CONCURRENTLY and ADD \
    CONSTRAINT … UNIQUE USING INDEX, then ALTER INDEX … ATTACH PARTITION for each";
const PRIMARY_KEY: &str = "SET NOT NULL first; then ALTER TABLE ONLY … ADD PRIMARY KEY, on each partition CREATE UNIQUE INDEX \
    CONCURRENTLY and ADD CONSTRAINT … PRIMARY KEY USING INDEX, then ALTER INDEX … ATTACH PARTITION for each";
const DROP: &str =
    "DROP INDEX in a migration of its own, with a short lock_timeout, again until it gets its locks";

/// What to say of a rule where the statement is about a partitioned table; `None` if nothing.
pub(super) fn advice(rule: Rule, statement: &Statement, server: u16) -> Option<Advice> {
    let other = advice::of(rule)?;
    let instead = match rule {
        // It has no rows of its own.
        Rule::RequireConcurrentIndexCreation
        | Rule::DisallowedUniqueConstraint
        | Rule::AddingSerialPrimaryKeyField
            if statement.is_of_one_alone() =>
        {
            return None;
        }
        Rule::RequireConcurrentIndexCreation => INDEX,
        Rule::RequireConcurrentIndexDeletion => {
            return Some(Advice {
                risk: Notice,
                message: "the table and all partitions are locked for a moment, and whoever uses them waits behind it",
                instead: DROP,
                ..other
            });
        }
        // It is refused.
        Rule::RequireConcurrentReindex if server < REINDEX => return None,
        Rule::AddingForeignKeyConstraint if server < NOT_VALID => FOREIGN_KEY,
        Rule::DisallowedUniqueConstraint => UNIQUE,
        Rule::AddingSerialPrimaryKeyField => PRIMARY_KEY,
        _ => other.instead,
    };
    Some(Advice { instead, ..other })
}

/// What Postgres refuses where the statement is about a partitioned table.
pub(super) fn dangers(
    parsed: &Stmt,
    statement: &Statement,
    server: u16,
    in_transaction: bool,
) -> Vec<Danger> {
    let refused = |message, instead| ("refused-on-partitioned", Fails, message, instead);
    match parsed {
        Stmt::CreateIndex(index) if index.concurrently_token().is_some() => {
            vec![refused("Postgres builds no index of a partitioned table concurrently", INDEX)]
        }
        Stmt::DropIndex(index) if index.concurrently_token().is_some() => {
            vec![refused("Postgres drops no index of a partitioned table concurrently", DROP)]
        }
        Stmt::Reindex(_) if server < REINDEX => vec![refused(
            "Postgres before 14 builds no index of a partitioned table anew",
            "REINDEX INDEX CONCURRENTLY for the index of each partition",
        )],
        Stmt::Reindex(_) if in_transaction && !statement.has("concurrently") => vec![(
            "not-in-a-transaction",
            Fails,
            "for a partitioned table this statement does not run within a transaction",
            OWN_TRANSACTION,
        )],
        Stmt::AlterTable(table) => {
            let added = table.actions().filter_map(|action| match action {
                AlterTableAction::AddConstraint(added) => added.constraint(),
                _ => None,
            });
            let is_alone = statement.is_of_one_alone();
            added
                .filter_map(|constraint| match &constraint {
                    Constraint::ForeignKeyConstraint(_) if is_alone => Some(refused(
                        "Postgres adds no foreign key to a partitioned table without its partitions",
                        "leave ONLY out",
                    )),
                    Constraint::ForeignKeyConstraint(_)
                        if constraint.is_not_valid() && server < NOT_VALID =>
                    {
                        Some(refused(
                            "Postgres before 18 adds no foreign key NOT VALID to a partitioned table",
                            FOREIGN_KEY,
                        ))
                    }
                    Constraint::UniqueConstraint(unique) if unique.using_index().is_some() => Some(refused(
                        "Postgres takes no index for a constraint of a partitioned table",
                        UNIQUE,
                    )),
                    Constraint::PrimaryKeyConstraint(key) if key.using_index().is_some() => Some(refused(
                        "Postgres takes no index for a constraint of a partitioned table",
                        PRIMARY_KEY,
                    )),
                    _ => None,
                })
                .collect()
        }
        _ => Vec::new(),
    }
}
