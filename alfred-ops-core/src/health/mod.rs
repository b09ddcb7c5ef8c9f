//! How well the parts of a host are, and the host as a whole.

mod registry;
mod status;
mod view;

pub use registry::{Health, HealthReporter};
pub use status::{Criticality, Status};
pub use view::{ComponentView, HealthView};
