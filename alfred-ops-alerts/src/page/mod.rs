//! From the page of a target into the store.

mod page_intake;

#[cfg(test)]
mod tests;

pub use page_intake::{PageIntake, TakenPage};
