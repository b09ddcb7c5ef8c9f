//! Sessions that keep others from working.

mod facts;
#[cfg(feature = "postgres")]
mod look;
mod plan;
mod policy;
#[cfg(feature = "postgres")]
mod session_care;

#[cfg(test)]
mod tests;

pub use facts::{SessionFacts, SessionState, SessionView};
#[cfg(feature = "postgres")]
pub(crate) use look::facts as look;
pub use plan::{SessionPlan, SessionReason, SessionSkip, SessionStep, plan_sessions};
pub use policy::SessionPolicy;
#[cfg(feature = "postgres")]
pub use session_care::SessionCare;
