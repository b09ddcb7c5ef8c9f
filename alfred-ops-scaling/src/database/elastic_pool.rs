//! A pool of connections whose size follows.

use std::fmt;
use std::ops::{Deref, DerefMut};

use alfred_ops_core::{Error, ErrorKind, Result, SharedClock};
use async_trait::async_trait;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};

use super::{Gate, GateLoad, Pass};
use crate::{Current, Limits, Outcome, Precondition, Scaler};

/// A pool of connections whose size follows what is set: sqlx's pools cannot be resized, so the host makes one as large as it may
/// ever be, and this lets fewer through.
///
/// Connections beyond the size close when the pool's `idle_timeout` passes: set it to seconds. As a [`Scaler`] its number is
/// the size, from 1 to the pool's `max_connections`.
#[derive(Clone)]
pub struct ElasticPool {
    name: String,
    pool: PgPool,
    gate: Gate,
}

/// A connection of an [`ElasticPool`], given back when it is dropped.
#[derive(Debug)]
pub struct PooledConnection {
    // Given back before its place is free for another.
    connection: PoolConnection<Postgres>,
    _pass: Pass,
}

impl ElasticPool {
    /// Lets `size` connections of `pool` be used at once.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a size of zero or beyond the pool's.
    pub fn new(name: impl Into<String>, pool: PgPool, size: u32, clock: SharedClock) -> Result<Self> {
        let elastic = Self { name: name.into(), pool, gate: Gate::new(size, clock) };
        elastic.limits().check(&elastic.name, size)?;
        Ok(elastic)
    }

    /// A connection, once there is room and the pool has one. Dropping the future gives the place up.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the server cannot be reached in the pool's time, or the pool is closed.
    pub async fn acquire(&self) -> Result<PooledConnection> {
        let pass = self.gate.pass().await;
        let connection = self.pool.acquire().await.map_err(|source| {
            Error::new(ErrorKind::Unavailable, "acquire connection", "the pool has none")
                .with_target(self.name.clone())
                .with_source(source)
        })?;
        Ok(PooledConnection { connection, _pass: pass })
    }

    /// Who waits and holds, for [`PoolLoad`](super::PoolLoad) and metrics.
    #[must_use]
    pub fn load(&self) -> GateLoad {
        self.gate.load()
    }

    fn precondition(&self) -> Precondition {
        Precondition::new(self.gate.generation().to_string())
    }
}

impl fmt::Debug for ElasticPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElasticPool")
            .field("name", &self.name)
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Scaler for ElasticPool {
    fn name(&self) -> &str {
        &self.name
    }

    fn limits(&self) -> Limits {
        Limits { min: 1, max: self.pool.options().get_max_connections() }
    }

    async fn current(&self) -> Result<Current> {
        let configured = self.gate.load().width;
        Ok(Current { configured, running: Some(configured), precondition: self.precondition() })
    }

    async fn plan(&self, target: u32) -> Result<String> {
        self.limits().check(&self.name, target)?;
        Ok(format!("{}: {} to {target} connections", self.name, self.gate.load().width))
    }

    async fn scale(&self, target: u32, precondition: &Precondition) -> Result<Outcome> {
        self.limits().check(&self.name, target)?;
        if !self.gate.set_width_if(target, precondition.token()) {
            return Err(Error::new(ErrorKind::Conflict, "scale", "the size was changed meanwhile")
                .with_target(self.name.clone()));
        }
        Ok(Outcome { configured: target, precondition: self.precondition() })
    }
}

impl Deref for PooledConnection {
    type Target = PoolConnection<Postgres>;

    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}
