//! Values between Rust and SQL.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{Document, Error, ErrorKind, Result};

pub(super) fn encode(operation: &'static str, value: &Value) -> Result<String> {
    serde_json::to_string(value).map_err(|source| {
        Error::new(ErrorKind::Internal, operation, "the value is not JSON").with_source(source)
    })
}

pub(super) fn decode(key: &str, text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|source| {
        Error::new(ErrorKind::Corrupt, "read state", "the document is not JSON")
            .with_target(key)
            .with_source(source)
    })
}

pub(super) fn document(key: String, text: &str, version: i64, read_at: DateTime<Utc>) -> Result<Document> {
    let value = decode(&key, text)?;
    let version = from_sql(version)?;
    Ok(Document::new(key, value, version, read_at))
}

/// SQL integers are signed. A number that does not fit was not given out by a store.
pub(super) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn from_sql(number: i64) -> Result<u64> {
    u64::try_from(number)
        .map_err(|_| Error::new(ErrorKind::Corrupt, "read state", format!("{number} is not a version")))
}
