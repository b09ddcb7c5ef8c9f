//! The way down.

use std::fmt;

use alfred_ops_core::{Error, ErrorKind, Result};
use futures::future::BoxFuture;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::postgres::Session;

type Work = dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync;

/// The host's own way down.
pub(super) enum Down {
    None,
    Sql(String),
    Work(Box<Work>),
}

impl Down {
    pub(super) const fn is_there(&self) -> bool {
        !matches!(self, Self::None)
    }

    pub(super) async fn run(&self, session: &mut Session) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Work(work) => work().await,
            Self::Sql(text) => {
                let mut transaction = session.connection.begin().await.map_err(failed)?;
                transaction.execute(AssertSqlSafe(text.as_str())).await.map_err(failed)?;
                transaction.commit().await.map_err(failed)
            }
        }
    }
}

fn failed(source: sqlx::Error) -> Error {
    let said = source
        .as_database_error()
        .map_or_else(|| "the connection failed".to_owned(), |error| error.message().to_owned());
    Error::new(ErrorKind::InvalidInput, "run the way down", said).with_source(source)
}

impl fmt::Debug for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Sql(_) => "Sql",
            Self::Work(_) => "Work",
        })
    }
}
