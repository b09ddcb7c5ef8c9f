//! The moment before a change.

use std::fmt;

use alfred_ops_backup::RecoveryTarget;
use alfred_ops_core::{Error, ErrorKind, Lsn, Result};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::postgres::{Session, code_of};

/// Postgres takes 63 bytes; a hyphen and eight digits make the name unique.
pub(super) const NAME_BYTES_MAX: usize = 54;

/// The moment before a change, to which a backup can be brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RestorePoint {
    /// The name that was asked for, and digits that make it unique: Postgres stops at the first point of a name.
    pub name: String,
    /// Whether the server has a restore point of this name. If not, the position is the target.
    pub named: bool,
    /// Where it lies in the log.
    pub lsn: Lsn,
    /// The end of the log that a restore to it reads.
    pub(super) needs: Lsn,
    /// When it was made.
    pub at: DateTime<Utc>,
}

impl RestorePoint {
    /// What a restore is asked for.
    #[must_use]
    pub fn target(&self) -> RecoveryTarget {
        if self.named { RecoveryTarget::Name(self.name.clone()) } else { RecoveryTarget::Lsn(self.lsn) }
    }

    /// Makes one, and says what it had to do otherwise, if so.
    pub(super) async fn make(
        session: &mut Session,
        name: String,
        at: DateTime<Utc>,
    ) -> Result<(Self, Option<String>)> {
        let made: std::result::Result<String, sqlx::Error> =
            sqlx::query_scalar("SELECT pg_create_restore_point($1)::text")
                .bind(&name)
                .fetch_one(&mut session.connection)
                .await;
        match made {
            Ok(text) => {
                let lsn = read(&text)?;
                Ok((Self { name, named: true, lsn, needs: lsn, at }, None))
            }
            Err(source) if code_of(&source).as_deref() == Some("42501") => {
                let note = "the role may not make restore points, so the position in the log is the target; run \
                            GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO it as a superuser, where there is one";
                let (lsn, needs) = (mark(session, &name).await?, mark(session, &name).await?);
                Ok((Self { name, named: false, lsn, needs, at }, Some(note.to_owned())))
            }
            Err(source) => Err(session.failed("make a restore point", source)),
        }
    }
}

/// Writes a record that does nothing, and returns its end.
///
/// Recovery to a position stops behind the first record that begins there or later. That must not be one of the change's: a
/// second record that does nothing follows the first.
async fn mark(session: &mut Session, name: &str) -> Result<Lsn> {
    let end =
        sqlx::query_scalar::<_, String>("SELECT pg_logical_emit_message(false, 'alfred-ops', $1)::text")
            .bind(name)
            .fetch_one(&mut session.connection)
            .await;
    read(&end.map_err(|source| session.failed("mark a position", source))?)
}

fn read(text: &str) -> Result<Lsn> {
    text.parse().map_err(|_| {
        Error::new(ErrorKind::Internal, "make a restore point", format!("{text:?} is no position of the log"))
    })
}

impl fmt::Display for RestorePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, lsn, .. } = self;
        write!(f, "{name} at {lsn}")
    }
}
