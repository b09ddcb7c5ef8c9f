//! What happens, and what it proves.

mod alerting;
mod recovery;
mod scaling;
mod upkeep;

pub use alerting::alerting;
pub use recovery::recovery;
pub use scaling::scaling;
pub use upkeep::upkeep;
