//! What to say of the linter's findings.

use squawk_linter::Rule;

use super::MigrationRisk;

/// What happens, and how the same is had safely.
pub(super) struct Advice {
    pub(super) name: &'static str,
    pub(super) risk: MigrationRisk,
    pub(super) message: &'static str,
    pub(super) instead: &'static str,
}

const fn advice(
    name: &'static str,
    risk: MigrationRisk,
    message: &'static str,
    instead: &'static str,
) -> Option<Advice> {
    Some(Advice { name, risk, message, instead })
}

/// The rules that are asked; matters of taste are not among them.
pub(super) const RULES: [Rule; 35] = [
    Rule::RequireConcurrentIndexCreation,
    Rule::RequireConcurrentIndexDeletion,
    Rule::RequireConcurrentPartitionDetach,
    Rule::RequireConcurrentReindex,
    Rule::ConstraintMissingNotValid,
    Rule::AddingForeignKeyConstraint,
    Rule::AddingFieldWithDefault,
    Rule::AddingNotNullableField,
    Rule::AddingRequiredField,
    Rule::AddingSerialPrimaryKeyField,
    Rule::DisallowedUniqueConstraint,
    Rule::ChangingColumnType,
    Rule::BanAlterDomainWithAddConstraint,
    Rule::RenamingColumn,
    Rule::RenamingTable,
    Rule::RenamingObject,
    Rule::BanSetSchema,
    Rule::BanDropColumn,
    Rule::BanDropTable,
    Rule::BanDropView,
    Rule::BanDropFunction,
    Rule::BanDropType,
    Rule::BanDropDomain,
    Rule::BanDropSchema,
    Rule::BanDropSequence,
    Rule::BanDropExtension,
    Rule::BanDropDatabase,
    Rule::BanDropNotNull,
    Rule::BanDropDefault,
    Rule::BanDropGeneratedExpression,
    Rule::BanTruncateCascade,
    Rule::TransactionNesting,
    Rule::BanUncommittedTransaction,
    Rule::BanDuplicateColumnAssignments,
    Rule::IdentifierTooLong,
];

/// Those of them that the linter leaves out for tables that the file creates.
pub(super) const RULES_OF_OLD_TABLES: [Rule; 4] = [
    Rule::RequireConcurrentIndexCreation,
    Rule::ConstraintMissingNotValid,
    Rule::AddingForeignKeyConstraint,
    Rule::DisallowedUniqueConstraint,
];

