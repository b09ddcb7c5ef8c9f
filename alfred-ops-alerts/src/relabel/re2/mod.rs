//! RE2's syntax in that of the `regex` crate.
//!
//! The two agree on most. Where they do not, a pattern that Prometheus accepts must mean the same here, and one
//! that it refuses must be refused: RE2's `\d`, `\w`, `\s` and `\b` know ASCII only, `[` within a class is a
//! plain character, a `{` that begins no count is one too, and there are no set operations.

mod class;
mod escape;
mod translator;

pub(super) use translator::translate;
