//! alfred-ops examples.
