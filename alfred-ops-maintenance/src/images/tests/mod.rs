//! Tests.

mod care;
mod histories;
mod plan;
mod seen;

use chrono::{DateTime, TimeDelta, Utc};

fn digest(number: usize) -> String {
    // Spread over the documents of what was seen.
    format!("sha256:{:02x}{number:062x}", number % 256)
}

fn hour(hours: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(hours)
}
