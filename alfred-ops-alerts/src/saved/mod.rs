//! What outlives a restart: alerts, and what was told of them.

mod restored;
mod rule_key;
mod saved_alert;
mod saved_state;
mod saved_told;

#[cfg(test)]
mod tests;

pub use restored::{GRACE, OUTAGE_TOLERANCE};

pub(crate) use restored::{Outage, restored};
pub(crate) use rule_key::{RuleKey, rule_keys};
pub(crate) use saved_alert::SavedAlert;
pub(crate) use saved_state::{SavedRule, SavedState};
pub(crate) use saved_told::{SavedTold, SavedToldAlert};
