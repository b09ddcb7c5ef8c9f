//! How a secret is changed: step by step, each of which is verified, recorded, and repeated after a crash.

mod book;
mod facts;
mod forecast;
mod generation;
mod hand;
mod kind;
mod next;
mod plan;
mod policy;
mod record;
mod secret_care;
mod step;

pub use book::RotationBook;
pub use facts::RotationFacts;
pub use forecast::{RotationForecast, forecast_rotation};
pub use generation::{Generation, PastGeneration, Phase};
pub use kind::{MadeSecret, SecretKind};
pub use plan::{RotationPlan, plan_rotation};
pub use policy::RotationPolicy;
pub use record::RotationRecord;
pub use secret_care::SecretCare;
pub use step::{RotationReason, RotationStep};
