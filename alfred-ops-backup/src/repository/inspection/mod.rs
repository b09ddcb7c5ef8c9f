//! Everything that is wrong with a backup, object by object, and mending it from a second store.

mod damage;
mod entrance;
mod examination;
mod inspector;
mod listed_packs;
mod log_objects;
mod pack_contents;
mod repair;
mod report;

pub use damage::{Damage, DamageKind};
pub use repair::{RepairReport, Unmended};
pub use report::{Inspection, InspectionDepth};
