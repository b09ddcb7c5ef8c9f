//! What must be true after a change.

use std::fmt;

use alfred_ops_core::Result;
use futures::future::BoxFuture;
use sqlx::{AssertSqlSafe, PgConnection};

type Ask = dyn for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<Option<String>>> + Send + Sync;

/// What must be true after a change, asked on a connection that sees it.
pub(super) struct Check {
    pub(super) name: String,
    ask: Question,
}

enum Question {
    Host(Box<Ask>),
    Sql(String),
}

impl Check {
    pub(super) fn host<F>(name: impl Into<String>, ask: F) -> Self
    where
        F: for<'c> Fn(&'c mut PgConnection) -> BoxFuture<'c, Result<Option<String>>> + Send + Sync + 'static,
    {
        Self { name: name.into(), ask: Question::Host(Box::new(ask)) }
    }

    pub(super) fn sql(name: impl Into<String>, query: impl Into<String>) -> Self {
        Self { name: name.into(), ask: Question::Sql(query.into()) }
    }

    /// What is wrong; an error counts as wrong.
    pub(super) async fn wrong(&self, connection: &mut PgConnection) -> Option<String> {
        let wrong = match &self.ask {
            Question::Host(ask) => match ask(connection).await {
                Ok(wrong) => wrong,
                Err(error) => Some(error.full()),
            },
            Question::Sql(query) => {
                let query = sqlx::query_scalar::<_, Option<bool>>(AssertSqlSafe(query.as_str()));
                match query.fetch_one(connection).await {
                    Ok(Some(true)) => None,
                    Ok(_) => Some("the query does not answer true".to_owned()),
                    Err(error) => Some(error.to_string()),
                }
            }
        };
        wrong.map(|wrong| format!("check {:?}: {wrong}", self.name))
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).finish_non_exhaustive()
    }
}
