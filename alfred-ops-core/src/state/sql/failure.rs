//! What the driver's errors mean for a caller.

use crate::{Error, ErrorKind, Retry};

/// Whether a lost connection leaves the outcome open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Read,
    Write,
}

/// Turns the driver's error into ours.
pub(super) fn failure(
    operation: &'static str,
    target: &str,
    effect: Effect,
) -> impl Fn(sqlx::Error) -> Error + use<> {
    let target = target.to_owned();
    move |source| {
        let (kind, fault) = classify(&source);
        let lost =
            matches!(source, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed);
        let error = Error::new(kind, operation, fault).with_target(target.clone()).with_source(source);
        if lost && effect == Effect::Write { error.with_retry(Retry::Unknown) } else { error }
    }
}

fn classify(error: &sqlx::Error) -> (ErrorKind, &'static str) {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            (ErrorKind::Unavailable, "the connection broke")
        }
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::BeginFailed => {
            (ErrorKind::Unavailable, "no connection could be had")
        }
        sqlx::Error::Tls(_) => (ErrorKind::PermissionDenied, "TLS was refused"),
        sqlx::Error::Configuration(_) => (ErrorKind::InvalidInput, "the connection options are wrong"),
        sqlx::Error::Database(refusal) => by_code(refusal.code().as_deref().unwrap_or_default()),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            (ErrorKind::Corrupt, "a row is not what was written")
        }
        _ => (ErrorKind::Internal, "the driver failed"),
    }
}

/// SQLSTATEs have five characters; SQLite's codes are numbers whose low byte is the class.
fn by_code(code: &str) -> (ErrorKind, &'static str) {
    if code.len() < 5 {
        return match code.parse::<u32>().map(|code| code & 0xff) {
            Ok(5 | 6) => (ErrorKind::Unavailable, "the database is locked"),
            Ok(3 | 8 | 14 | 23) => (ErrorKind::PermissionDenied, "the database file cannot be written"),
            Ok(10) => (ErrorKind::Unavailable, "the disk failed"),
            Ok(11 | 26) => (ErrorKind::Corrupt, "the file is damaged or is no database"),
            Ok(13) => (ErrorKind::ResourceExhausted, "the disk is full"),
            _ => (ErrorKind::Internal, "the database refused the statement"),
        };
    }
    match (&code[..2], code) {
        ("08" | "40" | "57", _) | (_, "55P03" | "53300" | "25006") => {
            (ErrorKind::Unavailable, "the server does not serve now")
        }
        ("53", _) => (ErrorKind::ResourceExhausted, "the server is out of resources"),
        ("28", _) | (_, "42501") => (ErrorKind::PermissionDenied, "the server denies access"),
        (_, "3D000" | "3F000" | "42P01") => (ErrorKind::NotFound, "the database or table is not there"),
        ("XX", _) => (ErrorKind::Corrupt, "the server found damaged data"),
        _ => (ErrorKind::Internal, "the server refused the statement"),
    }
}

/// Turns the migrator's error into ours.
pub(super) fn migration(target: &str, error: sqlx::migrate::MigrateError) -> Error {
    use sqlx::migrate::MigrateError;
    let operation = "migrate state tables";
    match error {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
            failure(operation, target, Effect::Write)(source)
        }
        other => Error::new(ErrorKind::Unsupported, operation, "the tables are not of this version")
            .with_target(target)
            .with_remedy("restore the tables, or give this version a database of its own")
            .with_source(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_classed_by_what_a_caller_can_do() {
        for (code, kind) in [
            ("57P01", ErrorKind::Unavailable),
            ("57014", ErrorKind::Unavailable),
            ("40001", ErrorKind::Unavailable),
            ("55P03", ErrorKind::Unavailable),
            ("53100", ErrorKind::ResourceExhausted),
            ("28P01", ErrorKind::PermissionDenied),
            ("42501", ErrorKind::PermissionDenied),
            ("42601", ErrorKind::Internal),
            ("5", ErrorKind::Unavailable),
            ("517", ErrorKind::Unavailable),
            ("13", ErrorKind::ResourceExhausted),
            ("26", ErrorKind::Corrupt),
            ("", ErrorKind::Internal),
        ] {
            assert_eq!(by_code(code).0, kind, "{code:?}");
        }
    }

    #[test]
    fn a_connection_that_breaks_in_a_write_leaves_the_outcome_open() {
        let broken = || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert_eq!(failure("put", "k", Effect::Write)(broken()).retry(), Retry::Unknown);
        assert_eq!(failure("get", "k", Effect::Read)(broken()).retry(), Retry::After(None));
        assert_eq!(failure("put", "k", Effect::Write)(sqlx::Error::PoolTimedOut).retry(), Retry::After(None));
    }
}
