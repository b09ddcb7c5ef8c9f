//! Reads off the primary that see what their reader has written.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Lsn, Result, SharedClock};
use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Row as _};

use super::replica_state::{ReplicaState, Unfit};

/// What a replica says of itself.
const LOOK: &str = "SELECT pg_is_in_recovery(), EXISTS (SELECT FROM pg_stat_wal_receiver), \
    pg_last_wal_replay_lsn()::text, \
    CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 \
         ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) END::float8";

/// Sends reads to replicas and what must be new to the primary.
///
/// A reader who has written takes a [`token`](Self::token) after the commit and shows it with each read: it is answered by a
/// replica that has replayed that far, which is asked on the very connection that the read then uses, or else by the primary. A
/// reader without a token gets a replica that lags by no more than it may. Replicas take turns; one that cannot be reached is
/// left out for a while.
pub struct ReplicaRouter {
    primary: PgPool,
    replicas: Vec<Replica>,
    policy: RoutingPolicy,
    clock: SharedClock,
    next: AtomicUsize,
    from_primary: AtomicU64,
    unfit: Mutex<BTreeMap<&'static str, u64>>,
}

/// How replicas are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoutingPolicy {
    /// How old an answer may be for a reader without a token.
    pub lag_max: Duration,
    /// For how long what a replica has said is believed, for readers without a token, and that it cannot be reached.
    pub believed_for: Duration,
}

#[derive(Debug)]
struct Replica {
    name: String,
    pool: PgPool,
    seen: Mutex<Option<Seen>>,
    reads: AtomicU64,
}

/// What was last seen of a replica, and when by the clock's steady time.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Duration,
    /// Nothing if it could not be reached.
    state: Option<ReplicaState>,
}

/// A connection to read from.
#[derive(Debug)]
pub struct RoutedConnection {
    connection: PoolConnection<Postgres>,
    from: ReadFrom,
}

/// Where a read goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadFrom {
    /// To the primary, since no replica could answer.
    Primary,
    /// To the replica of this name.
    Replica(String),
}

/// Where reads went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouterLoad {
    /// Reads from the primary.
    pub primary: u64,
    /// Reads from each replica.
    pub replicas: BTreeMap<String, u64>,
    /// How often a replica could not answer, by the reason: `unreachable`, `promoted`, `behind`, `lagging`.
    pub unfit: BTreeMap<&'static str, u64>,
}

impl Default for RoutingPolicy {
    fn default() -> Self {
        Self { lag_max: Duration::from_secs(5), believed_for: Duration::from_secs(1) }
    }
}

impl RoutingPolicy {
    /// The same with another age of answers for readers without a token.
    #[must_use]
    pub const fn with_lag_max(mut self, lag_max: Duration) -> Self {
        self.lag_max = lag_max;
        self
    }
}

impl ReplicaRouter {
    /// Reads go to these replicas, each with a name, and else to `primary`.
    #[must_use]
    pub fn new(
        primary: PgPool,
        replicas: impl IntoIterator<Item = (String, PgPool)>,
        policy: RoutingPolicy,
        clock: SharedClock,
    ) -> Self {
        let replica = |(name, pool)| Replica { name, pool, seen: Mutex::default(), reads: AtomicU64::new(0) };
        Self {
            primary,
            replicas: replicas.into_iter().map(replica).collect(),
            policy,
            clock,
            next: AtomicUsize::new(0),
            from_primary: AtomicU64::new(0),
            unfit: Mutex::default(),
        }
    }

    /// A connection to write with.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the primary's pool has none.
    pub async fn write(&self) -> Result<PoolConnection<Postgres>> {
        self.primary.acquire().await.map_err(|source| unavailable("acquire connection", source))
    }

    /// What a reader must see who has committed on this connection to the primary.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if the server does not answer; [`ErrorKind::InvalidInput`] on a replica.
    pub async fn token(&self, written: &mut PgConnection) -> Result<Lsn> {
        let text: String = sqlx::query_scalar("SELECT pg_current_wal_insert_lsn()::text")
            .fetch_one(written)
            .await
            .map_err(|source| match source.as_database_error().and_then(|error| error.code()).as_deref() {
                // Recovery is in progress.
                Some("55000") => {
                    Error::new(ErrorKind::InvalidInput, "take token", "the connection is to a replica")
                        .with_remedy("take it on the connection that has written")
                }
                _ => unavailable("take token", source),
            })?;
        text.parse()
    }

