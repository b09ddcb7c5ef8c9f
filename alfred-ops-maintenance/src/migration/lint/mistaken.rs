//! Where the linter is mistaken.

use std::collections::HashSet;

use squawk_linter::Rule;
use squawk_syntax::ast::{AlterTableAction, AstNode as _, Constraint, Stmt};

use super::added_columns::virtual_places;

/// The places of statements where a rule does not hold.
pub(super) fn places(statements: &[Stmt]) -> HashSet<(Rule, usize)> {
    let generated = statements.iter().flat_map(virtual_places).map(|at| (Rule::AddingFieldWithDefault, at));
    generated.chain(statements.iter().flat_map(never_not_valid)).collect()
}

/// Constraints that are an index, which cannot be NOT VALID, and foreign keys, which have a rule of their own.
fn never_not_valid(statement: &Stmt) -> Vec<(Rule, usize)> {
    let Stmt::AlterTable(table) = statement else { return Vec::new() };
    let added = table.actions().filter_map(|action| match action {
        AlterTableAction::AddConstraint(added) => Some(added),
        _ => None,
    });
    added
        .filter(|added| {
            matches!(
                added.constraint(),
                Some(
                    Constraint::ForeignKeyConstraint(_)
                        | Constraint::UniqueConstraint(_)
                        | Constraint::PrimaryKeyConstraint(_)
                        | Constraint::ExcludeConstraint(_)
                )
            )
        })
        .map(|added| (Rule::ConstraintMissingNotValid, added.syntax().text_range().start().into()))
        .collect()
}
