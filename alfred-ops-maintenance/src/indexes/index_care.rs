//! The chore.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{JobContext, PostgresOptions, Result, StateStore};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use super::look::look;
use super::{IndexFacts, IndexPlan, IndexPolicy, plan_indexes};
use crate::postgres::{Session, code_of, label};
use crate::{Cadence, Caretaker, CaretakerBuilder, Chore, Turn};

const LOOK_TIMEOUT: Duration = Duration::from_secs(30);
/// A build or a drop waits so long for transactions that may still use the index; it keeps nobody from anything meanwhile.
const WAIT: Duration = Duration::from_secs(60);

/// Finds indexes that cost and do not serve; removes what failed builds left, and on demand what others do as well.
///
/// Nothing it does keeps others from reading or writing. The role has to own what it changes. Partitioned indexes are left
/// alone.
#[derive(Debug, Clone)]
pub struct IndexCare {
    server: PostgresOptions,
    policy: IndexPolicy,
    name: String,
    target: String,
}

impl IndexCare {
    /// Care of the indexes of the database that `server` names. Nothing happens before a call.
    #[must_use]
    pub fn new(server: PostgresOptions, policy: IndexPolicy) -> Self {
        let database = label(&server.database);
        Self {
            name: format!("indexes-{database}"),
            // With VACUUM it would wait for the same locks.
            target: format!("{}:{}/{database}", label(&server.host), server.port),
            server: server.with_application_name("alfred-ops indexes"),
            policy,
        }
    }

    /// A caretaker that runs it every week.
    #[must_use]
    pub fn caretaker(self, store: Arc<dyn StateStore>) -> CaretakerBuilder<Self> {
        Caretaker::builder(self, store).cadence(Cadence::weekly())
    }
}

#[async_trait]
impl Chore for IndexCare {
    type Facts = IndexFacts;
    type Plan = IndexPlan;

    fn name(&self) -> &str {
        &self.name
    }

    fn target(&self) -> &str {
        &self.target
    }

    async fn inspect(&self, _: &JobContext) -> Result<IndexFacts> {
        let mut session = Session::open(&self.server, "indexes", LOOK_TIMEOUT, LOOK_TIMEOUT, &[]).await?;
        look(&mut session).await.map_err(|source| session.failed("look at indexes", source))
    }

    fn plan(&self, facts: &IndexFacts, _: DateTime<Utc>) -> IndexPlan {
        plan_indexes(facts, &self.policy)
    }

    async fn apply(&self, plan: &IndexPlan, turn: &mut Turn<'_>) -> Result<()> {
        let mut session = Session::open(&self.server, "indexes", turn.budget().time, WAIT, &[]).await?;
        for step in &plan.steps {
            let Some(statement) = step.statement() else { continue };
            if !turn.may_go_on().await {
                return Ok(());
            }
            let done =
                sqlx::raw_sql(AssertSqlSafe(statement.as_str())).execute(&mut session.connection).await;
            match done {
                Ok(_) => turn.did(step.bytes, Duration::ZERO),
                Err(source) if code_of(&source).as_deref() == Some("42704") => {
                    turn.note(format!("{} vanished", step.index));
                }
                // The next look finds what is left of it.
                Err(source) if matches!(code_of(&source).as_deref(), Some("55P03" | "57014" | "23505")) => {
                    turn.note(format!(
                        "{} is as it was: {}",
                        step.index,
                        session.failed("mend", source).full()
                    ));
                }
                Err(source) => return Err(session.failed("mend index", source)),
            }
        }
        Ok(())
    }
}
