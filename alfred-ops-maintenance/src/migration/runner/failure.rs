//! What goes wrong, in our words.

use alfred_ops_core::{Error, ErrorKind, PostgresOptions};
use sqlx::migrate::MigrateError;

use crate::postgres::code_of;

/// Errors that name the server.
#[derive(Debug)]
pub(super) struct Failures {
    server: String,
}

impl Failures {
    pub(super) fn at(server: &PostgresOptions) -> Self {
        Self { server: server.to_string() }
    }

    pub(super) fn problem(
        &self,
        kind: ErrorKind,
        operation: &'static str,
        message: impl Into<String>,
    ) -> Error {
        Error::new(kind, operation, message.into()).with_target(self.server.clone())
    }

    /// What the table of migrations could not be made or read for.
    pub(super) fn of_table(&self, error: MigrateError) -> Error {
        match error {
            MigrateError::Execute(source) => self.of("look for migrations", source),
            other => self.problem(ErrorKind::Internal, "look for migrations", other.to_string()),
        }
    }

    /// What a migration failed with.
    pub(super) fn of_migration(&self, version: i64, error: MigrateError) -> Error {
        let source = match error {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => source,
            other => return self.problem(ErrorKind::Internal, "migrate", other.to_string()),
        };
        let of_server = source.as_database_error();
        let said = of_server.map_or_else(|| "no answer".to_owned(), |error| error.message().to_owned());
        let message = format!("migration {version}: {said}");
        let error = match of_server.and_then(|error| error.code()).as_deref() {
            Some("25001") => self
                .problem(ErrorKind::InvalidInput, "migrate", message)
                .with_remedy("give the statement a file of its own that begins with `-- no-transaction`"),
            Some("42501") => self
                .problem(ErrorKind::PermissionDenied, "migrate", message)
                .with_remedy("let the role that migrates own what it changes"),
            Some("55P03" | "40P01" | "40001") => self
                .problem(ErrorKind::Unavailable, "migrate", message)
                .with_remedy("look for long transactions on the table, or run it in a quiet hour"),
            Some("57014" | "25P04") => self.problem(ErrorKind::Unavailable, "migrate", message).with_remedy(
                "somebody cancelled it, or a timeout of the role that migrates did: raise that, or give the statement a file \
                 of its own that begins with `-- no-transaction`, where none holds",
            ),
            Some(_) => self
                .problem(ErrorKind::InvalidInput, "migrate", message)
                .with_remedy("correct the migration; those before it are applied and stay"),
            None => self
                .problem(ErrorKind::Timeout, "migrate", message)
                .with_remedy("run again: what is applied is not repeated"),
        };
        error.with_source(source)
    }

    /// What anything else failed with.
    pub(super) fn of(&self, operation: &'static str, source: sqlx::Error) -> Error {
        let error = match code_of(&source).as_deref() {
            Some("28P01" | "28000") => {
                self.problem(ErrorKind::PermissionDenied, operation, "the login was refused")
            }
            Some("42501") => self
                .problem(ErrorKind::PermissionDenied, operation, "the role may not do that")
                .with_remedy("let the role that migrates own what it changes"),
            Some("55P03" | "40P01") => {
                self.problem(ErrorKind::Unavailable, operation, "somebody holds a lock on it")
            }
            Some("57014") => self.problem(ErrorKind::Unavailable, operation, "somebody cancelled it"),
            Some("23505") => self
                .problem(ErrorKind::InvalidInput, operation, "rows are alike that must differ")
                .with_remedy("make them differ, and run again"),
            Some(code) => self.problem(ErrorKind::Internal, operation, format!("SQLSTATE {code}")),
            None => self.problem(ErrorKind::Unavailable, operation, "the server cannot be reached"),
        };
        error.with_source(source)
    }
}
