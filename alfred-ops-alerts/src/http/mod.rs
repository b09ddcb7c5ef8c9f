//! HTTP, as scraping and webhooks use it.

mod client;
mod endpoint;
mod failure;

pub(crate) use client::client;
pub(crate) use endpoint::Endpoint;
pub(crate) use failure::{failed_request, failed_status};
