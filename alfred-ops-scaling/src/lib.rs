//! alfred-ops scaling.