    /// A connection for reads that must see all up to `token`, or without one may be as old as the policy says. The reads
    /// must use this connection, and no later than now: a later one may go elsewhere.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if neither a replica nor the primary has a connection.
    pub async fn read(&self, token: Option<Lsn>) -> Result<RoutedConnection> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        for turn in 0..self.replicas.len() {
            let Some(replica) = self.replicas.get((first.wrapping_add(turn)) % self.replicas.len()) else {
                break;
            };
            match self.try_replica(replica, token).await {
                Ok(connection) => {
                    replica.reads.fetch_add(1, Ordering::Relaxed);
                    let from = ReadFrom::Replica(replica.name.clone());
                    return Ok(RoutedConnection { connection, from });
                }
                Err(unfit) => *self.counts().entry(unfit.name()).or_default() += 1,
            }
        }
        let connection = self.write().await?;
        self.from_primary.fetch_add(1, Ordering::Relaxed);
        Ok(RoutedConnection { connection, from: ReadFrom::Primary })
    }

    /// Where reads went so far.
    #[must_use]
    pub fn load(&self) -> RouterLoad {
        let reads = |replica: &Replica| (replica.name.clone(), replica.reads.load(Ordering::Relaxed));
        RouterLoad {
            primary: self.from_primary.load(Ordering::Relaxed),
            replicas: self.replicas.iter().map(reads).collect(),
            unfit: self.counts().clone(),
        }
    }

    async fn try_replica(
        &self,
        replica: &Replica,
        token: Option<Lsn>,
    ) -> std::result::Result<PoolConnection<Postgres>, Unfit> {
        let now = self.clock.monotonic();
        let believed = replica.seen().filter(|seen| now.saturating_sub(seen.at) <= self.policy.believed_for);
        if believed.is_some_and(|seen| seen.state.is_none()) {
            return Err(Unfit::Unreachable);
        }
        let mut connection = replica.pool.acquire().await.map_err(|_| replica.note(now, None))?;
        // Who has written must see it whatever the replica has said before: it is asked now, on this connection.
        if let (None, Some(Seen { state: Some(state), .. })) = (token, believed) {
            return state.judge(None, self.policy.lag_max).map(|()| connection);
        }
        match look(&mut connection).await {
            Ok(state) => {
                replica.note(now, Some(state));
                state.judge(token, self.policy.lag_max).map(|()| connection)
            }
            Err(error) => {
                tracing::debug!(replica = replica.name, %error, "replica does not answer");
                // Nobody shall get a connection that answers something else.
                drop(connection.detach().close_hard());
                Err(replica.note(now, None))
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.unfit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn look(connection: &mut PgConnection) -> std::result::Result<ReplicaState, sqlx::Error> {
    let row = sqlx::query(LOOK).fetch_one(connection).await?;
    let replayed: Option<String> = row.try_get(2)?;
    let lag: f64 = row.try_get(3)?;
    Ok(ReplicaState {
        follows: row.try_get(0)?,
        receives: row.try_get(1)?,
        replayed: replayed.and_then(|text| text.parse().ok()),
        lag: Duration::try_from_secs_f64(lag.max(0.0)).unwrap_or(Duration::MAX),
    })
}

impl Replica {
    fn seen(&self) -> Option<Seen> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what was seen; says what that means if it was nothing.
    fn note(&self, at: Duration, state: Option<ReplicaState>) -> Unfit {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Seen { at, state });
        Unfit::Unreachable
    }
}

impl Unfit {
    const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Promoted => "promoted",
            Self::Behind => "behind",
            Self::Lagging => "lagging",
        }
    }
}

impl RoutedConnection {
    /// Where reads on it go.
    #[must_use]
    pub const fn from(&self) -> &ReadFrom {
        &self.from
    }

    /// The connection.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl fmt::Debug for ReplicaRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.replicas.iter().map(|replica| replica.name.as_str()).collect();
        f.debug_struct("ReplicaRouter")
            .field("replicas", &names)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

fn unavailable(operation: &'static str, source: sqlx::Error) -> Error {
    Error::new(ErrorKind::Unavailable, operation, "the primary does not answer").with_source(source)
}
