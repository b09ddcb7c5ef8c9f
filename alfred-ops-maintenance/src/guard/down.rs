//! The way down.

use std::fmt;

use alfred_ops_core::{Error, ErrorKind, Result};
use futures::future::BoxFuture;

use crate::postgres::{code_of, gave_way};

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
}

/// What the server said to a statement of the way down. `Unavailable` if a repetition may mend it.
pub(super) fn failed(source: sqlx::Error) -> Error {
    let code = code_of(&source);
    let passes = code.is_none_or(|code| ["57P", "53", "08"].iter().any(|class| code.starts_with(class)));
    let kind = if passes || gave_way(&source) { ErrorKind::Unavailable } else { ErrorKind::InvalidInput };
    let said = source
        .as_database_error()
        .map_or_else(|| "the connection failed".to_owned(), |error| error.message().to_owned());
    Error::new(kind, "run the way down", said).with_source(source)
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
