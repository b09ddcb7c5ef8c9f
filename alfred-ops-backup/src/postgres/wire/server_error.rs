//! What the server's errors mean, and what a person does about them.

use std::borrow::Cow;

use alfred_ops_core::{Classify, Error, ErrorKind};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::{ErrorFields, ErrorResponseBody};

/// What errors of a connection say was being done.
pub(in crate::postgres) const OPERATION: &str = "talk to Postgres";

/// Within a base backup, of a standby that became a primary meanwhile.
const PROMOTED: &str = "promoted during online backup";

/// An error that the server sent. Codes are those of Postgres' appendix A.
#[derive(Debug, thiserror::Error)]
#[error("{message} (SQLSTATE {code})")]
struct ServerError {
    code: String,
    message: String,
    user: String,
}

pub(super) fn classify(body: &ErrorResponseBody, user: &str) -> Error {
    let mut cause = ServerError { code: String::new(), message: String::new(), user: user.to_owned() };
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => cause.code = value,
            b'M' => cause.message = value,
            _ => {}
        }
    }
    Error::caused_by(OPERATION, cause)
}

/// The message of a notice.
pub(super) fn text(mut fields: ErrorFields<'_>) -> String {
    let message = fields.find(|field| Ok(field.type_() == b'M')).ok().flatten();
    message.map(|field| String::from_utf8_lossy(field.value_bytes()).into_owned()).unwrap_or_default()
}

/// Whether a notice is a warning, whatever the server's language.
pub(super) fn is_warning(mut fields: ErrorFields<'_>) -> bool {
    let severity = fields.find(|field| Ok(field.type_() == b'V')).ok().flatten();
    severity.is_some_and(|field| field.value_bytes() == b"WARNING")
}

impl Classify for ServerError {
    fn kind(&self) -> ErrorKind {
        match self.code.as_str() {
            "28P01" | "28000" | "42501" => ErrorKind::PermissionDenied,
            // The only way to have no walsender at all is a server set up without them.
            "53300" if self.message.contains("currently 0") => ErrorKind::Unsupported,
            "53300" | "53400" | "53100" => ErrorKind::ResourceExhausted,
            "55006" => ErrorKind::Conflict,
            "55000" if self.message.contains(PROMOTED) => ErrorKind::Conflict,
            "58P01" | "42704" | "3D000" => ErrorKind::NotFound,
            "42710" => ErrorKind::AlreadyExists,
            "55000" | "0A000" | "42601" => ErrorKind::Unsupported,
            code if code.starts_with("08") || code.starts_with("57P") => ErrorKind::Unavailable,
            code if code.starts_with("XX") => ErrorKind::Corrupt,
            _ => ErrorKind::Internal,
        }
    }

    fn remedy(&self) -> Option<Cow<'static, str>> {
        let user = &self.user;
        Some(match self.code.as_str() {
            "28P01" => "check the role's password".into(),
            "28000"
                if self.message.contains("pg_hba.conf")
                    && !self.message.contains("replication connection") =>
            {
                format!("add \"host DATABASE {user} CLIENT_ADDRESS scram-sha-256\" to pg_hba.conf and reload")
                    .into()
            }
            "28000" if self.message.contains("pg_hba") => format!(
                "add \"host replication {user} CLIENT_ADDRESS scram-sha-256\" to pg_hba.conf and reload \
                 (the keyword all does not match replication)"
            )
            .into(),
            "28000" => "check that the role exists and may log in".into(),
            "42501" => format!("run ALTER ROLE \"{user}\" REPLICATION as a superuser").into(),
            "53300" if self.message.contains("currently 0") => {
                "set wal_level = replica and max_wal_senders = 10 in postgresql.conf and restart the server"
                    .into()
            }
            "53300" => "raise max_wal_senders or max_connections, or end unused sessions".into(),
            "53400" => "raise max_replication_slots, or drop a slot that nobody uses".into(),
            "53100" => "free space on the server's disk".into(),
            "55006" => "another process streams from this slot: stop it, or use another slot name".into(),
            "58P01" => "the server no longer has this WAL: take a new full backup".into(),
            "55000" if self.message.contains(PROMOTED) => "take the backup again".into(),
            "55000" if self.message.contains("wal_level") => {
                "set wal_level = replica in postgresql.conf and restart the server".into()
            }
            "XX001" | "XX002" => "check the server's disk and its page checksums before anything else".into(),
            _ => return None,
        })
    }
}
