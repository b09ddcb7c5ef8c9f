//! Where hosts keep their state.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use alfred_ops_core::{
    Error, ErrorKind, PostgresOptions, PostgresStateStore, Result, SharedClock, SqliteStateStore, StateStore,
};

use super::server::with_password;

/// Where hosts keep leases, records and histories: a server, or a file of this machine.
#[derive(Debug, Clone)]
pub(super) enum StateUrl {
    Postgres(Box<PostgresOptions>),
    Sqlite(PathBuf),
}

impl StateUrl {
    /// Refuses a file that is not there: to a question a new one would have the wrong answer.
    pub(super) fn must_exist(&self) -> Result<()> {
        match self {
            Self::Sqlite(path) if !path.is_file() => {
                Err(Error::new(ErrorKind::NotFound, "open state", "there is no such file")
                    .with_target(path.display().to_string())
                    .with_remedy("check the path; the first run makes it"))
            }
            Self::Sqlite(_) | Self::Postgres(_) => Ok(()),
        }
    }

    /// Opens the store. The password of a server comes from PGPASSWORD.
    pub(super) async fn open(&self, clock: &SharedClock) -> Result<Arc<dyn StateStore>> {
        Ok(match self {
            Self::Postgres(options) => Arc::new(PostgresStateStore::connect(&with_password(options)).await?),
            Self::Sqlite(path) => Arc::new(SqliteStateStore::open(path, Arc::clone(clock)).await?),
        })
    }
}

impl FromStr for StateUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // Never the text itself in an error: it may hold a password.
        match text.strip_prefix("sqlite://") {
            Some(path) if path.starts_with('/') => Ok(Self::Sqlite(path.into())),
            Some(_) => Err(Error::new(ErrorKind::InvalidInput, "read state URL", "the path is not absolute")
                .with_remedy("write sqlite:///FOLDER/FILE")),
            None if text.contains("://") => Ok(Self::Postgres(Box::new(text.parse()?))),
            None => Err(Error::new(
                ErrorKind::InvalidInput,
                "read state URL",
                "it is neither a server nor a file",
            )
            .with_remedy("write postgres://USER@HOST:PORT/DATABASE or sqlite:///FOLDER/FILE")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_files_are_told_apart_and_passwords_are_not_shown() {
        assert!(matches!("postgres://ops@db/alfred".parse(), Ok(StateUrl::Postgres(_))));
        let file = "sqlite:///var/lib/alfred/state.db".parse();
        assert!(matches!(file, Ok(StateUrl::Sqlite(path)) if path.ends_with("alfred/state.db")));
        for bad in ["sqlite://state.db", "mysql://a:hunter2@h/d", "state.db"] {
            let error = bad.parse::<StateUrl>().unwrap_err().full();
            assert!(!error.contains("hunter2") && error.contains("write "), "{error}");
        }
    }
}
