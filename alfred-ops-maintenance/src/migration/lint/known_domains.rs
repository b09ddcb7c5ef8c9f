//! The domains that are known at a place of a migration.

use std::collections::BTreeMap;

use squawk_syntax::ast::{Stmt, Type};

use super::MigratedDomain;
use super::statement::{Statement, words};

/// The domains that are known at a place of a migration: by facts, and by the statements before it.
#[derive(Debug)]
pub(super) struct KnownDomains(BTreeMap<String, MigratedDomain>);

impl KnownDomains {
    pub(super) const fn new(facts: BTreeMap<String, MigratedDomain>) -> Self {
        Self(facts)
    }

    /// The domain that a type is. An array of a domain is none.
    pub(super) fn of_type(&self, of_type: &Type) -> Option<&MigratedDomain> {
        match words(of_type).as_slice() {
            [name] => self.0.get(name),
            [_, dot, name] if dot == "." => self.0.get(name),
            _ => None,
        }
    }

    /// Takes in what a statement does to a domain. Of a default that it gives nothing is known.
    pub(super) fn learn(&mut self, parsed: &Stmt, statement: &Statement) {
        let Some(name) = statement.domain() else { return };
        if let Stmt::CreateDomain(created) = parsed {
            let mut domain = created.ty().and_then(|base| self.of_type(&base)).copied().unwrap_or_default();
            domain.is_constrained |= statement.has("check") || statement.has("not null");
            domain.has_volatile_default &= !statement.has("default");
            self.0.insert(name.to_owned(), domain);
        } else if statement.has("add") || statement.has("set not null") {
            self.0.entry(name.to_owned()).or_default().is_constrained = true;
        }
    }
}
