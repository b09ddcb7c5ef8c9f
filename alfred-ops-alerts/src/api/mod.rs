//! Rules and alerts in the form in which Prometheus' HTTP APIs answer. Pure.

mod alert;
mod rule;

pub(crate) use alert::alerts;
pub(crate) use rule::group;

#[cfg(test)]
mod tests;