/// What to say of a rule; `None` for those that are not asked.
#[expect(clippy::too_many_lines, reason = "one entry for each rule")]
pub(super) fn of(rule: Rule) -> Option<Advice> {
    use MigrationRisk::{Blocks, Breaks, Fails, Notice};
    match rule {
        Rule::RequireConcurrentIndexCreation => advice(
            "index-not-concurrent",
            Blocks,
            "writes to the table wait until the index is built",
            "CREATE INDEX CONCURRENTLY, in a migration without a transaction",
        ),
        Rule::RequireConcurrentIndexDeletion => advice(
            "drop-index-not-concurrent",
            Blocks,
            "everybody who uses the table waits behind the lock that dropping its index takes",
            "DROP INDEX CONCURRENTLY, in a migration without a transaction",
        ),
        Rule::RequireConcurrentPartitionDetach => advice(
            "detach-not-concurrent",
            Blocks,
            "the whole partitioned table is locked, and whoever reads it waits",
            "DETACH PARTITION … CONCURRENTLY, in a migration without a transaction",
        ),
        Rule::RequireConcurrentReindex => advice(
            "reindex-not-concurrent",
            Blocks,
            "writes, and reads by this index, wait until it is built",
            "REINDEX … CONCURRENTLY, in a migration without a transaction",
        ),
        Rule::ConstraintMissingNotValid => advice(
            "constraint-validates-at-once",
            Blocks,
            "all rows are checked while writes wait",
            "ADD CONSTRAINT … NOT VALID, and VALIDATE CONSTRAINT in a migration of its own",
        ),
        Rule::AddingForeignKeyConstraint => advice(
            "foreign-key-validates-at-once",
            Blocks,
            "all rows are looked up in the other table while writes to both wait",
            "ADD CONSTRAINT … FOREIGN KEY … NOT VALID, and VALIDATE CONSTRAINT in a migration of its own",
        ),
        Rule::AddingFieldWithDefault => advice(
            "column-fills-every-row",
            Blocks,
            "the value may differ from row to row, so the whole table is written anew while nobody can read or write it",
            "add the column without it, set the default for new rows, and fill the old ones in batches",
        ),
        Rule::AddingNotNullableField => advice(
            "set-not-null-scans",
            Blocks,
            "all rows are read while nobody can read or write the table",
            "ADD CONSTRAINT … CHECK (… IS NOT NULL) NOT VALID, VALIDATE CONSTRAINT in the next migration; then SET NOT NULL takes no time",
        ),
        Rule::AddingRequiredField => advice(
            "required-column-without-default",
            Fails,
            "rows that are there have no value for it, and the application that runs does not give one",
            "add it with a constant default, or without NOT NULL and fill it first",
        ),
        Rule::AddingSerialPrimaryKeyField => advice(
            "primary-key-builds-index",
            Blocks,
            "its index is built, and columns are checked for NULL, while nobody can read or write the table",
            "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … PRIMARY KEY USING INDEX",
        ),
        Rule::DisallowedUniqueConstraint => advice(
            "unique-builds-index",
            Blocks,
            "its index is built while nobody can read or write the table",
            "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … UNIQUE USING INDEX",
        ),
        Rule::ChangingColumnType => advice(
            "type-change-rewrites",
            Blocks,
            "the table and its indexes are written anew while nobody can read or write it",
            "add a column of the new type, keep both alike by a trigger, fill it in batches, then change over",
        ),
        Rule::BanAlterDomainWithAddConstraint => advice(
            "domain-validates-at-once",
            Blocks,
            "all columns of the domain are checked while writes to their tables wait",
            "ADD CONSTRAINT … NOT VALID, which new values are held to at once, and a SELECT that looks for old ones; VALIDATE \
             CONSTRAINT makes writes wait as this does",
        ),
        Rule::RenamingColumn => advice(
            "column-renamed",
            Breaks,
            "the application that runs asks for the old name",
            "add a column of the new name, write both, and drop the old one a release later",
        ),
        Rule::RenamingTable => advice(
            "table-renamed",
            Breaks,
            "the application that runs asks for the old name",
            "create a view of the old name in the same transaction, and drop it a release later",
        ),
        Rule::RenamingObject => advice(
            "object-renamed",
            Breaks,
            "whoever uses the old name does not find it",
            "create it under the new name beside the old one, and drop that a release later",
        ),
        Rule::BanSetSchema => advice(
            "schema-changed",
            Breaks,
            "whoever names the old schema does not find it",
            "leave a view in the old schema in the same transaction, and drop it a release later",
        ),
        Rule::BanDropColumn => advice(
            "column-dropped",
            Breaks,
            "the application that runs may still read or write it, and its values are gone",
            "take it out of the application first, and drop it a release later behind a restore point",
        ),
        Rule::BanDropTable => advice(
            "table-dropped",
            Breaks,
            "the application that runs may still use it, and its rows are gone",
            "rename it first, and drop it a release later behind a restore point",
        ),
        Rule::BanDropView => advice(
            "view-dropped",
            Breaks,
            "the application that runs may still read it",
            "take it out of the application first",
        ),
        Rule::BanDropFunction => advice(
            "function-dropped",
            Breaks,
            "the application that runs may still call it",
            "take it out of the application first",
        ),
        Rule::BanDropType | Rule::BanDropDomain => advice(
            "type-dropped",
            Breaks,
            "the application that runs may still name it",
            "take it out of the application first",
        ),
        Rule::BanDropSchema => advice(
            "schema-dropped",
            Breaks,
            "everything in it goes",
            "drop what is in it one by one, each behind a restore point",
        ),
        Rule::BanDropSequence => advice(
            "sequence-dropped",
            Breaks,
            "inserts that draw from it fail",
            "take it out of defaults and the application first",
        ),
        Rule::BanDropExtension => advice(
            "extension-dropped",
            Breaks,
            "what it brought is gone, columns of its types included",
            "look for what depends on it first, and never with CASCADE",
        ),
        Rule::BanDropDatabase => {
            advice("database-dropped", Breaks, "everything is gone", "take it out of migrations")
        }
        Rule::BanDropNotNull => advice(
            "not-null-dropped",
            Notice,
            "whoever reads the column may meet NULL",
            "be sure that the application that runs can",
        ),
        Rule::BanDropDefault => advice(
            "default-dropped",
            Notice,
            "inserts that leave the column out get NULL, or fail",
            "be sure that the application that runs gives a value",
        ),
        Rule::BanDropGeneratedExpression => advice(
            "generated-dropped",
            Notice,
            "the column is not kept up any more",
            "be sure that the application that runs gives a value",
        ),
        Rule::BanTruncateCascade => advice(
            "truncate-cascade",
            Breaks,
            "tables that the statement does not name are emptied too",
            "name each table, or delete in batches",
        ),
        Rule::TransactionNesting => advice(
            "nested-transaction",
            Fails,
            "the migration runs in a transaction already, which this one ends or does not begin",
            "leave BEGIN and COMMIT out, or let the file begin with `-- no-transaction`",
        ),
        Rule::BanUncommittedTransaction => {
            advice("uncommitted", Fails, "the transaction is begun and never committed", "add COMMIT")
        }
        Rule::BanDuplicateColumnAssignments => {
            advice("assigned-twice", Fails, "a column is assigned twice", "assign it once")
        }
        Rule::IdentifierTooLong => {
            advice("name-too-long", Notice, "Postgres cuts names behind 63 bytes", "choose a shorter name")
        }
        _ => None,
    }
}
