//! Replication slots.

use alfred_ops_core::{Lsn, Result};

use super::SlotLook;
use super::slot_look::Kept;
use crate::postgres::dialect::Dialect;
use crate::postgres::wire::Connection;

/// The replication slot that keeps WAL on the server until it is stored. It stays when the connection ends.
#[derive(Debug, Clone, Copy)]
pub(in crate::postgres) struct Slot<'a> {
    name: &'a str,
}

impl<'a> Slot<'a> {
    pub(in crate::postgres) const fn new(name: &'a str) -> Self {
        Self { name }
    }

    /// Makes the slot unless it exists, makes it anew if the server gave it up, and returns the position from
    /// which it keeps WAL.
    pub(in crate::postgres) async fn ensure(
        &self,
        connection: &mut Connection,
        look: &SlotLook<'_>,
    ) -> Result<Lsn> {
        match look.kept(self.name, connection).await? {
            Kept::From(position) => return Ok(position),
            Kept::Missing => {}
            Kept::Nothing => {
                tracing::error!(
                    slot = self.name,
                    "the server gave the slot up because it held more than max_slot_wal_keep_size; it is made anew"
                );
                connection.query(&format!("DROP_REPLICATION_SLOT {}", self.name)).await?;
            }
        }
        connection.query(&look.dialect().create_slot(self.name, false)).await?;
        match look.kept(self.name, connection).await? {
            Kept::From(position) => Ok(position),
            _ => Err(connection.unexpected("a slot that does not exist once it was made")),
        }
    }

    /// From where the slot keeps WAL, if it exists and does. Changes nothing.
    pub(in crate::postgres) async fn kept_from(
        &self,
        connection: &mut Connection,
        look: &SlotLook<'_>,
    ) -> Result<Option<Lsn>> {
        Ok(match look.kept(self.name, connection).await? {
            Kept::From(position) => Some(position),
            Kept::Missing | Kept::Nothing => None,
        })
    }
}

/// Makes a slot that keeps WAL from now on and ends with the connection. Its name must be new.
pub(in crate::postgres) async fn make_temporary(
    name: &str,
    dialect: Dialect,
    connection: &mut Connection,
) -> Result<()> {
    connection.query(&dialect.create_slot(name, true)).await.map(drop)
}
