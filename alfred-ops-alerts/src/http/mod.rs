//! HTTP, as scraping, discovery and webhooks use it.

mod body;
mod client;
mod credentials;
mod endpoint;
mod failure;
mod requester;
mod tls;

pub(crate) use client::client;
pub(crate) use endpoint::Endpoint;
pub(crate) use failure::{failed_answer, failed_request, failed_status, kind_of};
pub(crate) use requester::{Answer, Question, Requester};
