//! Dangers of columns that are added to a table.

use squawk_syntax::ast::{AlterTableAction, AstNode as _, Constraint, GeneratedAs, Stmt, Type};

use super::MigrationRisk::Blocks;
use super::dangers::Danger;

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

/// The dangers that the linter does not know, each with its place in the text.
pub(super) fn dangers(statement: &Stmt) -> Vec<(usize, Danger)> {
    let Stmt::AlterTable(table) = statement else { return Vec::new() };
    let mut dangers = Vec::new();
    for action in table.actions() {
        let AlterTableAction::AddColumn(column) = action else { continue };
        let at = column.syntax().text_range().start().into();
        let is_serial = column.ty().is_some_and(|of_type| is_serial(&of_type));
        if is_serial || column.constraints().any(|constraint| is_identity(&constraint)) {
            dangers.push((at, SERIAL));
        }
        // Without a value in any row it is read through all the same.
        if column.constraints().any(|constraint| matches!(constraint, Constraint::CheckConstraint(_))) {
            dangers.push((at, CHECK));
        }
    }
    dangers
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
