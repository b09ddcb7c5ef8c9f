//! What a slot keeps.

use alfred_ops_core::{Error, ErrorKind, JobContext, Lsn, PostgresOptions, Result};

use crate::postgres::dialect::Dialect;
use crate::postgres::wire::Connection;

/// The database that every cluster has.
const MAINTENANCE_DATABASE: &str = "postgres";

/// What a slot keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// There is no such slot.
    Missing,
    /// It keeps nothing: the server gave it up when it held more than `max_slot_wal_keep_size`.
    Nothing,
    From(Lsn),
}

/// How slots are looked at: a walsender tells from Postgres 15 on; before, only a view does, which takes SQL
/// and so a database that lets the role in.
#[derive(Debug, Clone, Copy)]
pub(in crate::postgres) struct SlotLook<'a> {
    server: &'a PostgresOptions,
    dialect: Dialect,
    context: &'a JobContext,
}

impl<'a> SlotLook<'a> {
    pub(in crate::postgres) const fn new(
        server: &'a PostgresOptions,
        dialect: Dialect,
        context: &'a JobContext,
    ) -> Self {
        Self { server, dialect, context }
    }

    pub(super) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What the slot of this name keeps. `walsender` is asked if it can tell.
    pub(super) async fn kept(&self, name: &str, walsender: &mut Connection) -> Result<Kept> {
        let rows = match self.dialect {
            // The columns are `slot_type`, `restart_lsn` and `restart_tli`, all null without such a slot.
            Dialect::Options => walsender.query(&format!("READ_REPLICATION_SLOT {name}")).await?,
            Dialect::Keywords => {
                let view = "SELECT slot_type, restart_lsn FROM pg_catalog.pg_replication_slots";
                let mut session = self.session().await?;
                session.query(&format!("{view} WHERE slot_name = '{name}'")).await?
            }
        };
        let mut columns = rows.into_iter().next().unwrap_or_default().into_iter();
        let (kind, position) = (columns.next().flatten(), columns.next().flatten());
        match (kind, position) {
            (_, Some(position)) => Ok(Kept::From(position.parse()?)),
            (Some(_), None) => Ok(Kept::Nothing),
            (None, None) => Ok(Kept::Missing),
        }
    }

    /// A session in a database that lets the role in: the configured one, or the one that every cluster has.
    async fn session(&self) -> Result<Connection> {
        let first = match Connection::open_database(self.server, self.context).await {
            Err(error) if refused(&error) => error,
            outcome => return outcome,
        };
        let PostgresOptions { database, user, .. } = self.server;
        if database != MAINTENANCE_DATABASE {
            let other = self.server.clone().with_database(MAINTENANCE_DATABASE);
            match Connection::open_database(&other, self.context).await {
                Err(error) if refused(&error) => {}
                outcome => return outcome,
            }
        }
        let what = "before Postgres 15 a slot can only be looked at from within a database, and none lets the role in";
        Err(Error::new(first.kind(), "look at the replication slot", what)
            .with_target(self.server.to_string())
            .with_remedy(format!(
                "add \"host {MAINTENANCE_DATABASE} {user} CLIENT_ADDRESS scram-sha-256\" to pg_hba.conf and reload, \
                 and GRANT CONNECT ON DATABASE {MAINTENANCE_DATABASE} TO \"{user}\"; or name a database that lets \
                 it in"
            ))
            .with_source(first))
    }
}

/// Whether the server was reached and did not want us there.
fn refused(error: &Error) -> bool {
    [ErrorKind::PermissionDenied, ErrorKind::NotFound].contains(&error.kind())
}
