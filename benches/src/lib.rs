//! alfred-ops benches.
