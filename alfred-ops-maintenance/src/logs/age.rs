//! How old something is.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// How long ago `then` was. What is yet to come, as a clock that jumped back makes it, is new.
pub(super) fn age(now: DateTime<Utc>, then: DateTime<Utc>) -> Duration {
    (now - then).to_std().unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn what_is_yet_to_come_is_new() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        assert_eq!(age(now, now - TimeDelta::seconds(7)), Duration::from_secs(7));
        assert_eq!(age(now, now + TimeDelta::seconds(7)), Duration::ZERO);
    }
}
