//! What templates compute with.

mod bounded;

mod key_values;
mod layout;
mod list;
mod map;
mod record;
mod sample;
mod span;
mod structure;
#[expect(clippy::module_inception, reason = "the main type of the module is named after it")]
mod value;
mod zoned_time;

pub(super) use bounded::{Bounded, Overflow};
pub use key_values::KeyValues;
pub use list::List;
pub use map::Map;
pub use record::{Answer, Record};
pub(super) use sample::QuerySample;
pub use span::Span;
pub use structure::Structure;
pub use value::Value;
pub use zoned_time::ZonedTime;
