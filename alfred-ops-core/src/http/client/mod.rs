//! The client.

mod body;
mod builder;
mod endpoint;
mod failure;
mod headers;
mod requester;
mod tls;

pub use builder::plain_client;
pub use endpoint::Endpoint;
pub use failure::{failed_answer, failed_request, failed_status, kind_of};
pub use requester::{Answer, Payload, Question, Requester};
