//! The client.

use std::time::Duration;

use crate::{Error, ErrorKind, Result};
use reqwest::redirect::Policy;

/// A far side in the same network answers a connection at once; one that does not is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client that follows no redirect, so that credentials go nowhere else, and repeats nothing: one layer
/// retries, and it is not this one. Each request sets its own timeout.
///
/// # Errors
/// [`ErrorKind::Internal`] if TLS cannot be set up.
pub fn plain_client() -> Result<reqwest::Client> {
    built(builder())
}

/// What all clients have in common.
pub(super) fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .user_agent(concat!("alfred-ops/", env!("CARGO_PKG_VERSION")))
}

pub(super) fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client> {
    builder.build().map_err(|error| {
        Error::new(ErrorKind::Internal, "build HTTP client", "the TLS set-up failed").with_source(error)
    })
}
