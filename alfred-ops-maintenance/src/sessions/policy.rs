//! Whom nobody has to wait for any longer.

use std::time::Duration;

/// Whom nobody has to wait for any longer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SessionPolicy {
    /// A session at the head of a queue is ended when somebody has waited for it for so long.
    pub blocks_max: Duration,
    /// A session that has done nothing within a transaction for so long is ended.
    pub idle_in_transaction_max: Duration,
    /// Above this share of the connections that the server allows, idle sessions are ended, those that were idle for
    /// longest first, until the share is reached.
    pub connections_share: f64,
    /// But none that has been idle for less, nor one that listens for notifications or holds an advisory lock.
    pub idle_min: Duration,
    /// Sessions of these roles are never ended.
    pub protected_roles: Vec<String>,
    /// Nor are those whose `application_name` begins so.
    pub protected_applications: Vec<String>,
    /// After a cancellation the session has so long to obey before it is terminated.
    pub grace: Duration,
}

impl Default for SessionPolicy {
    /// A minute of blocking, five of idling within a transaction, 80 % of the connections (as the guide alerts) and no
    /// session idle for less than ten minutes; nothing of this library is ended.
    fn default() -> Self {
        Self {
            blocks_max: Duration::from_secs(60),
            idle_in_transaction_max: Duration::from_secs(300),
            connections_share: 0.8,
            idle_min: Duration::from_secs(600),
            protected_roles: Vec::new(),
            protected_applications: vec!["alfred-ops".to_owned()],
            grace: Duration::from_secs(5),
        }
    }
}

impl SessionPolicy {
    /// Protects sessions of a role as well.
    #[must_use]
    pub fn with_protected_role(mut self, role: impl Into<String>) -> Self {
        self.protected_roles.push(role.into());
        self
    }

    /// Other patience: with those that block, and with those that idle within a transaction.
    #[must_use]
    pub const fn with_patience(mut self, blocks_max: Duration, idle_in_transaction_max: Duration) -> Self {
        (self.blocks_max, self.idle_in_transaction_max) = (blocks_max, idle_in_transaction_max);
        self
    }
}
