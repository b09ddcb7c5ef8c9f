//! What an engine's errors mean.

use std::error::Error as StdError;
use std::io;

use alfred_ops_core::{Error, ErrorKind};
use bollard::errors::Error as EngineError;

/// The status that an engine refused something with, and its words.
pub(super) fn status_of(error: &EngineError) -> Option<(u16, &str)> {
    match error {
        EngineError::DockerResponseServerError { status_code, message } => Some((*status_code, message)),
        _ => None,
    }
}

pub(super) fn failed(operation: &'static str, address: &str, error: EngineError) -> Error {
    let (kind, what, remedy) = judge(&error);
    Error::new(kind, operation, what).with_target(address).with_remedy(remedy).with_source(error)
}

fn judge(error: &EngineError) -> (ErrorKind, &'static str, &'static str) {
    let look = "look into the engine's log";
    match (error, status_of(error)) {
        (EngineError::SocketNotFoundError(_), _) => {
            (ErrorKind::Unavailable, "there is no such socket", "start the engine, or name its socket")
        }
        (EngineError::RequestTimeoutError, _) => {
            (ErrorKind::Timeout, "the engine did not answer in time", look)
        }
        (EngineError::JsonDataError { .. } | EngineError::APIVersionParseError {}, _) => {
            (ErrorKind::Corrupt, "the answer is not one of Docker's API", "name the socket of an engine")
        }
        (_, Some((401 | 403, _))) => (
            ErrorKind::PermissionDenied,
            "the engine forbids it",
            "allow it in the engine's authorization plugin",
        ),
        (_, Some((status, _))) if status < 500 => (
            ErrorKind::Unsupported,
            "the engine refused",
            "use an engine that speaks Docker's API from 1.24 on",
        ),
        _ if io_kind(error) == Some(io::ErrorKind::PermissionDenied) => (
            ErrorKind::PermissionDenied,
            "this user may not open the socket",
            "add the user to the group that owns the socket (docker), and start this process again",
        ),
        _ => (ErrorKind::Unavailable, "the engine cannot be spoken to", look),
    }
}

fn io_kind(error: &EngineError) -> Option<io::ErrorKind> {
    // It passes its source off as its own.
    if let EngineError::IOError { err } = error {
        return Some(err.kind());
    }
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: EngineError, kind: ErrorKind, said: &str) {
        let error = failed("list images", "unix:///x", error);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let closed = io::Error::from(io::ErrorKind::PermissionDenied);
        check(
            EngineError::IOError { err: closed },
            ErrorKind::PermissionDenied,
            "the group that owns the socket",
        );
        let answer =
            |status_code| EngineError::DockerResponseServerError { status_code, message: "no".to_owned() };
        check(answer(403), ErrorKind::PermissionDenied, "authorization plugin");
        check(answer(400), ErrorKind::Unsupported, "1.24");
        check(answer(500), ErrorKind::Unavailable, "log");
        check(EngineError::RequestTimeoutError, ErrorKind::Timeout, "in time");
    }
}
