//! Replication slots.

use alfred_ops_core::{Lsn, Result};

use crate::postgres::wire::Connection;

/// The replication slot that keeps WAL on the server until it is stored.
#[derive(Debug, Clone)]
pub(in crate::postgres) enum Slot {
    /// Stays when the connection ends.
    Permanent(String),
    /// Ends with the connection that made it.
    Temporary(String),
}

/// What a slot keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// There is no such slot.
    Missing,
    /// It keeps nothing: the server gave it up when it held more than `max_slot_wal_keep_size`.
    Nothing,
    From(Lsn),
}

impl Slot {
    fn name(&self) -> &str {
        match self {
            Self::Permanent(name) | Self::Temporary(name) => name,
        }
    }

    /// Makes the slot unless it exists, makes it anew if the server gave it up, and returns the position from
    /// which it keeps WAL.
    pub(in crate::postgres) async fn ensure(&self, connection: &mut Connection) -> Result<Lsn> {
        match self.kept(connection).await? {
            Kept::From(position) => return Ok(position),
            Kept::Missing => {}
            Kept::Nothing => {
                tracing::error!(
                    slot = self.name(),
                    "the server gave the slot up because it held more than max_slot_wal_keep_size; it is made anew"
                );
                connection.query(&format!("DROP_REPLICATION_SLOT {}", self.name())).await?;
            }
        }
        let temporary = if matches!(self, Self::Temporary(_)) { "TEMPORARY " } else { "" };
        let command = format!("CREATE_REPLICATION_SLOT {} {temporary}PHYSICAL (RESERVE_WAL)", self.name());
        connection.query(&command).await?;
        match self.kept(connection).await? {
            Kept::From(position) => Ok(position),
            _ => Err(connection.unexpected("a slot that does not exist once it was made")),
        }
    }

    /// From where the slot keeps WAL, if it exists and does. Changes nothing.
    pub(in crate::postgres) async fn kept_from(&self, connection: &mut Connection) -> Result<Option<Lsn>> {
        Ok(match self.kept(connection).await? {
            Kept::From(position) => Some(position),
            Kept::Missing | Kept::Nothing => None,
        })
    }

    /// The columns are `slot_type`, `restart_lsn` and `restart_tli`, all null without such a slot.
    async fn kept(&self, connection: &mut Connection) -> Result<Kept> {
        let rows = connection.query(&format!("READ_REPLICATION_SLOT {}", self.name())).await?;
        let mut columns = rows.into_iter().next().unwrap_or_default().into_iter();
        let (kind, position) = (columns.next().flatten(), columns.next().flatten());
        match (kind, position) {
            (_, Some(position)) => Ok(Kept::From(position.parse()?)),
            (Some(_), None) => Ok(Kept::Nothing),
            (None, None) => Ok(Kept::Missing),
        }
    }
}
