//! Free ports.

use crate::{Error, ErrorKind, Result};

/// A loopback TCP port that was free a moment ago. Another process may take it before it is used.
///
/// # Errors
/// [`ErrorKind::Unavailable`] if the machine has no free port.
pub fn free_port() -> Result<u16> {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| {
            Error::new(ErrorKind::Unavailable, "find a free port", "none is free").with_source(source)
        })
}
