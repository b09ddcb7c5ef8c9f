//! Relabelling: rules that rewrite, keep or drop sets of labels, as Prometheus 3 has them. Pure.

mod action;
mod anchored_regex;
mod apply;
mod draft;
mod expansion;
mod letter_case;
mod mistake;
mod name_scheme;
mod re2;
mod rule;
mod spec;

pub use action::RelabelAction;
pub use apply::apply;
pub use mistake::RelabelMistake;
pub use name_scheme::NameScheme;
pub use rule::RelabelRule;
pub use spec::RelabelSpec;

pub(crate) use anchored_regex::AnchoredRegex;
pub(crate) use expansion::expand;

#[cfg(test)]
mod tests;
