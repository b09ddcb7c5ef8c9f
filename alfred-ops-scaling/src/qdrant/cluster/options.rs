//! Which cluster, and how gently to change it.

use std::time::Duration;

use alfred_ops_core::Secret;

use crate::qdrant::Limits;

/// Which cluster, and how gently to change it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct QdrantOptions {
    /// The REST URLs of its peers, such as `http://qdrant-0:6333`. Name several: the leader is asked if it is
    /// among them, because it alone keeps noticing which peers are away; else the first that answers and does
    /// not have to leave.
    pub urls: Vec<String>,
    /// The API key, one that may manage the cluster.
    pub api_key: Option<Secret>,
    /// How many transfers may run at once.
    pub limits: Limits,
    /// Between two looks at the cluster.
    pub poll_after: Duration,
    /// One request may take so long.
    pub request_limit: Duration,
    /// A transfer that says nothing new for so long is aborted and started again; where there is none, waiting
    /// ends with an error. Servers say little: be generous.
    pub stalled_after: Duration,
    /// So often may one action be tried in a run, and so many looks may fail one after the other.
    pub attempts_max: u32,
}

impl QdrantOptions {
    /// A cluster with these peers, asked without a key: a look every 5 s, requests of at most 30 s, transfers
    /// stalled after 30 minutes, five attempts.
    #[must_use]
    pub fn new<U: Into<String>>(urls: impl IntoIterator<Item = U>) -> Self {
        Self {
            urls: urls.into_iter().map(Into::into).collect(),
            api_key: None,
            limits: Limits::default(),
            poll_after: Duration::from_secs(5),
            request_limit: Duration::from_secs(30),
            stalled_after: Duration::from_secs(1800),
            attempts_max: 5,
        }
    }

    /// With an API key.
    #[must_use]
    pub fn with_api_key(mut self, api_key: impl Into<Secret>) -> Self {
        self.api_key = Some(api_key.into());
        self
    }

    /// Other limits on transfers.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Another pause between two looks.
    #[must_use]
    pub fn with_poll_after(mut self, poll_after: Duration) -> Self {
        self.poll_after = poll_after;
        self
    }

    /// Other limits on how long one request may take, and how long a transfer may say nothing new.
    #[must_use]
    pub fn with_patience(mut self, request: Duration, stalled: Duration) -> Self {
        (self.request_limit, self.stalled_after) = (request, stalled);
        self
    }

    /// Another number of attempts. Zero counts as one.
    #[must_use]
    pub fn with_attempts_max(mut self, attempts_max: u32) -> Self {
        self.attempts_max = attempts_max.max(1);
        self
    }
}
