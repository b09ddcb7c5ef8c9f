//! Risky changes of a database, so that each can be taken back.

mod archive;
mod begun;
mod builder;
mod catalogue;
mod change;
mod check;
mod cluster;
mod conclusion;
mod copy_back;
mod down;
mod fingerprint;
mod going_aside;
mod going_back;
mod going_down;
#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod guard;
mod guard_plan;
mod hold;
mod local_postgres;
mod performance;
mod plan;
mod point;
mod report;
mod rows;
mod side_server;
mod state;
mod watch;
mod writers;

pub use builder::GuardBuilder;
pub use change::Change;
pub use guard::Guard;
pub use guard_plan::GuardPlan;
pub use local_postgres::LocalPostgres;
pub use plan::{AsideState, CopyState, DownState, ReturnFacts, ReturnStep, plan_return};
use point::NAME_BYTES_MAX;
pub use point::RestorePoint;
pub use report::{CopiedRows, GuardOutcome, GuardReport, WayBack};
pub use side_server::SideServer;
pub use watch::Watch;
