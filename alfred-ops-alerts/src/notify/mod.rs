//! What is told to whom, and when: pure decisions between alerts and sinks.

mod ledger;
mod notification;
mod outbox;
mod plan;
mod policy;

pub use ledger::Ledger;
pub use notification::{Notification, NotificationStatus, NotifiedAlert};
pub use outbox::{Delivery, Outbox, OutboxCounters, Verdict};
pub use plan::{Due, Planned, plan_notifications};
pub use policy::NotifyPolicy;

#[cfg(test)]
mod tests;
