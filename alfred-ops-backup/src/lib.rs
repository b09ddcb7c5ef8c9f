//! alfred-ops backup.
