//! Which keys and values a store takes.

use crate::{Error, ErrorKind, Result};

/// Long enough for any path of names, short enough for every database's index.
const KEY_BYTES_MAX: usize = 512;

/// Documents are small by design: what is large belongs into a blob store.
const VALUE_BYTES_MAX: usize = 1 << 20;

/// The first character above those that keys may have: `prefix` to `prefix + KEY_END` holds all its keys.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) const KEY_END: char = '\u{7f}';

/// Keys are visible ASCII, so that every store sorts them alike.
pub(super) fn check_key(operation: &'static str, key: &str) -> Result<()> {
    let fault = if key.is_empty() {
        "the key is empty".to_owned()
    } else if key.len() > KEY_BYTES_MAX {
        format!("the key has {} bytes, at most {KEY_BYTES_MAX} are allowed", key.len())
    } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        format!("the key {key:?} has a character that is not visible ASCII")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidInput, operation, fault)
        .with_remedy("name documents with letters, digits and punctuation"))
}

/// Prefixes and positions of listings: like keys, but may be empty.
pub(super) fn check_prefix(operation: &'static str, prefix: &str) -> Result<()> {
    if prefix.is_empty() { Ok(()) } else { check_key(operation, prefix) }
}

pub(super) fn check_value(operation: &'static str, key: &str, value: &serde_json::Value) -> Result<()> {
    let bytes = serde_json::to_vec(value).map_or(0, |text| text.len());
    if bytes <= VALUE_BYTES_MAX {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::ResourceExhausted,
        operation,
        format!("the value has {bytes} bytes, at most {VALUE_BYTES_MAX} are allowed"),
    )
    .with_target(key)
    .with_remedy("keep large data in a blob store"))
}
