//! How often a secret is changed, and how long everybody takes to notice.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Looks are seldom enough to cost nothing, and often enough to follow the waits.
const LOOK_MIN: Duration = MINUTE;
const LOOK_MAX: Duration = HOUR;

/// How often a secret is changed, and how long everybody takes to notice.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RotationPolicy {
    /// A new one is begun when the active one has been used for so long.
    pub every: Duration,
    /// The longest time for which anybody goes on using what he has read, of the secret or of what is published of it.
    pub cache_ttl: Duration,
    /// What was made with the secret is good for so long: the life of a token. Zero if nothing is made with it.
    pub token_ttl: Duration,
    /// How far clocks may differ.
    pub skew: Duration,
    /// For so long the old one is only disabled, so that it can be brought back, before it is destroyed.
    pub disabled_for: Duration,
    /// It is told if the old one is still used so long after it should not be. It is never locked while it is.
    pub users_patience: Duration,
    /// It is told if the active one is older than [`every`](Self::every) by so much.
    pub overdue_after: Duration,
}

impl RotationPolicy {
    /// API keys: every quarter, read anew by their users within 5 minutes, a week in which the old one could be brought
    /// back.
    #[must_use]
    pub const fn api_keys() -> Self {
        Self {
            every: Duration::from_secs(91 * 24 * 3600),
            cache_ttl: Duration::from_secs(300),
            token_ttl: Duration::ZERO,
            skew: MINUTE,
            disabled_for: Duration::from_secs(7 * 24 * 3600),
            users_patience: HOUR,
            overdue_after: DAY,
        }
    }

    /// Keys that sign tokens of an hour: every year.
    #[must_use]
    pub const fn jwt_keys() -> Self {
        Self { every: Duration::from_secs(365 * 24 * 3600), token_ttl: HOUR, ..Self::api_keys() }
    }

    /// Passwords of databases: every quarter.
    #[must_use]
    pub const fn database_logins() -> Self {
        Self::api_keys()
    }

    /// Another period.
    #[must_use]
    pub const fn with_every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }

    /// Other caches, tokens and clocks.
    #[must_use]
    pub const fn with_times(mut self, cache_ttl: Duration, token_ttl: Duration, skew: Duration) -> Self {
        (self.cache_ttl, self.token_ttl, self.skew) = (cache_ttl, token_ttl, skew);
        self
    }

    /// Another time in which the old one could be brought back.
    #[must_use]
    pub const fn with_disabled_for(mut self, disabled_for: Duration) -> Self {
        self.disabled_for = disabled_for;
        self
    }

    /// From publication to use: until then all caches have it.
    #[must_use]
    pub fn publish_for(&self) -> Duration {
        self.cache_ttl.saturating_add(self.skew)
    }

    /// From the end of use to revocation: until then nobody uses it from a cache, and all that was made with it has
    /// expired.
    #[must_use]
    pub fn retire_for(&self) -> Duration {
        self.publish_for().saturating_add(self.token_ttl)
    }

    /// How often it is looked whether a wait is over.
    #[must_use]
    pub fn look_every(&self) -> Duration {
        (self.publish_for() / 2).clamp(LOOK_MIN, LOOK_MAX)
    }

    /// Refuses what could not be kept.
    pub(super) fn check(&self) -> Result<()> {
        let whole = self
            .publish_for()
            .saturating_add(self.retire_for())
            .saturating_add(self.disabled_for)
            .saturating_add(self.look_every().saturating_mul(3));
        if self.every <= whole {
            let fault =
                format!("every: {:?} is shorter than one rotation, which takes {whole:?}", self.every);
            return Err(Error::new(ErrorKind::InvalidInput, "read rotation policy", fault)
                .with_remedy("rotate less often, or shorten the other times"));
        }
        Ok(())
    }
}
