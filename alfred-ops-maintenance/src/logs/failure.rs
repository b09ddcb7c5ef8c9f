//! What a failure of a file means.

use std::io;

use alfred_ops_core::ErrorKind;

/// The class of a failure to read or write a log file.
pub(super) fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::AlreadyExists => ErrorKind::Conflict,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::ResourceExhausted,
        io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => ErrorKind::InvalidInput,
        _ => ErrorKind::Unavailable,
    }
}
