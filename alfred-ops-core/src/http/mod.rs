//! HTTP as siblings share it: how requests are made, and with feature `http-client` a client that makes them.
//!
//! [`HttpOptions`] say who we are and whom we believe. The client's types of methods, headers and statuses are reqwest's.

#[cfg(feature = "http-client")]
mod client;
mod credentials;
mod kubernetes_api_server;
mod options;

#[cfg(feature = "http-client")]
pub use client::{
    Answer, Endpoint, Payload, Question, Requester, failed_answer, failed_request, failed_status, kind_of,
    plain_client,
};
pub use credentials::{Authentication, Credential, TlsOptions};
pub use kubernetes_api_server::KubernetesApiServer;
pub use options::HttpOptions;
