//! Plays load traces against policies, to see what they would do before they do it.
//!
//! ```
//! use std::time::Duration;
//! use alfred_ops_scaling::simulate::{Contestant, Service, Trace, simulate};
//!
//! let trace = Trace::parse("12\n15\n40\n38\n12\n9\n")?;
//! let service = Service::new(5.0).with_bounds(1, 20);
//! for contestant in Contestant::all(&service) {
//!     let score = simulate(&trace, &service, &contestant)?.score;
//!     println!("{}: {:.2} % late", contestant.name(), score.violations_percent);
//! }
//! # Ok::<(), alfred_ops_core::Error>(())
//! ```

mod contestant;
mod fleet;
mod run;
mod score;
mod service;
mod trace;

pub use contestant::Contestant;
pub use run::{Run, Second, simulate};
pub use score::Score;
pub use service::Service;
pub use trace::Trace;
