//! Dangers of columns that are added to a table.

use squawk_syntax::ast::{
    AlterTableAction, AstNode as _, Constraint, GeneratedAs, GeneratedConstraint, GeneratedKind, Stmt, Type,
};

use super::MigrationRisk::{Blocks, Fails};
use super::dangers::Danger;
use super::known_domains::KnownDomains;

/// The first version that knows them.
const VIRTUAL: u16 = 18;

const SERIAL: Danger = (
    "column-fills-every-row",
    Blocks,
    "each row gets a number of its own, so the whole table is written anew while nobody can read or write it",
    "add the column as bigint, let it DEFAULT nextval of a sequence for new rows, and fill the old ones in batches",
);
const CHECK: Danger = (
    "column-check-scans",
    Blocks,
    "all rows are read while nobody can read or write the table",
    "add the column alone, then ADD CONSTRAINT … CHECK … NOT VALID, and VALIDATE CONSTRAINT in a migration of its own",
);
const DOMAIN: Danger = (
    "domain-column-rewrites",
    Blocks,
    "for a domain with constraints the whole table is written anew while nobody can read or write it",
    "add the column with the domain's base type, then ADD CONSTRAINT … CHECK … NOT VALID with what the domain asks for, and \
     VALIDATE CONSTRAINT in a migration of its own",
);
const DOMAIN_DEFAULT: Danger = (
    "column-fills-every-row",
    Blocks,
    "the domain's default may differ from row to row, so the whole table is written anew while nobody can read or write it",
    "add the column with DEFAULT NULL, set the default for new rows, and fill the old ones in batches",
);
const NOT_KNOWN: Danger = (
    "virtual-before-18",
    Fails,
    "Postgres before 18 knows no generated column that is not STORED",
    "compute it in a view, or let a trigger keep up a plain column that is filled in batches",
);

/// The dangers that the linter does not know, each with its place in the text.
pub(super) fn dangers(statement: &Stmt, server: u16, domains: &KnownDomains) -> Vec<(usize, Danger)> {
    let mut dangers = Vec::new();
    if server < VIRTUAL {
        dangers.extend(virtual_places(statement).map(|at| (at, NOT_KNOWN)));
    }
    let Stmt::AlterTable(table) = statement else { return dangers };
    for action in table.actions() {
        let AlterTableAction::AddColumn(column) = action else { continue };
        let at = column.syntax().text_range().start().into();
        let is_serial = column.ty().is_some_and(|of_type| is_serial(&of_type));
        if is_serial || column.constraints().any(|constraint| is_identity(&constraint)) {
            dangers.push((at, SERIAL));
        }
        let has =
            |is_one: fn(&Constraint) -> bool| column.constraints().any(|constraint| is_one(&constraint));
        let checks_virtual =
            has(is_virtual_constraint) && has(|one| matches!(one, Constraint::NotNullConstraint(_)));
        // Without a value in any row it is read through all the same.
        if has(|one| matches!(one, Constraint::CheckConstraint(_))) || checks_virtual {
            dangers.push((at, CHECK));
        }
        if let Some(domain) = column.ty().and_then(|of_type| domains.of_type(&of_type)) {
            if domain.is_constrained {
                dangers.push((at, DOMAIN));
            } else if domain.has_volatile_default
                && !has(|one| matches!(one, Constraint::DefaultConstraint(_)))
            {
                dangers.push((at, DOMAIN_DEFAULT));
            }
        }
    }
    dangers
}

/// Where columns are generated that are not stored.
pub(super) fn virtual_places(statement: &Stmt) -> impl Iterator<Item = usize> {
    let nodes = statement.syntax().descendants().filter_map(GeneratedConstraint::cast);
    nodes.filter(is_virtual).map(|node| node.syntax().text_range().start().into())
}

/// Postgres 18 takes VIRTUAL where neither word is said.
fn is_virtual(constraint: &GeneratedConstraint) -> bool {
    let Some(GeneratedAs::GeneratedStored(generated)) = constraint.generated_as() else { return false };
    !matches!(generated.generated_kind(), Some(GeneratedKind::Stored(_)))
}

fn is_virtual_constraint(constraint: &Constraint) -> bool {
    matches!(constraint, Constraint::GeneratedConstraint(generated) if is_virtual(generated))
}

fn is_identity(constraint: &Constraint) -> bool {
    let Constraint::GeneratedConstraint(generated) = constraint else { return false };
    matches!(generated.generated_as(), Some(GeneratedAs::GeneratedIdentity(_)))
}

/// Types that are a number with a default, whatever their case. In quotes they are none.
fn is_serial(of_type: &Type) -> bool {
    let name = of_type.syntax().text().to_string().to_lowercase();
    matches!(name.trim(), "serial" | "serial2" | "serial4" | "serial8" | "bigserial" | "smallserial")
}
