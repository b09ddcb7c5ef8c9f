//! Looking at a database, question by question: what one of them may not see is a gap and no error.

mod keys;
mod measure;
mod oddities;
mod relations;
mod replication;
mod server;
mod statements;
mod trials;
mod trust;

use std::time::Duration;

use alfred_ops_core::{PostgresOptions, Result};
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Error, Row as _};

use super::{DatabaseFacts, DoctorPolicy, Gap};
use crate::postgres::{Session, code_of, quoted};

/// No question takes longer.
const LOOK_TIMEOUT: Duration = Duration::from_secs(30);
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// A look that is under way.
pub(super) struct Look<'a> {
    session: Session,
    policy: &'a DoctorPolicy,
    facts: DatabaseFacts,
}

pub(super) async fn look(server: &PostgresOptions, policy: &DoctorPolicy) -> Result<DatabaseFacts> {
    let mut look = Look::open(server, policy).await?;
    server::look(&mut look).await?;
    relations::look(&mut look).await?;
    keys::look(&mut look).await?;
    statements::look(&mut look).await?;
    trials::look(&mut look).await?;
    replication::look(&mut look).await?;
    look.others().await?;
    oddities::look(&mut look).await?;
    measure::look(&mut look).await?;
    Ok(look.facts)
}

/// The part of it that care of indexes needs.
pub(crate) async fn look_at_indexes(
    server: &PostgresOptions,
    policy: &DoctorPolicy,
) -> Result<DatabaseFacts> {
    let mut look = Look::open(server, policy).await?;
    let indexes = crate::indexes::look(&mut look.session).await;
    let indexes = indexes.map_err(|source| look.session.failed("look at indexes", source))?;
    look.facts.role.clone_from(&indexes.role);
    look.facts.indexes = indexes;
    relations::look(&mut look).await?;
    keys::foreign_keys(&mut look).await?;
    statements::look(&mut look).await?;
    trials::look_for_care(&mut look).await?;
    measure::indexes(&mut look).await?;
    Ok(look.facts)
}

impl<'a> Look<'a> {
    async fn open(server: &PostgresOptions, policy: &'a DoctorPolicy) -> Result<Self> {
        // With this path the server qualifies the names of all objects but its own. A look writes nothing.
        let settings = [
            ("search_path", "pg_catalog"),
            ("default_transaction_read_only", "on"),
            ("jit", "off"),
            // Constants of ours are quoted as the standard says, whatever the database was set to.
            ("standard_conforming_strings", "on"),
        ];
        let session = Session::open(server, "database", LOOK_TIMEOUT, LOCK_TIMEOUT, &settings).await?;
        Ok(Self { session, policy, facts: DatabaseFacts::default() })
    }
}

impl Look<'_> {
    /// What other chores look at too.
    async fn others(&mut self) -> Result<()> {
        match crate::indexes::look(&mut self.session).await {
            Ok(indexes) => self.facts.indexes = indexes,
            Err(source) => self.miss("indexes", source)?,
        }
        match crate::sessions::look(&mut self.session).await {
            Ok(sessions) => self.facts.sessions = sessions,
            Err(source) => self.miss("sessions", source)?,
        }
        match crate::vacuum::holders(&mut self.session).await {
            Ok(holders) => self.facts.holders = holders,
            Err(source) => self.miss("who holds the horizon", source)?,
        }
        Ok(())
    }

    /// The rows of a query; none, and a gap, where the role may not see them or the server was too slow.
    async fn read<T>(
        &mut self,
        what: &str,
        query: &str,
        read: fn(&PgRow) -> Result<T, Error>,
    ) -> Result<Vec<T>> {
        let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&mut self.session.connection).await;
        match rows.and_then(|rows| rows.iter().map(read).collect::<Result<Vec<T>, Error>>()) {
            Ok(found) => Ok(found),
            Err(source) => {
                self.miss(what, source)?;
                Ok(Vec::new())
            }
        }
    }

    /// The rows of a query about what others have a hand in; none, and a gap, whatever the server says against it, unless the
    /// server itself is in no state to answer.
    async fn attempt<T>(
        &mut self,
        what: &str,
        query: Query<'_, Postgres, PgArguments>,
        read: fn(&PgRow) -> Result<T, Error>,
    ) -> Result<Option<Vec<T>>> {
        let rows = query.fetch_all(&mut self.session.connection).await;
        let source = match rows.and_then(|rows| rows.iter().map(read).collect::<Result<Vec<T>, Error>>()) {
            Ok(found) => return Ok(Some(found)),
            Err(source) => source,
        };
        let gap = match code_of(&source) {
            Some(code) => {
                self.gap(what, &code).or_else(|| refused(&code).map(|remedy| Gap::new(what, remedy)))
            }
            None => None,
        };
        let Some(gap) = gap else { return Err(self.session.failed("look", source)) };
        self.lacks(gap);
        Ok(None)
    }

    /// Adds a gap, once.
    fn lacks(&mut self, gap: Gap) {
        if !self.facts.gaps.contains(&gap) {
            self.facts.gaps.push(gap);
        }
    }

    /// Turns what kept a question from its answer into a gap, if the others may still be asked.
    fn miss(&mut self, what: &str, source: Error) -> Result<()> {
        let gap = code_of(&source).and_then(|code| self.gap(what, &code));
        let Some(gap) = gap else { return Err(self.session.failed("look", source)) };
        self.lacks(gap);
        Ok(())
    }

    /// What helps against what a server says to anybody now and then.
    fn gap(&self, what: &str, code: &str) -> Option<Gap> {
        let role = quoted(&self.facts.role);
        match code {
            "42501" => {
                let remedy = format!("run GRANT pg_monitor TO {role}, or let a role with more rights look");
                Some(Gap::new(what, remedy))
            }
            "57014" | "55P03" => Some(Gap::passing(what, "the server is too busy; look again later")),
            // What vanished between two questions is not there at the next look.
            "42P01" | "42704" | "XX000" => {
                Some(Gap::passing(what, "something vanished meanwhile; look again"))
            }
            "42703" | "42883" | "55000" | "0A000" => Some(Gap::new(what, "this server does not tell")),
            _ => None,
        }
    }
}

/// What to do about an error that is about the question. Of the server's own state are: no connection, no transaction, no
/// resources, a shutdown, a system that fails.
fn refused(code: &str) -> Option<String> {
    let is_state = ["08", "25", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class));
    (!is_state).then(|| format!("the server refused with SQLSTATE {code}; its log tells why"))
}

/// A number that is never negative; what has just vanished has none.
fn count(row: &PgRow, column: &str) -> Result<u64, Error> {
    Ok(u64::try_from(row.try_get::<Option<i64>, _>(column)?.unwrap_or(0)).unwrap_or(0))
}

/// A number of rows that the server estimates.
fn estimate(row: &PgRow, column: &str) -> Result<Option<u64>, Error> {
    let rows: Option<i64> = row.try_get(column)?;
    Ok(rows.and_then(|rows| u64::try_from(rows).ok()))
}
