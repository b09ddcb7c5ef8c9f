//! The doctor.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{JobContext, PostgresOptions, Result, StateStore};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::look::look;
use super::{DatabaseFacts, Diagnosis, DoctorPolicy, diagnose};
use crate::postgres::label;
use crate::{Cadence, Caretaker, CaretakerBuilder, Chore, Turn};

const DAILY: Duration = Duration::from_secs(24 * 3600);

/// Finds what is wrong with a database, says why it matters and what helps, and changes nothing.
///
/// It reads the catalogue and the server's statistics, each question within 30 s, and with the extension `pgstattuple` the
/// pages of what seems bloated. Any role may look: what it may not see is a [`Gap`](super::Gap) with the grant that shows
/// it; `pg_monitor` and `pg_read_all_data` show all. As a [`Chore`] its run is ineffective as long as something is wrong or
/// a question was not answered this time.
///
/// On a standby it says nothing of what only the primary counts, and what helps is done on the primary. It needs one
/// session of the server: a pooler in transaction mode that drops its settings is refused.
///
/// With the extension `hypopg` the planner is asked about a table, with the rights of the doctor's role, only if all code
/// that hangs on the table is the server's, a superuser's or an extension's. Between that question and the plan a determined
/// owner of the table may still add an index or statistics, or rename the schema, and the planner may then run his function
/// with those rights, in a transaction that is read-only until the function says otherwise. Where owners of tables are not
/// trusted, let a role look that may not do more than they, or do without `hypopg` there.
#[derive(Debug, Clone)]
pub struct DatabaseDoctor {
    server: PostgresOptions,
    policy: DoctorPolicy,
    name: String,
    target: String,
}

impl DatabaseDoctor {
    /// A doctor for the database that `server` names. Nothing happens before a call.
    #[must_use]
    pub fn new(server: PostgresOptions, policy: DoctorPolicy) -> Self {
        let database = label(&server.database);
        let name = format!("doctor-{database}");
        Self {
            // Who only looks waits for nobody.
            target: format!("{}:{}/{database}/doctor", label(&server.host), server.port),
            name,
            server: server.with_application_name("alfred-ops doctor"),
            policy,
        }
    }

    /// A caretaker that looks every day.
    #[must_use]
    pub fn caretaker(self, store: Arc<dyn StateStore>) -> CaretakerBuilder<Self> {
        Caretaker::builder(self, store).cadence(Cadence::every(DAILY))
    }

    /// What there is to know. Dropping the future ends the look.
    ///
    /// # Errors
    /// The server cannot be reached or refuses the login, or the connection broke.
    pub async fn look(&self) -> Result<DatabaseFacts> {
        look(&self.server, &self.policy).await
    }

    /// What is wrong, and what could not be seen.
    ///
    /// # Errors
    /// As [`look`](Self::look).
    pub async fn examine(&self) -> Result<Diagnosis> {
        Ok(self.judge(&self.look().await?))
    }

    fn judge(&self, facts: &DatabaseFacts) -> Diagnosis {
        Diagnosis { findings: diagnose(facts, &self.policy), gaps: facts.gaps.clone() }
    }
}

#[async_trait]
impl Chore for DatabaseDoctor {
    type Facts = DatabaseFacts;
    type Plan = Diagnosis;

    fn name(&self) -> &str {
        &self.name
    }

    fn target(&self) -> &str {
        &self.target
    }

    async fn inspect(&self, _: &JobContext) -> Result<DatabaseFacts> {
        self.look().await
    }

    fn plan(&self, facts: &DatabaseFacts, _: DateTime<Utc>) -> Diagnosis {
        self.judge(facts)
    }

    async fn apply(&self, _: &Diagnosis, _: &mut Turn<'_>) -> Result<()> {
        Ok(())
    }
}
