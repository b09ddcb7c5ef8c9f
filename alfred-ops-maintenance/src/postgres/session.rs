//! A connection of a chore.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, PostgresOptions, Result};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};

use super::{NO_SESSION_REMEDY, SessionSettings, Unsettled};

/// A connection of a chore, with what its errors say it was about.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: PgConnection,
    about: String,
}

impl Session {
    /// Opens a connection whose statements end after `statement`, or after waiting for a lock for `lock`, and that runs with
    /// `settings` to its end: what a pooler drops of them is set anew, and a pooler that keeps no session is refused.
    pub(crate) async fn open(
        server: &PostgresOptions,
        about: &str,
        statement: Duration,
        lock: Duration,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let about = format!("{about} at {server}");
        // Not as a source: the driver's error may quote the URL.
        let options: PgConnectOptions = server.to_url().expose().parse().map_err(|_| {
            Error::new(ErrorKind::InvalidInput, "connect", "the driver refuses the options")
                .with_target(about.clone())
        })?;
        // Zero would mean no limit.
        let statement = statement.as_millis().max(1).to_string();
        let wanted = SessionSettings::with_lock_timeout(lock).and("statement_timeout", statement);
        let wanted = settings.iter().fold(wanted, |wanted, (name, value)| wanted.and(name, *value));
        let refused = |kind, what| Error::new(kind, "connect", what).with_target(about.clone());
        match wanted.connect(options.disable_statement_logging()).await {
            Ok(connection) => Ok(Self { connection, about }),
            Err(Unsettled::Failed(source)) => Err(failed("connect", &about, source)),
            Err(Unsettled::Pooled) => {
                let what = "a pooler drops the settings of the session and changes the session";
                Err(refused(ErrorKind::Unsupported, what).with_remedy(NO_SESSION_REMEDY))
            }
            Err(Unsettled::Crowded) => {
                let what = "a pooler drops the settings of the session and lets no second connection in";
                Err(refused(ErrorKind::Unavailable, what).with_remedy(NO_SESSION_REMEDY))
            }
        }
    }

    /// An error of the server, in the words of this workspace.
    pub(crate) fn failed(&self, operation: &'static str, source: sqlx::Error) -> Error {
        failed(operation, &self.about, source)
    }
}

/// The server's SQLSTATE, if it is an error of the server.
pub(crate) fn code_of(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned())
}

/// Whether somebody held a lock that was waited for long enough, and who tries again may get it.
pub(crate) fn gave_way(error: &sqlx::Error) -> bool {
    matches!(code_of(error).as_deref(), Some("55P03" | "40P01" | "40001"))
}

/// Text as a part of the name of a chore or a target.
pub(crate) fn label(text: &str) -> String {
    text.chars()
        .map(|character| if character.is_ascii_graphic() && character != '/' { character } else { '_' })
        .collect()
}

/// Whether the server answered, and with what nobody here understands: repeating does not help.
fn is_unreadable(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::Encode(_)
            | sqlx::Error::TypeNotFound { .. }
    )
}

fn failed(operation: &'static str, about: &str, source: sqlx::Error) -> Error {
    let code = code_of(&source);
    let (kind, what) = match code.as_deref() {
        Some("42P01") => (ErrorKind::NotFound, "there is no such table".to_owned()),
        Some("42703") => (ErrorKind::NotFound, "there is no such column".to_owned()),
        Some("42501") => (ErrorKind::PermissionDenied, "the role may not do that".to_owned()),
        Some("28P01" | "28000") => (ErrorKind::PermissionDenied, "the login was refused".to_owned()),
        Some("55P03" | "57014") => (ErrorKind::Unavailable, "it is too busy".to_owned()),
        Some("23503") => (ErrorKind::Unsupported, "other tables refer to rows that should go".to_owned()),
        Some("25006") => (ErrorKind::Unsupported, "the server is read-only: it is a standby".to_owned()),
        // Shutdown, start-up, too many connections, and what a repetition mends.
        Some(code) if ["57", "53", "40", "08"].iter().any(|class| code.starts_with(class)) => {
            (ErrorKind::Unavailable, format!("SQLSTATE {code}"))
        }
        Some(code) => (ErrorKind::Internal, format!("SQLSTATE {code}")),
        None if is_unreadable(&source) => {
            (ErrorKind::Internal, "the server's answer is not what was expected".to_owned())
        }
        None => (ErrorKind::Unavailable, "the server cannot be reached".to_owned()),
    };
    Error::new(kind, operation, what).with_target(about).with_source(source)
}
