//! alfred-ops maintenance.
